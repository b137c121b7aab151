/* SPDX-License-Identifier: MIT
 * Probes: multiply-adds in registers, reading and copying arrays that no cache holds, on as many
 * threads as what they are compared with. */
#include <string.h>

#include "bench.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "kernel/probe_kernels.h"

enum { TASKS = 64, PIECE = 2 << 20 /* bytes of a task: TASKS of them are 128 MiB */ };

struct bench_probe {
    mpno_ctx *ctx;
    const mpno_probe_kernels *kernels;
    char *from, *to;
    double *samples; /* flops, read, copy: capacity each */
    int capacity, n;
    int64_t fma_rounds; /* of a task */
    float results[TASKS];
};

static void fill(void *argument, int64_t task, int thread) {
    const bench_probe *p = argument;
    (void)thread;
    memset(p->from + task * PIECE, 0, PIECE);
    memset(p->to + task * PIECE, 0, PIECE);
}

static void multiply_add(void *argument, int64_t task, int thread) {
    bench_probe *p = argument;
    (void)thread;
    p->results[task] = p->kernels->multiply_add(p->fma_rounds);
}

static void read_all(void *argument, int64_t task, int thread) {
    bench_probe *p = argument;
    (void)thread;
    p->results[task] = p->kernels->read((const float *)(const void *)(p->from + task * PIECE),
                                        PIECE / (int64_t)sizeof(float));
}

static void copy(void *argument, int64_t task, int thread) {
    const bench_probe *p = argument;
    (void)thread;
    memcpy(p->to + task * PIECE, p->from + task * PIECE, PIECE);
}

static double seconds_of(bench_probe *p, mpno_task task) {
    const double start = mpno_seconds();
    mpno_parallel(p->ctx->n_threads, TASKS, task, p);
    return mpno_seconds() - start;
}

static mpno_status set_up(bench_probe *p) {
    MPNO_TRY(mpno_alloc_raw(p->ctx, (size_t)TASKS * PIECE, &p->from));
    MPNO_TRY(mpno_alloc_raw(p->ctx, (size_t)TASKS * PIECE, &p->to));
    MPNO_TRY(mpno_alloc_array(p->ctx, 3 * (size_t)p->capacity, sizeof *p->samples, &p->samples));
    mpno_parallel(p->ctx->n_threads, TASKS, fill, p);
    while (seconds_of(p, multiply_add) < 0.01) p->fma_rounds *= 2;
    return MPNO_OK;
}

mpno_status bench_probe_create(mpno_ctx *ctx, int rounds, bench_probe **out) {
    bench_probe *p;
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *p, &p));
    *p = (bench_probe){.ctx = ctx,
                       .kernels = mpno_probe_kernels_get(ctx->isa),
                       .capacity = rounds,
                       .fma_rounds = 1000};
    const mpno_status status = set_up(p);
    if (status != MPNO_OK) bench_probe_destroy(&p);
    *out = p;
    return status;
}

void bench_probe_destroy(bench_probe **probe) {
    if (*probe == NULL) return;
    mpno_ctx *ctx = (*probe)->ctx;
    mpno_free(ctx, (*probe)->from);
    mpno_free(ctx, (*probe)->to);
    mpno_free(ctx, (*probe)->samples);
    mpno_free(ctx, *probe);
    *probe = NULL;
}

void bench_probe_round(bench_probe *p) {
    const double flops = (double)TASKS * (double)(p->fma_rounds * p->kernels->flops_per_round);
    const double bytes = (double)TASKS * PIECE;
    if (p->n == p->capacity) return;
    p->samples[p->n] = flops / seconds_of(p, multiply_add);
    p->samples[p->capacity + p->n] = bytes / seconds_of(p, read_all);
    p->samples[2 * p->capacity + p->n] = 2 * bytes / seconds_of(p, copy);
    p->n++;
}

bench_peaks bench_probe_medians(const bench_probe *p) {
    double *s = p->samples;
    return (bench_peaks){.flops = bench_median(s, p->n),
                         .read = bench_median(s + p->capacity, p->n),
                         .copy = bench_median(s + 2 * p->capacity, p->n)};
}

mpno_status bench_peaks_put(mpno_ctx *ctx, const bench_peaks *peaks, mpno_value *map) {
    MPNO_TRY(mpno_value_set_real(ctx, map, "peak_flops_per_s", peaks->flops));
    MPNO_TRY(mpno_value_set_real(ctx, map, "read_bytes_per_s", peaks->read));
    return mpno_value_set_real(ctx, map, "copy_bytes_per_s", peaks->copy);
}

double bench_roofline_seconds(const bench_peaks *peaks, double flops, double bytes) {
    const double memory = peaks->read > peaks->copy ? peaks->read : peaks->copy;
    const double compute = flops / peaks->flops, move = bytes / memory;
    return compute > move ? compute : move;
}
