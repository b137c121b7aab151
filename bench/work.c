/* SPDX-License-Identifier: MIT
 * The named cases: networks of the scripts that time the peers, on random data. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "core/clock.h"

static const bench_case cases[] = {
    {"darcy16", 2, 8, 16, 64, 24, 4, MPNO_NORM_NONE, 2, 2, MPNO_FACTORIZATION_DENSE, 1},
    {"ns128-m16", 2, 16, 128, 8, 64, 4, MPNO_NORM_GROUP, 4, 4, MPNO_FACTORIZATION_DENSE, 1},
    {"ns128-m64", 2, 64, 128, 8, 64, 4, MPNO_NORM_GROUP, 4, 4, MPNO_FACTORIZATION_DENSE, 1},
    {"ns128-tucker", 2, 64, 128, 8, 64, 4, MPNO_NORM_GROUP, 4, 4, MPNO_FACTORIZATION_TUCKER, 0.1},
    {"ns128-cp", 2, 64, 128, 8, 64, 8, MPNO_NORM_GROUP, 4, 4, MPNO_FACTORIZATION_CP, 0.05},
    {"darcy128", 2, 64, 128, 8, 32, 4, MPNO_NORM_GROUP, 8, 2, MPNO_FACTORIZATION_CP, 0.05},
    {"fno3d", 3, 16, 64, 1, 32, 4, MPNO_NORM_NONE, 2, 2, MPNO_FACTORIZATION_DENSE, 1},
    {"fno1d", 1, 32, 1024, 64, 64, 4, MPNO_NORM_NONE, 2, 2, MPNO_FACTORIZATION_DENSE, 1},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

const char bench_cases_text[] =
    "Cases:\n"
    "  darcy16    2-D, modes 8x8, 24 channels, 4 layers, 16x16, batch 64\n"
    "  ns128-m16  2-D, modes 16x16, 64 channels, 4 layers, group norm, 128x128, batch 8\n"
    "  ns128-m64  the same with modes 64x64\n"
    "  ns128-tucker  and with Tucker weights of rank 0.1\n"
    "  ns128-cp   8 layers, modes 64x64, CP weights of rank 0.05\n"
    "  darcy128   2-D, modes 64x64, 32 channels, 4 layers, group norm, CP .05, 128x128, batch 8\n"
    "  fno3d      3-D, modes 16x16x16, 32 channels, 4 layers, 64x64x64, batch 1\n"
    "  fno1d      1-D, modes 32, 64 channels, 4 layers, 1024 points, batch 64\n";

mpno_status bench_case_find(mpno_ctx *ctx, const char *name, const bench_case **out) {
    for (size_t i = 0; i < N_CASES && name != NULL; i++) {
        *out = &cases[i];
        if (strcmp(cases[i].name, name) == 0) return MPNO_OK;
    }
    *out = NULL;
    MPNO_CHECK(ctx, name != NULL, MPNO_E_ARGUMENT, "name a case: " BENCH_CASES);
    return mpno_fail(ctx, MPNO_E_ARGUMENT, "unknown case \"%s\"; there are " BENCH_CASES, name);
}

/* Normal random numbers; what they are does not matter to the time. */
static mpno_status random_field(mpno_ctx *ctx, size_t n, uint64_t seed, float **out) {
    MPNO_TRY(mpno_alloc_raw(ctx, n * sizeof **out, out));
    for (size_t i = 0; i < n; i++) {
        double sum = -6; /* twelve uniforms: near enough to normal */
        for (int k = 0; k < 12; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            sum += (double)(seed >> 11) * 0x1p-53;
        }
        (*out)[i] = (float)sum;
    }
    return MPNO_OK;
}

static mpno_status make(bench_work *w) {
    const bench_case *c = w->opts.which;
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    size_t points = 1;
    config.ndim = c->ndim;
    for (int d = 0; d < c->ndim; d++) {
        config.n_modes[d] = c->modes;
        points *= (size_t)c->size;
    }
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = c->hidden;
    config.n_layers = c->n_layers;
    config.factorization = c->factorization;
    config.rank[0] = c->rank;
    config.norm = c->norm;
    config.lifting_channel_ratio = c->lifting_ratio;
    config.projection_channel_ratio = c->projection_ratio;
    if (w->opts.stabilizer > 0)
        config.stabilizer = (mpno_stabilizer)(w->opts.stabilizer - 1);
    else if (strcmp(w->opts.policy, "mixed") == 0)
        config.stabilizer = MPNO_STABILIZER_TANH;
    MPNO_TRY(mpno_model_create(w->ctx, &config, MPNO_F32, 0, &w->model));
    MPNO_TRY(random_field(w->ctx, points * (size_t)c->batch, 1, &w->x));
    return random_field(w->ctx, points * (size_t)c->batch, 2, &w->y);
}

mpno_status bench_work_create(mpno_ctx *ctx, const bench_work_opts *opts, bench_work *out) {
    const bool scaled = strcmp(opts->policy, "full") != 0 && opts->format == MPNO_F16;
    *out = (bench_work){.opts = *opts, .ctx = ctx, .loss_scale = scaled ? 1024 : 1};
    const mpno_status status = make(out);
    if (status != MPNO_OK) bench_work_destroy(out);
    return status;
}

mpno_status bench_work_realise(bench_work *w) {
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    mpno_optimizer_opts adamw = MPNO_OPTIMIZER_OPTS_INIT;
    for (int d = 0; d < w->opts.which->ndim; d++) opts.grid[d] = w->opts.which->size;
    opts.capacity = w->opts.which->batch;
    opts.training = !w->opts.forward;
    opts.unfused = w->opts.unfused;
    opts.recompute = w->opts.recompute;
    opts.micro_batch = w->opts.micro_batch;
    opts.policy = w->opts.policy;
    opts.half_format = w->opts.format;
    opts.storage = w->opts.storage;
    adamw.weight_decay = 1e-4;
    MPNO_TRY(mpno_network_create(w->model, &opts, &w->network));
    if (w->opts.forward) return MPNO_OK;
    return mpno_optimizer_create(w->model, &adamw, &w->optimizer);
}

void bench_work_destroy(bench_work *w) {
    mpno_optimizer_destroy(&w->optimizer);
    mpno_network_destroy(&w->network);
    mpno_model_destroy(&w->model);
    mpno_free(w->ctx, w->x);
    mpno_free(w->ctx, w->y);
    w->x = w->y = NULL;
}

mpno_status bench_work_step(bench_work *w) {
    mpno_step_result result;
    const int64_t batch = w->opts.which->batch;
    if (w->opts.forward) return mpno_network_forward(w->network, batch, w->x, w->y);
    MPNO_TRY(mpno_network_step(w->network, batch, w->x, w->y, w->loss_scale, &result));
    const double start = mpno_seconds();
    w->loss = result.loss;
    if (result.overflow) {
        w->skipped++;
        w->loss_scale /= 2;
    } else {
        mpno_optimizer_step(w->optimizer, w->network, 1e-3, w->loss_scale);
    }
    w->update_seconds = mpno_seconds() - start;
    return MPNO_OK;
}

mpno_status bench_work_bind(bench_work *w) {
    mpno_step_result result;
    return mpno_network_step(w->network, w->opts.which->batch, w->x, w->y, w->loss_scale, &result);
}

const char *bench_work_format(const bench_work *w) {
    if (strcmp(w->opts.policy, "full") == 0) return "f32";
    return w->opts.format == MPNO_F16 ? "f16" : "bf16";
}
