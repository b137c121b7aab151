/* SPDX-License-Identifier: MIT
 * What differs between training and use: running statistics of batch norm and dropout; and how
 * wrong configurations of the options are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "unit/model/options.h"

static const int64_t grid[] = {9, 8};

static rig make_named(const char *name, int n_threads) {
    int k = 0;
    while (strcmp(options[k].name, name) != 0) k++;
    return make_rig(&options[k], 2, grid, MPNO_F64, "full", MPNO_F16, n_threads);
}

static void get(const rig *r, const char *name, double *values) {
    const int p = mpno_model_find_param(r->model, name);
    assert_true(p >= 0);
    mpno_model_get_param(r->model, p, values);
}

/* ---- batch norm ---- */

/* A network whose first norm sees conv bias alone where the spectral weights are zero: mean = bias
 * and variance 0. With preactivation instead the first norm sees gelu(lifted), a pointwise map of
 * the input that is computed here. */
static void lifted(const rig *r, int64_t row, double *y) {
    double w0[16 * 4], b0[16], w1[8 * 16], b1[8], hidden[16], x[4];
    get(r, "lifting.fcs.0.weight", w0), get(r, "lifting.fcs.0.bias", b0);
    get(r, "lifting.fcs.1.weight", w1), get(r, "lifting.fcs.1.bias", b1);
    const int64_t point = row % 72;
    for (int c = 0; c < 2; c++) x[c] = ((const double *)r->x)[row * 2 + c];
    x[2] = (double)(point / 8) / 9, x[3] = (double)(point % 8) / 8;
    for (int h = 0; h < 16; h++) {
        double z = b0[h];
        for (int c = 0; c < 4; c++) z += w0[h * 4 + c] * x[c];
        hidden[h] = z / 2 * (1 + erf(z / sqrt(2)));
    }
    for (int c = 0; c < 8; c++) {
        double z = b1[c];
        for (int h = 0; h < 16; h++) z += w1[c * 16 + h] * hidden[h];
        y[c] = z / 2 * (1 + erf(z / sqrt(2)));
    }
}

static void statistics_move_a_tenth_of_the_way(void **state) {
    (void)state;
    static const option early = {"batch norm, preactivation", set_batch_norm, 3, false,
                                 MPNO_STATISTICS_AUTO};
    const int64_t rows = OPTION_BATCH * 72;
    rig r = make_rig(&early, 2, grid, MPNO_F64, "full", MPNO_F16, 2);
    mpno_fno_config config = *mpno_model_config(r.model);
    config.preactivation = true;
    mpno_model_destroy(&r.model);
    r.model = make_model(r.ctx, &config, MPNO_F64);
    double sum[8] = {0}, square[8] = {0}, mean[8], variance[8], count;
    mpno_step_result result;
    set_named(r.model, "fno_blocks.norm.0.norm.running_mean", 3);
    set_named(r.model, "fno_blocks.norm.0.norm.running_var", 5);
    mpno_network *network = rig_network(&r, true);
    assert_int_equal(mpno_network_step(network, OPTION_BATCH, r.x, r.y, 1, &result), MPNO_OK);
    for (int64_t i = 0; i < rows; i++) {
        double y[8];
        lifted(&r, i, y);
        for (int c = 0; c < 8; c++) sum[c] += y[c], square[c] += y[c] * y[c];
    }
    get(&r, "fno_blocks.norm.0.norm.running_mean", mean);
    get(&r, "fno_blocks.norm.0.norm.running_var", variance);
    for (int c = 0; c < 8; c++) {
        const double m = sum[c] / (double)rows;
        const double v = (square[c] - (double)rows * m * m) / (double)(rows - 1);
        assert_true(fabs(mean[c] - (0.9 * 3 + 0.1 * m)) <= 1e-12);
        assert_true(fabs(variance[c] - (0.9 * 5 + 0.1 * v)) <= 1e-12);
    }
    assert_int_equal(mpno_network_step(network, 1, r.x, r.y, 1, &result), MPNO_OK);
    get(&r, "fno_blocks.norm.3.norm.num_batches_tracked", &count);
    assert_true(count == 2);
    mpno_network_destroy(&network);
    drop_rig(&r);
}

static void forward(const rig *r, mpno_statistics statistics, double *output) {
    rig other = *r;
    other.opts.statistics = statistics;
    mpno_network *network = rig_network(&other, false);
    assert_int_equal(mpno_network_forward(network, OPTION_BATCH, r->x, output), MPNO_OK);
    mpno_network_destroy(&network);
}

