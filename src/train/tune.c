/* SPDX-License-Identifier: MIT
 * mpno_tune: measures for some seconds. Rates: multiply-adds in registers, reading and copying of
 * arrays beyond the caches, on one thread and on all. Variants: one training step of a small
 * network with every set of kernels that runs here, and with one or all hardware threads of a core
 * where they differ. Variants run in turn, so that a machine that is slow for a while is slow for
 * all, and medians count; a rate is that of the best round, since nothing makes a machine faster
 * than it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "mpno/model.h"
#include "mpno/network.h"
#include "mpno/optimizer.h"
#include "train/probe.h"
#include "train/sink.h"
#include "train/tuning.h"

enum { ROUNDS = 7 };

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double v[ROUNDS]) {
    qsort(v, ROUNDS, sizeof *v, ascending);
    return v[ROUNDS / 2];
}

/* More digits would only look exact. */
static double four_digits(double v) {
    char text[32];
    snprintf(text, sizeof text, "%.4g", v);
    return strtod(text, NULL);
}

/* ---- rates ---- */

static double larger(double a, double b) {
    return a > b ? a : b;
}

static void measure_rates(mpno_probe *probe, int n_threads, mpno_tuning *out) {
    for (int i = 0; i < 2; i++) {
        mpno_probe_rates best = {0};
        for (int r = 0; r < ROUNDS; r++) {
            const mpno_probe_rates round = mpno_probe_round(probe, i == 0 ? 1 : n_threads);
            best.flops = larger(best.flops, round.flops);
            best.read = larger(best.read, round.read);
            best.copy = larger(best.copy, round.copy);
        }
        out->gflops.v[i] = four_digits(1e-9 * best.flops);
        out->read_gbs.v[i] = four_digits(1e-9 * best.read);
        out->copy_gbs.v[i] = four_digits(1e-9 * best.copy);
    }
    out->gflops.n = out->read_gbs.n = out->copy_gbs.n = 2;
    out->threads = n_threads;
}

static mpno_status find_rates(mpno_ctx *ctx, mpno_tuning *out) {
    mpno_isa isa = ctx->isa;
    mpno_probe *probe;
    (void)mpno_isa_parse(out->isa, &isa);
    MPNO_TRY(mpno_probe_create(ctx, isa, &probe));
    measure_rates(probe, ctx->n_threads, out);
    mpno_probe_destroy(&probe);
    return MPNO_OK;
}

/* ---- variants ---- */

enum { SIZE = 64, BATCH = 4, POINTS = BATCH * SIZE * SIZE };

/* A network that steps with kernels and threads of its own. */
typedef struct variant {
    mpno_ctx *ctx;
    mpno_model *model;
    mpno_network *network;
    mpno_optimizer *optimizer;
    double times[ROUNDS];
} variant;

static mpno_status make(variant *v) {
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    config.ndim = 2;
    config.n_modes[0] = config.n_modes[1] = 16;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 32;
    config.norm = MPNO_NORM_GROUP;
    opts.grid[0] = opts.grid[1] = SIZE;
    opts.capacity = BATCH;
    opts.training = true;
    MPNO_TRY(mpno_model_create(v->ctx, &config, MPNO_F32, 0, &v->model));
    MPNO_TRY(mpno_network_create(v->model, &opts, &v->network));
    return mpno_optimizer_create(v->model, NULL, &v->optimizer);
}

static mpno_status step(variant *v, const float *x, double *seconds) {
    mpno_step_result result;
    const double start = mpno_seconds();
    MPNO_TRY(mpno_network_step(v->network, BATCH, x, x, 1, &result));
    mpno_optimizer_step(v->optimizer, v->network, 1e-3, 1);
    *seconds = mpno_seconds() - start;
    return MPNO_OK;
}

static mpno_status open(mpno_isa isa, int n_threads, variant *v) {
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    opts.isa = mpno_isa_name(isa);
    opts.n_threads = n_threads;
    MPNO_TRY(mpno_ctx_create(&opts, &v->ctx));
    return make(v);
}

static void close(variant *v) {
    if (v->ctx == NULL) return;
    mpno_optimizer_destroy(&v->optimizer);
    mpno_network_destroy(&v->network);
    mpno_model_destroy(&v->model);
    mpno_ctx_destroy(&v->ctx);
}

