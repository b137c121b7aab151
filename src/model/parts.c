/* SPDX-License-Identifier: MIT
 * See parts.h. A model of what parts cost, checked in docs/performance.md. */
#include "model/parts.h"

/* Useful operations in the time of a byte of memory: a step of ns128-m16 does 240 GF/s beside
 * 45 GB/s (docs/performance.md), and the prototype on two cores with AVX2 110 beside 20. */
static const double FLOPS_OF_A_BYTE = 5;
/* What a byte that stays in the second cache takes of one of memory. */
static const double CACHED = 1.0 / 4;
/* Of the time of a part: what it may cost to be one. */
static const double SHARE = 0.02;
/* Less of them a thread, and threads wait for each other: darcy16 on two threads takes 4 % longer
 * in parts of 8 samples, 65 million a thread, than in parts of 16. */
static const double LEAST_FLOPS_OF_A_THREAD = 1e8;

int64_t mpno_parts_samples(const mpno_parts_question *q) {
    /* the weights; and in training again backward, their gradients read and written */
    const double moved = (q->training ? 4 : 1) * (double)q->weight_bytes;
    const bool cached = q->weight_bytes <= q->cache_bytes;
    const double by_traffic = moved * (cached ? CACHED : 1) * FLOPS_OF_A_BYTE / SHARE;
    const double by_threads = LEAST_FLOPS_OF_A_THREAD * q->n_threads;
    const double least = by_traffic > by_threads ? by_traffic : by_threads;
    int64_t parts = 1;
    while (2 * parts <= q->batch && q->useful_flops >= 2 * least * (double)parts) parts *= 2;
    return (q->batch - 1) / parts + 1;
}
