/* SPDX-License-Identifier: MIT
 * The program that opens include/mpno/mpno.h, with its statuses checked: it must stay true. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "mpno/mpno.h"

static float x[64 * 16 * 16], y[64 * 16 * 16];

static void the_program_of_the_header_trains_a_step(void **state) {
    (void)state;
    for (int i = 0; i < 64 * 16 * 16; i++) {
        x[i] = (float)(i % 7) / 7;
        y[i] = (float)(i % 5) / 5;
    }
    mpno_ctx *ctx;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
    config.ndim = 2;
    config.n_modes[0] = config.n_modes[1] = 8;
    config.in_channels = config.out_channels = 1;
    config.hidden_channels = 24;
    mpno_model *model;
    assert_int_equal(mpno_model_create(ctx, &config, MPNO_F32, 0, &model), MPNO_OK);
    mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
    opts.grid[0] = opts.grid[1] = 16;
    opts.capacity = 64;
    opts.training = true;
    opts.policy = "mixed";
    mpno_network *network;
    assert_int_equal(mpno_network_create(model, &opts, &network), MPNO_OK);
    mpno_optimizer *optimizer;
    assert_int_equal(mpno_optimizer_create(model, NULL, &optimizer), MPNO_OK);
    mpno_step_result first, last;
    assert_int_equal(mpno_network_step(network, 64, x, y, 1024.0, &first), MPNO_OK);
    for (int step = 0; step < 5; step++) {
        mpno_optimizer_step(optimizer, network, 1e-3, 1024.0);
        assert_int_equal(mpno_network_step(network, 64, x, y, 1024.0, &last), MPNO_OK);
    }
    assert_true(last.loss < first.loss);
    mpno_optimizer_destroy(&optimizer);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_program_of_the_header_trains_a_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
