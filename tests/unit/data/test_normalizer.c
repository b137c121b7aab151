/* SPDX-License-Identifier: MIT
 * The scalar normaliser against known statistics and its own inverse. */
#include "support.h"

#include <math.h>

#include "data/normalizer.h"
#include "data/pt.h"

static void darcy_has_the_known_statistics(void **state) {
    mpno_ctx *ctx = *state;
    mpno_tensor_file *file;
    mpno_normalizer normalizer, again;
    assert_ok(ctx, mpno_pt_read(ctx, "examples/data/darcy_train_16.pt", &file));
    mpno_named_tensor *y = &file->tensors[1];
    int64_t n = mpno_named_tensor_count(y);
    assert_string_equal(y->name, "y");
    assert_ok(ctx, mpno_normalizer_fit(ctx, MPNO_F32, y->data, n, &normalizer));
    assert_true(fabs(normalizer.mean - 0.3863156) < 5e-8);
    assert_true(fabs(normalizer.std - 0.3399716) < 5e-8);
    const mpno_values parts[2] = {{y->data, 1000}, {(const float *)y->data + 1000, n - 1000}};
    assert_ok(ctx, mpno_normalizer_fit_parts(ctx, MPNO_F32, parts, 2, &again));
    assert_true(again.mean == normalizer.mean && again.std == normalizer.std);
    mpno_normalizer_encode(&normalizer, MPNO_F32, y->data, n);
    assert_ok(ctx, mpno_normalizer_fit(ctx, MPNO_F32, y->data, n, &again));
    assert_true(fabs(again.mean) < 1e-7 && fabs(again.std - 1) < 1e-6);
    mpno_tensor_file_destroy(ctx, &file);
}

/* 1, 2, 4: mean 7/3, unbiased variance 7/3. */
static void small_numbers_by_hand(void **state) {
    mpno_ctx *ctx = *state;
    mpno_normalizer normalizer;
    double x[3] = {1, 2, 4};
    float f[3] = {1, 2, 4};
    assert_ok(ctx, mpno_normalizer_fit(ctx, MPNO_F64, x, 3, &normalizer));
    assert_true(fabs(normalizer.mean - 7.0 / 3) < 1e-15);
    assert_true(fabs(normalizer.std - sqrt(7.0 / 3)) < 1e-15);
    mpno_normalizer_encode(&normalizer, MPNO_F64, x, 3);
    assert_true(fabs(x[2] - (4 - 7.0 / 3) / (sqrt(7.0 / 3) + 1e-7)) < 1e-15);
    mpno_normalizer_decode(&normalizer, MPNO_F64, x, 3);
    mpno_normalizer_encode(&normalizer, MPNO_F32, f, 3);
    mpno_normalizer_decode(&normalizer, MPNO_F32, f, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(fabs(x[i] - (1 << i)) < 1e-14);
        assert_true(fabs((double)f[i] - (1 << i)) < 1e-6);
    }
}

static void what_cannot_be_fitted_is_an_error(void **state) {
    mpno_ctx *ctx = *state;
    mpno_normalizer normalizer;
    float constant[2] = {3, 3}, infinite[2] = {1, INFINITY};
    assert_ok(ctx, mpno_normalizer_fit(ctx, MPNO_F32, constant, 2, &normalizer));
    mpno_normalizer_encode(&normalizer, MPNO_F32, constant, 2); /* eps keeps 0 / 0 away */
    assert_true(constant[0] == 0 && constant[1] == 0);
    assert_fails(ctx, mpno_normalizer_fit(ctx, MPNO_F32, constant, 1, &normalizer), MPNO_E_ARGUMENT,
                 "at least 2");
    assert_fails(ctx, mpno_normalizer_fit(ctx, MPNO_F32, infinite, 2, &normalizer), MPNO_E_NUMERIC,
                 "not finite");
    assert_fails(ctx, mpno_normalizer_restore(ctx, 0, -1, &normalizer), MPNO_E_FORMAT,
                 "not possible");
    assert_fails(ctx, mpno_normalizer_restore(ctx, NAN, 1, &normalizer), MPNO_E_FORMAT,
                 "not possible");
    assert_ok(ctx, mpno_normalizer_restore(ctx, 2, 0.5, &normalizer));
    assert_true(normalizer.mean == 2 && normalizer.std == 0.5);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(darcy_has_the_known_statistics),
        TEST(small_numbers_by_hand),
        TEST(what_cannot_be_fitted_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
