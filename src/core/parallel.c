/* SPDX-License-Identifier: MIT
 * Numbered tasks on OpenMP threads. Dynamic order, one task at a time: tasks differ in length
 * (ragged last batch) and cores are shared with other processes, and since no result depends on the
 * order it costs nothing to balance. */
#include "core/parallel.h"

#include <omp.h>

void mpno_parallel(int n_threads, int64_t n_tasks, mpno_task task, void *argument) {
    if (n_threads <= 1 ||
        n_tasks <= 1) { /* no thread pool for one thread: keeps forked and embedded use simple */
        for (int64_t i = 0; i < n_tasks; i++) task(argument, i, 0);
        return;
    }
    /* Always the whole team, even for fewer tasks: OpenMP libraries end threads when a team shrinks
     * and start them (libomp: leak) when it grows again. */
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads)
    for (int64_t i = 0; i < n_tasks; i++) task(argument, i, omp_get_thread_num());
}
