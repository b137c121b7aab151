/* SPDX-License-Identifier: MIT
 * States of optimisers in narrow formats: what is read comes back exactly, a moment follows its
 * average although a step is less than half a unit, steps have the same bits for any number of
 * threads and stay near those of wide states, memory is that of the formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/context.h"
#include "core/rng.h"
#include "mpno/model.h"
#include "number/format.h"
#include "train/optimizer_states.h"

enum { N = 4096 };

static mpno_ctx *make_ctx(int n_threads) {
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    mpno_ctx *ctx;
    opts.n_threads = n_threads;
    assert_int_equal(mpno_ctx_create(&opts, &ctx), MPNO_OK);
    return ctx;
}

/* v = 0.999 v + 0.001 from 0: the average of the numbers after so many steps. */
static double average_after(mpno_format format, mpno_rounding rounding, int steps) {
    static float v[N];
    mpno_ctx *ctx = make_ctx(1);
    mpno_optimizer_state s;
    double sum = 0;
    assert_int_equal(mpno_state_create(ctx, format, MPNO_F32, N, &s), MPNO_OK);
    for (int t = 0; t < steps; t++) {
        mpno_state_seed(&s, 3, t, 0);
        s.codec.rounding = rounding;
        mpno_state_load(&s, 0, v, N);
        for (int i = 0; i < N; i++) v[i] = 0.999f * v[i] + 0.001f;
        mpno_state_store(&s, 0, v, N);
    }
    for (int i = 0; i < N; i++) sum += v[i];
    mpno_state_destroy(ctx, &s);
    mpno_ctx_destroy(&ctx);
    return sum / N;
}

/* Each number has its own errors: their mean is off by a hundredth at most (spread of one number
 * about 0.03, of the mean of 4096 a sixtieth of that). To nearest the average stands still where a
 * step of 0.001 is half a unit. */
static void moments_follow_their_average(void **state) {
    const double exact = 1 - pow(0.999, 2000);
    (void)state;
    assert_true(fabs(average_after(MPNO_BF16, MPNO_ROUND_STOCHASTIC, 2000) / exact - 1) < 0.01);
    assert_true(fabs(average_after(MPNO_F8E4M3, MPNO_ROUND_STOCHASTIC, 2000) / exact - 1) < 0.01);
    assert_true(average_after(MPNO_BF16, MPNO_ROUND_NEAREST_EVEN, 2000) < 0.7 * exact);
}

static void formats_of_states(void **state) {
    (void)state;
    assert_int_equal(mpno_state_format(MPNO_F32, "exp_avg", MPNO_F64), MPNO_F64);
    assert_int_equal(mpno_state_format(MPNO_F32, "exp_avg", MPNO_F32), MPNO_F32);
    assert_int_equal(mpno_state_format(MPNO_BF16, "exp_avg", MPNO_F32), MPNO_BF16);
    assert_int_equal(mpno_state_format(MPNO_F8E4M3, "exp_avg", MPNO_F32), MPNO_F8E4M3);
    assert_int_equal(mpno_state_format(MPNO_F8E4M3, "exp_avg_sq", MPNO_F32), MPNO_BF16);
    assert_int_equal(mpno_state_format(MPNO_F8E5M2, "max_exp_avg_sq", MPNO_F32), MPNO_BF16);
    assert_int_equal(mpno_state_format(MPNO_F8E5M2, "momentum_buffer", MPNO_F32), MPNO_F8E5M2);
    assert_int_equal(mpno_state_bytes(MPNO_F32, 1000), 4000);
    assert_int_equal(mpno_state_bytes(MPNO_BF16, 1000), 2000);
    assert_int_equal(mpno_state_bytes(MPNO_F8E4M3, 1000), 1032);
}

/* ---- whole optimisers ---- */

enum { POINTS = 20, BATCH = 2 };

typedef struct outcome {
    double *weights, *moments;
    size_t n, bytes, n_weights;
} outcome;

/* Weights and states after some steps; `again` sets each state to what was read from it before the
 * last. 37 channels: planes of a complex weight that are no multiple of a block. */
