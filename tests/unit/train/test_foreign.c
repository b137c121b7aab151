/* SPDX-License-Identifier: MIT
 * State dicts of other programs: where each number goes, and memory that runs out anywhere. What
 * the networks compute is compared in tests/cli/test_foreign.py. */
#include "train/foreign.h"

#include <string.h>

#include "core/memory.h"
#include "data/readers.h"
#include "unit/data/support.h"

static mpno_config *say(mpno_ctx *ctx) {
    mpno_config *config;
    assert_ok(ctx, mpno_config_load(ctx, NULL, &config));
    assert_ok(ctx, mpno_config_override(config, "model.non_linearity", "gelu"));
    assert_ok(ctx, mpno_config_override(config, "model.grid_boundaries", "[[0, 2], [0, 2]]"));
    return config;
}

static const mpno_named_tensor *find(const mpno_tensor_file *file, const char *name) {
    const mpno_named_tensor *tensor = mpno_tensor_file_find(file, name);
    assert_non_null(tensor);
    return tensor;
}

/* li_2d: C = 3, quadrants of 2 x 3 modes, our weights (6, 6, 4, 3). */
static void quadrants_stand_at_their_frequencies(void **state) {
    mpno_ctx *ctx = *state;
    mpno_settings settings;
    mpno_tensor_file *from, *to;
    mpno_config *config = say(ctx);
    assert_ok(ctx, mpno_settings_default(ctx, &settings));
    assert_ok(ctx, mpno_tensor_file_read(ctx, "tests/data/li_2d.pt", NULL, &from));
    assert_ok(ctx, mpno_tensor_file_read(ctx, "tests/data/li_2d.pt", NULL, &to));
    assert_true(mpno_foreign_naming(to));
    assert_ok(ctx, mpno_foreign_convert(ctx, config, &settings, &to));
    assert_false(mpno_foreign_naming(to));
    const double *ours = find(to, "fno_blocks.convs.1.weight.tensor")->data;
    for (int frequency = -2; frequency < 2; frequency++) {
        const char *name = frequency < 0 ? "conv1.weights2" : "conv1.weights1";
        const float *theirs = find(from, name)->data;
        const int row = frequency < 0 ? frequency + 2 : frequency;
        for (int i = 0; i < 6; i++)
            for (int o = 0; o < 6; o++)
                for (int k = 0; k < 6; k++) { /* three modes of re, im */
                    const double number = ours[((i * 6 + o) * 4 + frequency + 2) * 6 + k];
                    const double expected =
                        i < 3 ? (double)theirs[((i * 3 + o % 3) * 2 + row) * 6 + k] : 0;
                    assert_true(number == (o < 3 ? expected : -expected));
                }
    }
    assert_int_equal(settings.model.hidden_channels, 6);
    assert_int_equal(settings.model.n_layers, 3);
    assert_int_equal(settings.model.n_modes.v[0], 4);
    assert_int_equal(settings.model.n_modes.v[1], 4);
    assert_int_equal(settings.model.in_channels, 1);
    mpno_tensor_file_destroy(ctx, &from);
    mpno_tensor_file_destroy(ctx, &to);
    mpno_settings_clear(ctx, &settings);
    mpno_config_destroy(&config);
}

static void memory_may_run_out_anywhere(void **state) {
    static const char *const paths[] = {"tests/data/li_2d.pt", "tests/data/physicsnemo_2d.pt",
                                        "tests/data/neuralop_0_3.pt"};
    mpno_ctx *ctx = *state;
    mpno_config *config = say(ctx);
    for (int i = 0; i < 3; i++) {
        mpno_settings settings;
        mpno_tensor_file *file;
        assert_ok(ctx, mpno_settings_default(ctx, &settings));
        assert_ok(ctx, mpno_tensor_file_read(ctx, paths[i], NULL, &file));
        const size_t before = mpno_ctx_bytes(ctx);
        mpno_status status = MPNO_E_MEMORY;
        for (int64_t n = 0; status == MPNO_E_MEMORY; n++) {
            mpno_alloc_fail_after(ctx, n);
            status = mpno_foreign_convert(ctx, config, &settings, &file);
            assert_true(status == MPNO_OK || mpno_ctx_bytes(ctx) == before);
        }
        mpno_alloc_fail_after(ctx, -1);
        assert_ok(ctx, status);
        mpno_tensor_file_destroy(ctx, &file);
        mpno_settings_clear(ctx, &settings);
    }
    mpno_config_destroy(&config);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(quadrants_stand_at_their_frequencies),
        TEST(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
