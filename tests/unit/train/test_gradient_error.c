/* SPDX-License-Identifier: MIT
 * Errors of gradients by layer: as computed from the gradients that networks give, number by
 * number; none of a network against itself; what a wrong scale makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "train/gradient_error.h"
#include "unit/model/support.h"

enum { BATCH = 2 };
static const int64_t grid[] = {8, 10};

static mpno_network *stepped(mpno_ctx *ctx, mpno_model *model, const char *policy, mpno_format half,
                             double scale) {
    const mpno_network_opts opts = make_opts(2, grid, BATCH, true, policy, half);
    mpno_network *network = make_network(ctx, model, &opts);
    float *x = make_data(MPNO_F32, BATCH * 80 * 2, 1), *y = make_data(MPNO_F32, BATCH * 80 * 2, 2);
    mpno_step_result result;
    assert_int_equal(mpno_network_step(network, BATCH, x, y, scale, &result), MPNO_OK);
    assert_false(result.overflow);
    free(x), free(y);
    return network;
}

/* Of the parameters whose names begin so, from the outside. */
static void by_hand(const mpno_model *model, const mpno_network *low, const mpno_network *full,
                    const char *const *prefixes, double *error, double *cosine) {
    double a = 0, b = 0, product = 0, difference = 0;
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        bool mine = false;
        for (int i = 0; prefixes[i] != NULL; i++)
            mine = mine || strncmp(info.name, prefixes[i], strlen(prefixes[i])) == 0;
        if (!mine) continue;
        double *x = malloc(info.count * sizeof *x), *y = malloc(info.count * sizeof *y);
        assert_true(x != NULL && y != NULL);
        mpno_network_get_gradient(low, p, x);
        mpno_network_get_gradient(full, p, y);
        for (size_t i = 0; i < info.count; i++) {
            a += x[i] * x[i], b += y[i] * y[i], product += x[i] * y[i];
            difference += (x[i] - y[i]) * (x[i] - y[i]);
        }
        free(x), free(y);
    }
    *error = sqrt(difference / b);
    *cosine = product / sqrt(a * b);
}

static void layers_are_compared(void **state) {
    (void)state;
    static const char *const of_layers[][6] = {
        {"lifting", NULL},
        {"fno_blocks.convs.0", "fno_blocks.fno_skips.0", "fno_blocks.channel_mlp.0",
         "fno_blocks.channel_mlp_skips.0", NULL},
        {"fno_blocks.convs.1", "fno_blocks.fno_skips.1", "fno_blocks.channel_mlp.1",
         "fno_blocks.channel_mlp_skips.1", NULL},
        {"projection", NULL}};
    static const char *const names[] = {"lifting", "block 0", "block 1", "projection"};
    static const char *const everything[] = {"", NULL};
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config config = small_config(2);
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    mpno_network *low = stepped(ctx, model, "mixed", MPNO_F16, 65536),
                 *full = stepped(ctx, model, "full", MPNO_F16, 1);
    mpno_gradient_error found;
    double error, cosine;
    mpno_gradient_compare(model, low, 65536, full, 1, &found);
    assert_int_equal(found.n, 4);
    for (int i = 0; i < 4; i++) {
        const mpno_gradient_line *l = &found.lines[i];
        by_hand(model, low, full, of_layers[i], &error, &cosine);
        assert_string_equal(l->layer, names[i]);
        assert_true(error > 1e-5 && error < 0.1);
        assert_true(fabs(l->error - error) < 1e-9 * error);
        assert_true(fabs(l->cosine - cosine) < 1e-12);
        assert_true(mpno_gradient_angle(l) <= 57.3 * asin(l->error) + 1e-6);
    }
    by_hand(model, low, full, everything, &error, &cosine);
    assert_true(fabs(found.all.error - error) < 1e-9 * error);
    /* only the length: twice too large is off by itself, and no angle */
    mpno_gradient_compare(model, full, 0.5, full, 1, &found);
    assert_true(fabs(found.all.error - 1) < 1e-12 && found.all.cosine == 1);
    mpno_gradient_compare(model, full, 1, full, 1, &found);
    for (int i = 0; i < 4; i++) assert_true(found.lines[i].error == 0);
    mpno_network_destroy(&low);
    mpno_network_destroy(&full);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

/* Wider formats make smaller errors, in every layer. */
static void errors_follow_the_format(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config config = small_config(2);
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    mpno_network *f16 = stepped(ctx, model, "mixed", MPNO_F16, 65536),
                 *bf16 = stepped(ctx, model, "mixed", MPNO_BF16, 65536),
                 *full = stepped(ctx, model, "full", MPNO_F16, 1);
    mpno_gradient_error fine, coarse;
    mpno_gradient_compare(model, f16, 65536, full, 1, &fine);
    mpno_gradient_compare(model, bf16, 65536, full, 1, &coarse);
    /* 8 times as coarse; of one layer chance has its part where contributions of points cancel */
    const double ratio = coarse.all.error / fine.all.error;
    assert_true(ratio > 4 && ratio < 16);
    for (int i = 0; i < fine.n; i++) {
        assert_true(coarse.lines[i].error > 2 * fine.lines[i].error);
        assert_true(coarse.lines[i].cosine < fine.lines[i].cosine);
    }
    mpno_network_destroy(&f16);
    mpno_network_destroy(&bf16);
    mpno_network_destroy(&full);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers_are_compared),
                                       cmocka_unit_test(errors_follow_the_format)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