static void evaluation_uses_running_statistics(void **state) {
    (void)state;
    rig r = make_named("batch norm", 1);
    const size_t n = (size_t)r.n_out, bytes = n * sizeof(double);
    double *automatic = malloc(bytes), *running = malloc(bytes), *batch = malloc(bytes),
           *moved = malloc(bytes), mean[8];
    mpno_step_result result;
    forward(&r, MPNO_STATISTICS_AUTO, automatic);
    forward(&r, MPNO_STATISTICS_RUNNING, running);
    forward(&r, MPNO_STATISTICS_BATCH, batch);
    assert_memory_equal(automatic, running, bytes);
    assert_memory_not_equal(running, batch, bytes);
    set_named(r.model, "fno_blocks.norm.1.norm.running_var", 2);
    forward(&r, MPNO_STATISTICS_RUNNING, moved);
    assert_memory_not_equal(running, moved, bytes);
    forward(&r, MPNO_STATISTICS_BATCH, moved);
    assert_memory_equal(batch, moved, bytes); /* and none was moved by looking */
    rig fixed = r;
    fixed.opts.statistics = MPNO_STATISTICS_RUNNING;
    mpno_network *network = rig_network(&fixed, true);
    assert_int_equal(mpno_network_step(network, OPTION_BATCH, r.x, r.y, 1, &result), MPNO_OK);
    get(&r, "fno_blocks.norm.0.norm.running_mean", mean);
    for (int c = 0; c < 8; c++) assert_true(mean[c] == 0);
    get(&r, "fno_blocks.norm.0.norm.num_batches_tracked", mean);
    assert_true(mean[0] == 0);
    mpno_network_destroy(&network);
    free(automatic), free(running), free(batch), free(moved);
    drop_rig(&r);
}

/* ---- dropout ---- */

static double drop_loss(const rig *r, mpno_network *network, uint64_t seed, uint64_t step) {
    mpno_step_result result;
    mpno_network_set_dropout(network, seed, step);
    assert_int_equal(mpno_network_step(network, OPTION_BATCH, r->x, r->y, 1, &result), MPNO_OK);
    return result.loss;
}

static void dropout_is_a_function_of_seed_and_step(void **state) {
    (void)state;
    static const int threads[] = {1, 2, 5};
    double first = 0;
    for (int t = 0; t < 3; t++) {
        rig r = make_named("channel_mlp_dropout", threads[t]);
        mpno_network *network = rig_network(&r, true);
        const double loss = drop_loss(&r, network, 1, 2);
        assert_true(drop_loss(&r, network, 1, 3) != loss);
        assert_true(drop_loss(&r, network, 2, 2) != loss);
        assert_true(drop_loss(&r, network, 1, 2) == loss);
        assert_true(t == 0 || loss == first);
        first = loss;
        mpno_network_destroy(&network);
        drop_rig(&r);
    }
}

/* The same weights without dropout: inference is the same, and a value that only passes linear
 * layers after the drop has the same mean. */
static void dropout_keeps_inference_and_the_mean(void **state) {
    (void)state;
    enum { STEPS = 400 };
    rig with = make_named("channel_mlp_dropout", 1), without = make_named("grid_boundaries", 1);
    mpno_fno_config config = *mpno_model_config(with.model);
    mpno_model_destroy(&without.model);
    config.channel_mlp_dropout = 0;
    without.model = make_model(without.ctx, &config, MPNO_F64);
    const size_t bytes = (size_t)with.n_out * sizeof(double);
    double *a = malloc(bytes), *b = malloc(bytes), mean = 0, square = 0;
    forward(&with, MPNO_STATISTICS_AUTO, a);
    forward(&without, MPNO_STATISTICS_AUTO, b);
    assert_memory_equal(a, b, bytes);
    mpno_network *dropping = rig_network(&with, true), *plain = rig_network(&without, true);
    const double loss = drop_loss(&without, plain, 0, 0);
    for (uint64_t step = 0; step < STEPS; step++) {
        const double l = drop_loss(&with, dropping, 9, step);
        mean += l / STEPS, square += l * l / STEPS;
    }
    const double deviation = sqrt(square - mean * mean);
    /* The loss is not linear in what is dropped: some of its own deviation is bias. */
    assert_true(deviation > 0 && deviation < 0.1 * loss);
    assert_true(fabs(mean - loss) < 3 * deviation);
    free(a), free(b);
    mpno_network_destroy(&dropping), mpno_network_destroy(&plain);
    drop_rig(&with), drop_rig(&without);
}

