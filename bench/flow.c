/* SPDX-License-Identifier: MIT
 * `mpno-bench flow`: steps of the vorticity equation on the samples of the forcing recipe, a block
 * of samples for each thread, beside what the machine can do. */
#include <math.h>
#include <stdio.h>

#include "bench.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "pde/periodic.h"
#include "pde/random_field.h"
#include "pde/vorticity.h"

#define PI 3.14159265358979323846

typedef struct options {
    bench_common common;
    int64_t size, steps;
    int integrator;
} options;

static const mpno_field fields[] = {
    {"size", MPNO_FIELD_INT, offsetof(options, size), "256", "[4,4096]", "points of each axis"},
    {"steps", MPNO_FIELD_INT, offsetof(options, steps), "50", "[1,1000000]", "of a round"},
    {"integrator", MPNO_FIELD_CHOICE, offsetof(options, integrator), "heun", "heun|etdrk4",
     "see mpno generate navier_stokes --help"},
    BENCH_COMMON(options, "rounds", "3"),
};

typedef struct job {
    mpno_ctx *ctx;
    const options *options;
    mpno_vorticity *flow;
    mpno_flow_lanes **lanes; /* owned, of each thread */
    double seconds;          /* median of a step of all samples */
    bench_peaks peaks;
} job;

/* Forcing number `sample` of seed 0 into a lane. */
static mpno_status put(const job *j, const mpno_random_field *random, const mpno_fft *fft,
                       int thread, int lane) {
    mpno_ctx *ctx = j->ctx;
    const size_t points = (size_t)mpno_fft_points(fft);
    double *field = NULL, *spectrum = NULL, most = 0;
    void *scratch = NULL;
    const size_t fft_bytes = mpno_fft_scratch_bytes(fft, 1, 1);
    const size_t random_bytes = mpno_random_field_scratch_bytes(random);
    MPNO_TRY(mpno_alloc_raw(ctx, fft_bytes > random_bytes ? fft_bytes : random_bytes, &scratch));
    mpno_status status = mpno_alloc_array(ctx, points, sizeof *field, &field);
    if (status == MPNO_OK) {
        status =
            mpno_alloc_array(ctx, 2 * (size_t)mpno_fft_modes(fft), sizeof *spectrum, &spectrum);
    }
    if (status == MPNO_OK) {
        const uint32_t sample = (uint32_t)(thread * MPNO_FLOW_LANES + lane);
        mpno_random_field_sample(random, 0, sample, 0, scratch, field);
        for (size_t i = 0; i < points; i++) most = fmax(most, fabs(field[i]));
        mpno_periodic_find(fft, field, spectrum, scratch);
        mpno_flow_put(j->lanes[thread], lane, NULL, spectrum, most);
    }
    mpno_free(ctx, field);
    mpno_free(ctx, spectrum);
    mpno_free(ctx, scratch);
    return status;
}

static mpno_status put_all(job *j) {
    const int64_t n = j->options->size;
    const mpno_random_field_opts random_opts = {2, {n, n},       MPNO_PERIODIC,   4,
                                                3, 27 * sqrt(2), {2 * PI, 2 * PI}};
    const int64_t size[2] = {n, n};
    int64_t keep[2];
    mpno_random_field *random = NULL;
    mpno_fft *fft = NULL;
    mpno_vorticity_modes(j->flow, keep);
    MPNO_TRY(mpno_random_field_create(j->ctx, &random_opts, &random));
    mpno_status status = mpno_periodic_create(j->ctx, 2, size, keep, &fft);
    for (int t = 0; status == MPNO_OK && t < j->ctx->n_threads; t++) {
        status = mpno_flow_lanes_create(j->ctx, j->flow, &j->lanes[t]);
        for (int l = 0; status == MPNO_OK && l < MPNO_FLOW_LANES; l++) {
            status = put(j, random, fft, t, l);
        }
    }
    mpno_fft_destroy(j->ctx, &fft);
    mpno_random_field_destroy(j->ctx, &random);
    return status;
}

static void steps_task(void *argument, int64_t task, int thread) {
    const job *j = argument;
    double left[MPNO_FLOW_LANES], dt[MPNO_FLOW_LANES];
    (void)thread;
    for (int l = 0; l < MPNO_FLOW_LANES; l++) left[l] = 1e3;
    for (int64_t i = 0; i < j->options->steps; i++) {
        mpno_flow_step_all(j->lanes[task], left, dt);
    }
}

