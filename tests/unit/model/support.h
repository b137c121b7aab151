/* SPDX-License-Identifier: MIT
 * What the tests of models and networks share: contexts, models and data by one call each.
 * Functions assert rather than return a status. */
#ifndef TESTS_UNIT_MODEL_SUPPORT_H
#define TESTS_UNIT_MODEL_SUPPORT_H

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "mpno/model.h"
#include "mpno/network.h"
#include "number/format.h"

static inline mpno_ctx *make_ctx(int n_threads) {
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    mpno_ctx *ctx;
    opts.isa = getenv("MPNO_ISA");
    opts.n_threads = n_threads;
    assert_int_equal(mpno_ctx_create(&opts, &ctx), MPNO_OK);
    return ctx;
}

/* Everything made in the context must be gone. */
static inline void drop_ctx(mpno_ctx *ctx) {
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
}

/* Small, with two layers: every kind of program occurs. */
static inline mpno_fno_config small_config(int ndim) {
    mpno_fno_config c = MPNO_FNO_CONFIG_INIT;
    c.ndim = ndim;
    for (int d = 0; d < ndim; d++) c.n_modes[d] = 4;
    c.in_channels = 2;
    c.out_channels = 2;
    c.hidden_channels = 8;
    c.n_layers = 2;
    return c;
}

static inline mpno_model *make_model(mpno_ctx *ctx, const mpno_fno_config *config,
                                     mpno_format arithmetic) {
    mpno_model *model;
    if (mpno_model_create(ctx, config, arithmetic, 11, &model) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    return model;
}

static inline mpno_network *make_network(mpno_ctx *ctx, mpno_model *model,
                                         const mpno_network_opts *opts) {
    mpno_network *network;
    if (mpno_network_create(model, opts, &network) != MPNO_OK) fail_msg("%s", mpno_ctx_error(ctx));
    return network;
}

static inline mpno_network_opts make_opts(int ndim, const int64_t *grid, int64_t capacity,
                                          bool training, const char *policy, mpno_format half) {
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    for (int d = 0; d < ndim; d++) opts.grid[d] = grid[d];
    opts.capacity = capacity;
    opts.training = training;
    opts.policy = policy;
    opts.half_format = half;
    return opts;
}

static inline int64_t points_of(int ndim, const int64_t *grid) {
    int64_t points = 1;
    for (int d = 0; d < ndim; d++) points *= grid[d];
    return points;
}

/* n normal numbers in `format`, different for each `which`. Owned by the caller (free). */
static inline void *make_data(mpno_format format, int64_t n, uint32_t which) {
    mpno_rng rng = mpno_rng_make(21, MPNO_STREAM_TEST, which);
    double *x = malloc((size_t)n * sizeof *x);
    void *out = malloc((size_t)n * mpno_format_bytes(format));
    assert_true(x != NULL && out != NULL);
    for (int64_t i = 0; i < n; i++) x[i] = mpno_rng_normal(&rng);
    mpno_cast(out, format, x, MPNO_F64, (size_t)n);
    free(x);
    return out;
}

static inline void set_named(mpno_model *model, const char *name, double value) {
    const int p = mpno_model_find_param(model, name);
    assert_true(p >= 0);
    const size_t n = mpno_model_param_info(model, p).count;
    double *values = malloc(n * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++) values[i] = value;
    mpno_model_set_param(model, p, values);
    free(values);
}

/* Means so far from 0 that a variance loses digits. */
static inline void far_means(mpno_model *model) {
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        double *values = calloc(info.count + 1, sizeof *values);
        assert_non_null(values);
        if (strstr(info.name, "running_mean") != NULL) {
            mpno_model_get_param(model, p, values);
            for (size_t i = 0; i < info.count; i++) values[i] *= 1e5;
            mpno_model_set_param(model, p, values);
        }
        free(values);
    }
}

/* All gradients of a step, one after another. Owned by the caller. */
static inline double *all_gradients(const mpno_model *model, const mpno_network *network,
                                    size_t *n) {
    *n = 0;
    for (int p = 0; p < mpno_model_n_params(model); p++) *n += mpno_model_param_info(model, p).count;
    double *values = malloc(*n * sizeof *values);
    assert_non_null(values);
    *n = 0;
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        mpno_network_get_gradient(network, p, values + *n);
        *n += mpno_model_param_info(model, p).count;
    }
    return values;
}

#endif
