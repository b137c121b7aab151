/* SPDX-License-Identifier: MIT
 * See parts.h. A model of what parts cost, held to measurements in docs/performance.md. */
#include "model/parts.h"

#include "core/cpu.h"

/* Useful operations in the time of a byte of memory: a step of ns128-m16 does 240 GF/s beside
 * 45 GB/s (docs/performance.md), and the prototype on two cores with AVX2 110 beside 20. */
static const double FLOPS_OF_A_BYTE = 5;
/* What a byte takes of one of memory where the weights stay in the second cache, or they and their
 * gradients in the third. Not of narrow weights: to widen them takes as long (darcy16, mixed: 4 %
 * in two parts). */
static const double IN_SECOND = 1.0 / 4, IN_THIRD = 1.0 / 2;
/* A virtual machine may tell the third caches of its whole host, and others use them too. */
static const size_t THIRD_AT_MOST = (size_t)32 << 20;
/* Of the time of a part: what it may cost to be one. */
static const double SHARE = 0.02;
/* Less of them a thread, and threads wait for each other: darcy16 on two threads is fastest in
 * parts of 32 samples, 260 million a thread, and takes 2 % longer in parts of 16, 6 % in parts
 * of 8. */
static const double LEAST_FLOPS_OF_A_THREAD = 2e8;
/* Pieces of work for each thread, so that none waits long for the last one: of fno1d, mixed, two
 * are 14 % slower than all, four as fast. */
enum { LEAST_PIECES = 4 };

int64_t mpno_parts_samples(const mpno_parts_question *q) {
    /* the weights; and in training again backward, their gradients read and written */
    const double moved = (q->training ? 4 : 1) * (double)q->weight_bytes;
    const double cached = q->narrow                               ? 1
                          : q->weight_bytes <= q->second_cache    ? IN_SECOND
                          : 2 * q->weight_bytes <= q->third_cache ? IN_THIRD
                                                                  : 1;
    const double by_traffic = moved * cached * FLOPS_OF_A_BYTE / SHARE;
    const double by_threads = LEAST_FLOPS_OF_A_THREAD * q->n_threads;
    const double least = by_traffic > by_threads ? by_traffic : by_threads;
    const int64_t samples = (LEAST_PIECES * q->n_threads - 1) / q->pieces + 1;
    int64_t parts = 1;
    while (2 * parts * samples <= q->batch && q->useful_flops >= 2 * least * (double)parts)
        parts *= 2;
    return (q->batch - 1) / parts + 1;
}

size_t mpno_third_cache_share(void) {
    const size_t all = mpno_cpu_caches().level[2];
    return (all < THIRD_AT_MOST ? all : THIRD_AT_MOST) * 2 / 3;
}
