/* SPDX-License-Identifier: MIT
 * Models that are only declared: the parameters and the plan of a made one, no memory for weights,
 * and a plain refusal to run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "support.h"

static mpno_model *declare(mpno_ctx *ctx, const mpno_fno_config *config) {
    mpno_model *model;
    if (mpno_model_declare(ctx, config, MPNO_F32, &model) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    return model;
}

static void parameters_are_those_of_a_made_model(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config config = small_config(2);
    mpno_model *declared = declare(ctx, &config);
    const size_t bytes = mpno_ctx_bytes(ctx);
    mpno_model *made = make_model(ctx, &config, MPNO_F32);
    assert_true(mpno_model_has_weights(made));
    assert_false(mpno_model_has_weights(declared));
    assert_true(mpno_ctx_bytes(ctx) - bytes >= bytes + 4 * mpno_model_n_weights(made));
    assert_int_equal(mpno_model_n_params(declared), mpno_model_n_params(made));
    assert_int_equal(mpno_model_n_weights(declared), mpno_model_n_weights(made));
    for (int p = 0; p < mpno_model_n_params(made); p++) {
        const mpno_param_info a = mpno_model_param_info(declared, p);
        const mpno_param_info b = mpno_model_param_info(made, p);
        assert_string_equal(a.name, b.name);
        assert_int_equal(a.count, b.count);
        assert_memory_equal(a.shape, b.shape, sizeof a.shape);
    }
    mpno_model_destroy(&declared);
    mpno_model_destroy(&made);
    drop_ctx(ctx);
}

static void the_plan_is_that_of_a_made_model(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config config = small_config(2);
    const mpno_network_opts opts = make_opts(2, (int64_t[]){8, 8}, 3, true, "mixed", MPNO_F16);
    mpno_model *declared = declare(ctx, &config), *made = make_model(ctx, &config, MPNO_F32);
    mpno_network *planned, *network = make_network(ctx, made, &opts);
    assert_int_equal(mpno_network_plan(declared, &opts, &planned), MPNO_OK);
    const mpno_network_cost a = mpno_network_get_cost(planned), b = mpno_network_get_cost(network);
    assert_memory_equal(&a, &b, sizeof a);
    mpno_network_destroy(&planned);
    mpno_network_destroy(&network);
    mpno_model_destroy(&declared);
    mpno_model_destroy(&made);
    drop_ctx(ctx);
}

static void it_is_not_run(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    const mpno_fno_config config = small_config(2);
    mpno_model *declared = declare(ctx, &config);
    for (int training = 0; training < 2; training++) {
        const mpno_network_opts opts =
            make_opts(2, (int64_t[]){8, 8}, 3, training != 0, "full", MPNO_F16);
        mpno_network *network;
        assert_int_equal(mpno_network_create(declared, &opts, &network), MPNO_E_ARGUMENT);
        assert_null(network);
        assert_non_null(strstr(mpno_ctx_error(ctx), "has no weights"));
        assert_non_null(strstr(mpno_ctx_error(ctx), "mpno_model_create"));
    }
    mpno_model_destroy(&declared);
    drop_ctx(ctx);
}

/* Tens of terabytes of weights: more than any machine that runs this test has. */
static void size_does_not_matter(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config config = small_config(3);
    for (int d = 0; d < 3; d++) config.n_modes[d] = 64;
    config.hidden_channels = 8192;
    mpno_model *model = declare(ctx, &config);
    assert_true(mpno_model_n_weights(model) > (size_t)10 << 40);
    mpno_model_destroy(&model);
    assert_true(mpno_ctx_bytes(ctx) < 1 << 20);
    drop_ctx(ctx);
}

static void refusals_are_those_of_create(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    mpno_fno_config config = small_config(2);
    mpno_model *model;
    assert_int_equal(mpno_model_declare(ctx, &config, MPNO_F16, &model), MPNO_E_ARGUMENT);
    assert_null(model);
    config.hidden_channels = 0;
    assert_int_not_equal(mpno_model_declare(ctx, &config, MPNO_F32, &model), MPNO_OK);
    assert_null(model);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_those_of_a_made_model),
        cmocka_unit_test(the_plan_is_that_of_a_made_model),
        cmocka_unit_test(it_is_not_run),
        cmocka_unit_test(size_does_not_matter),
        cmocka_unit_test(refusals_are_those_of_create),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
