/* SPDX-License-Identifier: MIT
 * Threads: one way to run a numbered set of tasks. Which thread runs a task never changes its
 * result: tasks write only to memory of their own number; per-thread scratch is indexed by `thread`
 * and carries nothing between tasks. */
#ifndef MPNO_CORE_PARALLEL_H
#define MPNO_CORE_PARALLEL_H

#include <stdint.h>

typedef void (*mpno_task)(void *argument, int64_t task, int thread);

/* Runs task(argument, i, thread) for i = 0 .. n_tasks-1 on n_threads threads (OpenMP): thread t the
 * t-th part of them, unless others are done with theirs. thread < n_threads, n_tasks < 2^32. */
void mpno_parallel(int n_threads, int64_t n_tasks, mpno_task task, void *argument);

#endif