/* ---- refusals ---- */

static void refuse(mpno_ctx *ctx, const mpno_fno_config *c, mpno_status code,
                   const char *sentence) {
    mpno_model *model = (mpno_model *)&ctx;
    assert_int_equal(mpno_model_create(ctx, c, MPNO_F32, 0, &model), code);
    assert_null(model);
    if (strstr(mpno_ctx_error(ctx), sentence) == NULL) fail_msg("%s", mpno_ctx_error(ctx));
}

static void wrong_options(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config c;
#define REFUSE(change, sentence) \
    c = small_config(2), change, refuse(ctx, &c, MPNO_E_CONFIG, sentence)
#define LACK(change, sentence) \
    c = small_config(2), change, refuse(ctx, &c, MPNO_E_UNSUPPORTED, sentence)
    REFUSE(c.max_n_modes[0] = 8, "max_n_modes has fewer entries than model.n_modes; give 2");
    REFUSE((c.max_n_modes[0] = 8, c.max_n_modes[1] = 2), "n_modes[1] is 4, above");
    REFUSE((c.max_n_modes[0] = c.max_n_modes[1] = 100000), "at most 65536");
    REFUSE(c.norm = MPNO_NORM_ADA_IN, "ada_in_features is 0; give the length");
    REFUSE(c.channel_mlp_dropout = 1, "channel_mlp_dropout is 1;");
    REFUSE(c.channel_mlp_dropout = NAN, "channel_mlp_dropout is nan");
    REFUSE(c.channel_mlp_dropout = -0.5, "channel_mlp_dropout is -0.5");
    REFUSE(c.conv_bias_kernel = 0, "conv_bias_kernel is 0");
    REFUSE(c.conv_bias_kernel = 64, "conv_bias_kernel is 64; it must be from 1 to 63");
    REFUSE((c.ndim = 4, c.n_modes[2] = c.n_modes[3] = 2, c.conv_bias_kernel = 3),
           "conv_bias_kernel is 3 on 4 axes");
    REFUSE((c.fno_skip = MPNO_SKIP_IDENTITY, c.conv_bias_kernel = 3), "fno_skip is not linear");
    LACK((c.complex_data = true, c.norm = MPNO_NORM_GROUP),
         "complex_data together with model.norm");
    LACK((c.complex_data = true, c.conv_bias_kernel = 3), "with model.conv_bias_kernel");
    REFUSE(c.domain_padding[1] = -0.1, "domain_padding[1] is -0.1");
    REFUSE(c.domain_padding[0] = INFINITY, "domain_padding[0] is inf");
    REFUSE(c.grid_stop[1] = 0, "grid_boundaries[1] is [0, 0]");
    REFUSE(c.grid_start[0] = NAN, "grid_boundaries[0] is [nan, 1]");
    REFUSE(c.resolution_scaling_factor[1][0] = 65, "scaling_factor of block 1 is 65");
    REFUSE(c.resolution_scaling_factor[0][1] = -1, "scaling_factor of block 0 is -1");
    LACK((c.domain_padding[0] = 0.1, c.resolution_scaling_factor[0][1] = 2,
          c.compat = MPNO_COMPAT_NEURALOP),
         "inconsistent in the PyTorch library");
#undef REFUSE
#undef LACK
    drop_ctx(ctx);
}

static void wrong_networks(void **state) {
    (void)state;
    rig r = make_named("ada_in", 1);
    double *y = malloc((size_t)r.n_out * sizeof *y);
    mpno_network *network = make_network(r.ctx, r.model, &r.opts);
    assert_int_equal(mpno_network_forward(network, 1, r.x, y), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(r.ctx), "mpno_network_set_embedding"));
    mpno_network_set_embedding(network, r.embedding);
    assert_int_equal(mpno_network_forward(network, 1, r.x, y), MPNO_OK);
    mpno_network_destroy(&network);
    r.opts.output_grid[1] = -2;
    assert_int_equal(mpno_network_create(r.model, &r.opts, &network), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(r.ctx), "output grid size 1 is -2"));
    free(y);
    drop_rig(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_move_a_tenth_of_the_way),
        cmocka_unit_test(evaluation_uses_running_statistics),
        cmocka_unit_test(dropout_is_a_function_of_seed_and_step),
        cmocka_unit_test(dropout_keeps_inference_and_the_mean),
        cmocka_unit_test(wrong_options),
        cmocka_unit_test(wrong_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