static mpno_status time_rounds(job *j) {
    const int rounds = (int)j->options->common.rounds, threads = j->ctx->n_threads;
    bench_probe *probe = NULL;
    double *seconds = NULL;
    MPNO_TRY(bench_probe_create(j->ctx, rounds, &probe));
    mpno_status status = mpno_alloc_array(j->ctx, (size_t)rounds, sizeof *seconds, &seconds);
    if (status == MPNO_OK) {
        mpno_parallel(threads, threads, steps_task, j); /* pages, caches */
        for (int i = 0; i < rounds; i++) {
            bench_probe_round(probe);
            const double before = mpno_seconds();
            mpno_parallel(threads, threads, steps_task, j);
            seconds[i] = (mpno_seconds() - before) / (double)j->options->steps;
        }
        j->seconds = bench_median(seconds, rounds);
        j->peaks = bench_probe_medians(probe);
    }
    mpno_free(j->ctx, seconds);
    bench_probe_destroy(&probe);
    return status;
}

typedef struct numbers {
    int samples;
    double rate, flops, bytes; /* a second */
    double of_peak, of_memory; /* f64 peak: half of the probe's */
} numbers;

static numbers numbers_of(const job *j) {
    numbers n = {.samples = j->ctx->n_threads * MPNO_FLOW_LANES};
    const double memory = fmax(j->peaks.read, j->peaks.copy);
    n.rate = n.samples / j->seconds;
    n.flops = n.rate * mpno_vorticity_flops(j->flow);
    n.bytes = n.rate * mpno_vorticity_bytes(j->flow);
    n.of_peak = n.flops / (0.5 * j->peaks.flops);
    n.of_memory = n.bytes / memory;
    return n;
}

static mpno_status put_json(mpno_ctx *ctx, const void *what, mpno_value *map) {
    const job *j = what;
    const numbers n = numbers_of(j);
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "size", j->options->size));
    MPNO_TRY(mpno_value_set_int(ctx, map, "samples", n.samples));
    MPNO_TRY(mpno_value_set_real(ctx, map, "seconds", j->seconds));
    MPNO_TRY(mpno_value_set_real(ctx, map, "steps_per_s", n.rate));
    MPNO_TRY(mpno_value_set_real(ctx, map, "flops_per_s", n.flops));
    MPNO_TRY(mpno_value_set_real(ctx, map, "bytes_per_s", n.bytes));
    MPNO_TRY(mpno_value_set_real(ctx, map, "of_peak", n.of_peak));
    MPNO_TRY(mpno_value_set_real(ctx, map, "of_memory", n.of_memory));
    return bench_peaks_put(ctx, &j->peaks, map);
}

static void print(const job *j) {
    const numbers n = numbers_of(j);
    printf(
        "%lld x %lld, %d samples, %s, %d threads: %.3f ms a step, %.4g steps of a sample a "
        "second\n%.1f GF/s, %.0f %% of f64 multiply-adds; %.1f GB/s between caches and memory, "
        "%.0f %% of the memory's\n",
        (long long)j->options->size, (long long)j->options->size, n.samples, mpno_ctx_isa(j->ctx),
        mpno_ctx_n_threads(j->ctx), 1e3 * j->seconds, n.rate, 1e-9 * n.flops, 100 * n.of_peak,
        1e-9 * n.bytes, 100 * n.of_memory);
}

static mpno_status run(mpno_ctx *ctx, void *argument) {
    const options *o = argument;
    job j = {.ctx = ctx, .options = o};
    const mpno_vorticity_opts opts = {.size = {o->size, o->size},
                                      .length = {2 * PI, 2 * PI},
                                      .nu = 1.0 / 500,
                                      .integrator = (mpno_flow_integrator)o->integrator,
                                      .cfl = o->integrator == MPNO_FLOW_HEUN ? 0.5 : 2};
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)ctx->n_threads, sizeof(mpno_flow_lanes *), &j.lanes));
    mpno_status status = mpno_vorticity_create(ctx, &opts, &j.flow);
    if (status == MPNO_OK) status = put_all(&j);
    if (status == MPNO_OK) status = time_rounds(&j);
    if (status == MPNO_OK && o->common.json) {
        status = bench_print_json(ctx, put_json, &j);
    } else if (status == MPNO_OK) {
        print(&j);
    }
    for (int t = 0; t < ctx->n_threads; t++) mpno_flow_lanes_destroy(ctx, &j.lanes[t]);
    mpno_free(ctx, j.lanes);
    mpno_vorticity_destroy(ctx, &j.flow);
    return status;
}

const bench_command bench_flow = {
    .name = "flow",
    .what = "",
    .summary = "Times steps of the Navier-Stokes generator",
    .fields = fields,
    .n_fields = BENCH_N_FIELDS(fields),
    .options_bytes = sizeof(options),
    .run = run,
};