/* Median seconds of a step of each variant, n of them; all are open. */
static mpno_status race(mpno_ctx *ctx, variant *v, int n, double *seconds) {
    float *x;
    mpno_status status = MPNO_OK;
    MPNO_TRY(mpno_alloc_array(ctx, POINTS, sizeof *x, &x));
    for (int i = 0; i < POINTS; i++) x[i] = (float)(i % 37) / 37 - 0.5f;
    for (int r = -1; r < ROUNDS && status == MPNO_OK; r++) /* the first of all is to warm up */
        for (int i = 0; i < n && status == MPNO_OK; i++) {
            status = step(&v[i], x, &v[i].times[r < 0 ? 0 : r]);
            if (status != MPNO_OK) mpno_fail(ctx, status, "%s", mpno_ctx_error(v[i].ctx));
        }
    for (int i = 0; i < n; i++) seconds[i] = median(v[i].times);
    mpno_free(ctx, x);
    return status;
}

typedef struct variant_of {
    mpno_isa isa;
    int n_threads;
} variant_of;

static mpno_status race_all(mpno_ctx *ctx, const variant_of *of, int n, double *seconds) {
    variant v[MPNO_ISA_COUNT] = {{.ctx = NULL}};
    mpno_status status = MPNO_OK;
    for (int i = 0; i < n && status == MPNO_OK; i++) {
        status = open(of[i].isa, of[i].n_threads, &v[i]);
        if (status != MPNO_OK) status = mpno_fail(ctx, status, "%s", mpno_ctx_error(v[i].ctx));
    }
    if (status == MPNO_OK) status = race(ctx, v, n, seconds);
    for (int i = 0; i < n; i++) close(&v[i]);
    return status;
}

static mpno_status copy_text(mpno_ctx *ctx, const char *text, char **out) {
    MPNO_TRY(mpno_alloc_array(ctx, strlen(text) + 1, 1, out));
    memcpy(*out, text, strlen(text) + 1);
    return MPNO_OK;
}

/* Every set of kernels that runs here; plain C only where there is no other. */
static mpno_status find_isa(mpno_ctx *ctx, mpno_tuning *out) {
    variant_of of[MPNO_ISA_COUNT];
    double seconds[MPNO_ISA_COUNT];
    int n = 0;
    for (int i = 0; i <= (int)mpno_cpu_best_isa(); i++) {
        const bool plain = i == MPNO_ISA_PORTABLE && mpno_cpu_best_isa() != MPNO_ISA_PORTABLE;
        if (mpno_isa_compiled((mpno_isa)i) && !plain)
            of[n++] = (variant_of){(mpno_isa)i, ctx->n_threads};
    }
    MPNO_TRY(race_all(ctx, of, n, seconds));
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)n, sizeof *out->isas.v, &out->isas.v));
    for (int i = 0; i < n; i++) {
        MPNO_TRY(copy_text(ctx, mpno_isa_name(of[i].isa), &out->isas.v[i]));
        out->isas.n++;
        out->seconds.v[out->seconds.n++] = four_digits(seconds[i]);
    }
    return copy_text(ctx, mpno_isa_name(of[mpno_tuning_choose(seconds, n)].isa), &out->isa);
}

/* All hardware threads unless one of each core is faster. */
static mpno_status find_threads(mpno_ctx *ctx, mpno_tuning *out) {
    const int all = ctx->n_threads, cores = ctx->cpus.cores;
    mpno_isa isa = ctx->isa;
    double seconds[2];
    out->threads_per_core = MPNO_THREADS_ALL;
    if (cores <= 0 || cores >= all) return MPNO_OK;
    (void)mpno_isa_parse(out->isa, &isa);
    const variant_of of[] = {{isa, cores}, {isa, all}};
    MPNO_TRY(race_all(ctx, of, 2, seconds));
    if (mpno_tuning_choose(seconds, 2) == 0) out->threads_per_core = MPNO_THREADS_ONE;
    return MPNO_OK;
}

static mpno_status measure(mpno_ctx *ctx, const mpno_sink *sink, mpno_tuning *t) {
    MPNO_TRY(mpno_tuning_default(ctx, t));
    t->format = MPNO_TUNING_FORMAT;
    MPNO_TRY(copy_text(ctx, mpno_version(), &t->program));
    MPNO_TRY(copy_text(ctx, mpno_cpu_model(), &t->cpu));
    mpno_say(sink,
             "measuring steps with every set of kernels, then rates; this takes some "
             "seconds\n");
    MPNO_TRY(find_isa(ctx, t));
    MPNO_TRY(find_threads(ctx, t));
    return find_rates(ctx, t);
}

mpno_status mpno_tune(mpno_ctx *ctx, const char *path, const mpno_sink *sink, char **json) {
    mpno_tuning tuning = {0};
    if (json) *json = NULL;
    mpno_status status = measure(ctx, sink, &tuning);
    if (status == MPNO_OK) status = mpno_tuning_write(ctx, path, &tuning);
    mpno_tuning_clear(ctx, &tuning);
    return status == MPNO_OK ? mpno_tune_show(ctx, path, sink, json) : status;
}
