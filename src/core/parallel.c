/* SPDX-License-Identifier: MIT
 * Numbered tasks on OpenMP threads. Thread t of n begins with the t-th part of the tasks and then
 * takes from the ends of the others' parts: tasks differ in length (ragged last batch) and cores
 * are shared with other processes, and since no result depends on the order it costs nothing to
 * balance. A loop's parts are those of the loop before it, so that a thread finds what it wrote in
 * its own caches: where two cores share none, a step of darcy16 took 1.8 times as long with tasks
 * handed out in turn. */
#include "core/parallel.h"

#include <omp.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { MOST_PARTS = 256, CACHE_LINE = 64 };

/* Tasks begin .. end - 1 that nobody took, as end * 2^32 + begin; each in a cache line of its own.
 */
typedef struct part {
    _Alignas(CACHE_LINE) _Atomic uint64_t tasks;
} part;

static uint64_t tasks_between(int64_t begin, int64_t end) {
    return (uint64_t)end << 32 | (uint64_t)begin;
}

static bool take(part *p, bool last, int64_t *task) {
    uint64_t seen = atomic_load_explicit(&p->tasks, memory_order_relaxed), rest;
    do {
        const int64_t begin = (int64_t)(seen & UINT32_MAX), end = (int64_t)(seen >> 32);
        if (begin >= end) return false;
        *task = last ? end - 1 : begin;
        rest = last ? tasks_between(begin, end - 1) : tasks_between(begin + 1, end);
    } while (!atomic_compare_exchange_weak_explicit(&p->tasks, &seen, rest, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void mpno_parallel(int n_threads, int64_t n_tasks, mpno_task task, void *argument) {
    if (n_threads <= 1 ||
        n_tasks <= 1) { /* no thread pool for one thread: keeps forked and embedded use simple */
        for (int64_t i = 0; i < n_tasks; i++) task(argument, i, 0);
        return;
    }
    part parts[MOST_PARTS];
    const int n = n_threads < MOST_PARTS ? n_threads : MOST_PARTS;
    for (int t = 0; t < n; t++)
        atomic_init(&parts[t].tasks, tasks_between(n_tasks * t / n, n_tasks * (t + 1) / n));
        /* Always the whole team, even for fewer tasks: OpenMP libraries end threads when a team
         * shrinks and start them (libomp: leak) when it grows again. */
#pragma omp parallel num_threads(n_threads)
    {
        const int thread = omp_get_thread_num();
        for (int k = 0; k < n; k++)
            for (int64_t i; take(&parts[(thread + k) % n], k > 0, &i);) task(argument, i, thread);
    }
}
