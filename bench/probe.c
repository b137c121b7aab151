/* SPDX-License-Identifier: MIT
 * Rounds of the probe (train/probe.h) on as many threads as what they are compared with, and their
 * medians. */
#include "bench.h"
#include "train/probe.h"

struct bench_probe {
    mpno_ctx *ctx;
    mpno_probe *probe;
    double *samples; /* flops, read, copy: capacity each */
    int capacity, n;
};

mpno_status bench_probe_create(mpno_ctx *ctx, int rounds, bench_probe **out) {
    bench_probe *p;
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *p, &p));
    *p = (bench_probe){.ctx = ctx, .capacity = rounds};
    mpno_status status = mpno_alloc_array(ctx, 3 * (size_t)rounds, sizeof *p->samples, &p->samples);
    if (status == MPNO_OK) status = mpno_probe_create(ctx, ctx->isa, &p->probe);
    if (status != MPNO_OK) bench_probe_destroy(&p);
    *out = p;
    return status;
}

void bench_probe_destroy(bench_probe **probe) {
    if (*probe == NULL) return;
    mpno_ctx *ctx = (*probe)->ctx;
    mpno_probe_destroy(&(*probe)->probe);
    mpno_free(ctx, (*probe)->samples);
    mpno_free(ctx, *probe);
    *probe = NULL;
}

void bench_probe_round(bench_probe *p) {
    if (p->n == p->capacity) return;
    const mpno_probe_rates rates = mpno_probe_round(p->probe, p->ctx->n_threads);
    p->samples[p->n] = rates.flops;
    p->samples[p->capacity + p->n] = rates.read;
    p->samples[2 * p->capacity + p->n] = rates.copy;
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