static outcome run(mpno_optimizer_opts rule, int n_threads, bool again) {
    outcome o = {0};
    float x[BATCH * POINTS], y[BATCH * POINTS];
    mpno_ctx *ctx = make_ctx(n_threads);
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    mpno_model *model;
    mpno_network *network;
    mpno_optimizer *optimizer;
    mpno_step_result result;
    config.ndim = 1;
    config.n_modes[0] = 16;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 37;
    config.n_layers = 1;
    opts.grid[0] = POINTS;
    opts.capacity = BATCH;
    opts.training = true;
    for (int i = 0; i < BATCH * POINTS; i++)
        x[i] = sinf(0.7f * (float)i), y[i] = cosf(0.3f * (float)i);
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F32, 1, &model), MPNO_OK);
    assert_int_equal(mpno_network_create(model, &opts, &network), MPNO_OK);
    assert_int_equal(mpno_optimizer_create(model, &rule, &optimizer), MPNO_OK);
    o.n_weights = mpno_model_n_weights(model);
    o.weights = malloc(o.n_weights * sizeof *o.weights);
    o.moments =
        malloc((size_t)mpno_optimizer_n_states(optimizer) * o.n_weights * sizeof *o.moments);
    for (int s = 0; s < 8; s++) {
        assert_int_equal(mpno_network_step(network, BATCH, x, y, 1, &result), MPNO_OK);
        mpno_optimizer_step(optimizer, network, 1e-3, 1);
        for (int k = 0; again && s == 6 && k < mpno_optimizer_n_states(optimizer); k++)
            for (int p = 0; p < mpno_model_n_params(model); p++) {
                assert_int_equal(mpno_optimizer_get_state(optimizer, k, p, o.weights), MPNO_OK);
                assert_int_equal(mpno_optimizer_set_state(optimizer, k, p, o.weights), MPNO_OK);
            }
    }
    double *at = o.weights;
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        mpno_model_get_param(model, p, at);
        at += mpno_model_param_info(model, p).count;
    }
    for (int k = 0; k < mpno_optimizer_n_states(optimizer); k++)
        for (int p = 0; p < mpno_model_n_params(model); p++) {
            assert_int_equal(mpno_optimizer_get_state(optimizer, k, p, o.moments + o.n), MPNO_OK);
            o.n += mpno_model_param_info(model, p).count;
        }
    o.bytes = mpno_optimizer_bytes(optimizer);
    mpno_optimizer_destroy(&optimizer);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    return o;
}

static void drop(outcome *o) {
    free(o->weights), free(o->moments);
}

static bool same(const outcome *a, const outcome *b) {
    return memcmp(a->weights, b->weights, a->n_weights * sizeof(double)) == 0 &&
           memcmp(a->moments, b->moments, a->n * sizeof(double)) == 0;
}

static double distance(const double *a, const double *b, size_t n) {
    double square = 0, norm = 0;
    for (size_t i = 0; i < n; i++) square += (a[i] - b[i]) * (a[i] - b[i]), norm += b[i] * b[i];
    return sqrt(square / norm);
}

static void steps_are_near_those_of_wide_states(void **state) {
    static const struct {
        mpno_optimizer_kind kind;
        mpno_convention convention;
        bool amsgrad;
    } rules[] = {{MPNO_OPTIMIZER_ADAMW, MPNO_CONVENTION_TORCH, false},
                 {MPNO_OPTIMIZER_ADAMW, MPNO_CONVENTION_NEURALOP, false},
                 {MPNO_OPTIMIZER_ADAM, MPNO_CONVENTION_TORCH, true},
                 {MPNO_OPTIMIZER_SGD, MPNO_CONVENTION_TORCH, false},
                 {MPNO_OPTIMIZER_LION, MPNO_CONVENTION_TORCH, false}};
    static const mpno_format formats[] = {MPNO_BF16, MPNO_F8E4M3, MPNO_F8E5M2};
    (void)state;
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        mpno_optimizer_opts rule = MPNO_OPTIMIZER_OPTS_INIT;
        rule.kind = rules[r].kind;
        rule.convention = rules[r].convention;
        rule.amsgrad = rules[r].amsgrad;
        rule.momentum = 0.9;
        outcome wide = run(rule, 1, false);
        for (int f = 0; f < 3; f++) {
            rule.state_format = formats[f];
            rule.seed = 5;
            outcome narrow = run(rule, 1, false), many = run(rule, 5, false),
                    read = run(rule, 2, true);
            assert_true(same(&narrow, &many));
            assert_true(same(&narrow, &read));
            /* some roundings of a unit each, which is twice as much as to nearest */
            const double unit = 2 * mpno_format_unit(formats[f]);
            assert_true(distance(narrow.moments, wide.moments, wide.n) < 3 * unit);
            assert_true(distance(narrow.weights, wide.weights, wide.n_weights) < 0.02);
            /* of one v for two planes the pieces that threads decode are longer than this model */
            assert_true(narrow.bytes < wide.bytes || rule.convention == MPNO_CONVENTION_NEURALOP);
            rule.seed = 6;
            outcome other = run(rule, 1, false);
            assert_false(same(&narrow, &other));
            drop(&narrow), drop(&many), drop(&read), drop(&other);
        }
        drop(&wide);
    }
}

static void wrong_formats_are_refused(void **state) {
    static const mpno_format wrong[] = {MPNO_F64, MPNO_F16, MPNO_TF32, MPNO_FORMAT_SIMULATED(5, 2)};
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    mpno_optimizer_opts opts = MPNO_OPTIMIZER_OPTS_INIT;
    mpno_model *model;
    mpno_optimizer *optimizer;
    (void)state;
    config.ndim = 1;
    config.n_modes[0] = 4;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 8;
    config.n_layers = 1;
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F32, 1, &model), MPNO_OK);
    for (int i = 0; i < 4; i++) {
        opts.state_format = wrong[i];
        assert_int_equal(mpno_optimizer_create(model, &opts, &optimizer), MPNO_E_ARGUMENT);
        assert_non_null(strstr(mpno_ctx_error(ctx), "states cannot be of format"));
    }
    mpno_model_destroy(&model);
    mpno_ctx_destroy(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_of_states),
        cmocka_unit_test(moments_follow_their_average),
        cmocka_unit_test(steps_are_near_those_of_wide_states),
        cmocka_unit_test(wrong_formats_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
