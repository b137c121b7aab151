/* SPDX-License-Identifier: MIT
 * A thousand training steps hold the bytes that the first one held, and allocate nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mpno/optimizer.h"
#include "unit/model/support.h"

static void a_thousand_steps(void **state) {
    (void)state;
    static const int64_t grid[] = {8};
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config config = small_config(1);
    config.hidden_channels = 4;
    config.norm = MPNO_NORM_GROUP;
    mpno_model *model = make_model(ctx, &config, MPNO_F32);
    const mpno_network_opts opts = make_opts(1, grid, 2, true, "mixed", MPNO_F16);
    mpno_network *network = make_network(ctx, model, &opts);
    mpno_optimizer *optimizer;
    assert_int_equal(mpno_optimizer_create(model, NULL, &optimizer), MPNO_OK);
    float *x = make_data(MPNO_F32, 2 * 8 * 2, 0), *y = make_data(MPNO_F32, 2 * 8 * 2, 1);
    const size_t before = mpno_ctx_bytes(ctx), peak = mpno_ctx_peak_bytes(ctx);
    double first = 0;
    mpno_alloc_fail_after(ctx, 0);
    for (int i = 0; i < 1000; i++) {
        mpno_step_result result;
        assert_int_equal(mpno_network_step(network, 1 + i % 2, x, y, 64.0, &result), MPNO_OK);
        assert_false(result.overflow);
        if (i == 1) first = result.loss;
        if (i == 999) assert_true(result.loss < 0.5 * first); /* and it learns */
        mpno_optimizer_step(optimizer, network, 1e-2, 64.0);
    }
    mpno_alloc_fail_after(ctx, -1);
    assert_int_equal(mpno_ctx_bytes(ctx), before);
    assert_int_equal(mpno_ctx_peak_bytes(ctx), peak);
    assert_int_equal(mpno_optimizer_steps(optimizer), 1000);
    free(x), free(y);
    mpno_optimizer_destroy(&optimizer);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_thousand_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
