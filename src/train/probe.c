/* SPDX-License-Identifier: MIT
 * See probe.h. */
#include "train/probe.h"

#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "kernel/probe_kernels.h"

enum { TASKS = 64, PIECE = 2 << 20 /* bytes of a task: TASKS of them are 128 MiB */ };
static const double long_enough = 0.02; /* seconds of all multiply-adds on one thread */

struct mpno_probe {
    mpno_ctx *ctx;
    const mpno_probe_kernels *kernels;
    char *from, *to;
    int64_t fma_rounds; /* of a task */
    float results[TASKS];
};

static void touch(void *argument, int64_t task, int thread) {
    const mpno_probe *p = argument;
    (void)thread;
    memset(p->from + task * PIECE, 0, PIECE);
    memset(p->to + task * PIECE, 0, PIECE);
}

static void multiply_add(void *argument, int64_t task, int thread) {
    mpno_probe *p = argument;
    (void)thread;
    p->results[task] = p->kernels->multiply_add(p->fma_rounds);
}

static void read_piece(void *argument, int64_t task, int thread) {
    mpno_probe *p = argument;
    (void)thread;
    p->results[task] = p->kernels->read((const float *)(const void *)(p->from + task * PIECE),
                                        PIECE / (int64_t)sizeof(float));
}

static void copy_piece(void *argument, int64_t task, int thread) {
    const mpno_probe *p = argument;
    (void)thread;
    memcpy(p->to + task * PIECE, p->from + task * PIECE, PIECE);
}

static double seconds_of(mpno_probe *p, int n_threads, mpno_task task) {
    const double start = mpno_seconds();
    mpno_parallel(n_threads, TASKS, task, p);
    return mpno_seconds() - start;
}

static mpno_status set_up(mpno_probe *p) {
    MPNO_TRY(mpno_alloc_raw(p->ctx, (size_t)TASKS * PIECE, &p->from));
    MPNO_TRY(mpno_alloc_raw(p->ctx, (size_t)TASKS * PIECE, &p->to));
    mpno_parallel(p->ctx->n_threads, TASKS, touch, p);
    while (seconds_of(p, 1, multiply_add) < long_enough) p->fma_rounds *= 2;
    return MPNO_OK;
}

mpno_status mpno_probe_create(mpno_ctx *ctx, mpno_isa isa, mpno_probe **out) {
    mpno_probe *p;
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *p, &p));
    *p = (mpno_probe){.ctx = ctx, .kernels = mpno_probe_kernels_get(isa), .fma_rounds = 1000};
    const mpno_status status = set_up(p);
    if (status != MPNO_OK) mpno_probe_destroy(&p);
    *out = p;
    return status;
}

void mpno_probe_destroy(mpno_probe **probe) {
    if (*probe == NULL) return;
    mpno_ctx *ctx = (*probe)->ctx;
    mpno_free(ctx, (*probe)->from);
    mpno_free(ctx, (*probe)->to);
    mpno_free(ctx, *probe);
    *probe = NULL;
}

mpno_probe_rates mpno_probe_round(mpno_probe *p, int n_threads) {
    const double flops = (double)TASKS * (double)(p->fma_rounds * p->kernels->flops_per_round);
    const double bytes = (double)TASKS * PIECE;
    mpno_probe_rates rates;
    rates.flops = flops / seconds_of(p, n_threads, multiply_add);
    rates.read = bytes / seconds_of(p, n_threads, read_piece);
    rates.copy = 2 * bytes / seconds_of(p, n_threads, copy_piece);
    return rates;
}
