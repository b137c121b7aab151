/* SPDX-License-Identifier: MIT
 * Normalisers against known statistics, restatements by two passes and their own inverse. */
#include "support.h"

#include <math.h>
#include <string.h>

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
    assert_ok(ctx, mpno_normalizer_fit_parts(ctx, MPNO_ENCODING_SCALAR, NULL, MPNO_F32, parts, 2,
                                             &again));
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

/* Real and imaginary parts are values alike. */
static void restate(mpno_encoding encoding, const double *x, int64_t n, int64_t i, double *mean,
                    double *std) {
    double sum = 0, squares = 0;
    int64_t count = 0;
    for (int64_t k = 0; k < n; k++) {
        const bool same =
            k % 3 == i % 3 && (encoding == MPNO_ENCODING_CHANNEL_WISE || k / 6 % 10 == i / 6 % 10);
        sum += same ? x[k] : 0;
        count += same;
    }
    *mean = sum / (double)count;
    for (int64_t k = 0; k < n; k++)
        if (k % 3 == i % 3 && (encoding == MPNO_ENCODING_CHANNEL_WISE || k / 6 % 10 == i / 6 % 10))
            squares += (x[k] - *mean) * (x[k] - *mean);
    *std = sqrt(squares / (double)(count - 1));
}

/* Complex samples of 3 channels on 2 x 5 points, far from 0, fitted at once and in two parts. */
static void channels_and_pixels(void **state) {
    mpno_ctx *ctx = *state;
    enum { SAMPLES = 4, SAMPLE = 2 * 5 * 2 * 3, N = SAMPLES * SAMPLE };
    const mpno_field_layout layout = {2, 2, {2, 5}, 3};
    const int64_t other[] = {5, 2};
    static double x[N], y[N];
    static float f[N];
    for (int64_t i = 0; i < N; i++)
        x[i] = 1e6 * (double)(i % 3) + sin((double)(i * i)) * (1 + i % 7);
    for (int e = MPNO_ENCODING_CHANNEL_WISE; e <= MPNO_ENCODING_PIXEL_WISE; e++) {
        const mpno_encoding encoding = (mpno_encoding)e;
        const mpno_values all = {x, N}, parts[] = {{x, SAMPLE}, {x + SAMPLE, N - SAMPLE}};
        mpno_normalizer whole, split;
        assert_ok(ctx,
                  mpno_normalizer_fit_parts(ctx, encoding, &layout, MPNO_F64, &all, 1, &whole));
        assert_ok(ctx,
                  mpno_normalizer_fit_parts(ctx, encoding, &layout, MPNO_F64, parts, 2, &split));
        const int64_t count = mpno_normalizer_count(&whole);
        assert_int_equal(count, encoding == MPNO_ENCODING_PIXEL_WISE ? 30 : 3);
        assert_memory_equal(whole.means, split.means, (size_t)count * sizeof(double));
        assert_memory_equal(whole.stds, split.stds, (size_t)count * sizeof(double));
        memcpy(y, x, sizeof y);
        mpno_normalizer_encode(&whole, MPNO_F64, y, N);
        for (int64_t i = 0; i < N; i++) {
            double mean, std;
            restate(encoding, x, N, i, &mean, &std);
            assert_true(fabs(y[i] - (x[i] - mean) / (std + 1e-7)) < 1e-8);
            f[i] = (float)y[i];
        }
        mpno_normalizer_decode(&whole, MPNO_F64, y, N);
        mpno_normalizer_decode(&whole, MPNO_F32, f, N);
        for (int64_t i = 0; i < N; i++) {
            assert_true(fabs(y[i] - x[i]) < 1e-8);
            assert_true(fabs((double)f[i] - x[i]) < 0.2); /* f32 near 2e6 */
        }
        assert_ok(ctx, mpno_normalizer_check_grid(ctx, &whole, "inputs", 2, layout.grid));
        if (encoding == MPNO_ENCODING_PIXEL_WISE)
            assert_fails(ctx, mpno_normalizer_check_grid(ctx, &whole, "inputs", 2, other),
                         MPNO_E_SHAPE, "(2, 5)");
        else
            assert_ok(ctx, mpno_normalizer_check_grid(ctx, &whole, "inputs", 2, other));
        whole.stds[1] = -1;
        assert_fails(ctx, mpno_normalizer_check(ctx, &whole), MPNO_E_FORMAT, "not possible");
        mpno_normalizer_clear(ctx, &whole);
        mpno_normalizer_clear(ctx, &split);
    }
    x[7] = NAN;
    const mpno_values all = {x, N};
    mpno_normalizer none;
    assert_fails(ctx,
                 mpno_normalizer_fit_parts(ctx, MPNO_ENCODING_CHANNEL_WISE, &layout, MPNO_F64, &all,
                                           1, &none),
                 MPNO_E_NUMERIC, "channel 1");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(darcy_has_the_known_statistics),
        TEST(channels_and_pixels),
        TEST(small_numbers_by_hand),
        TEST(what_cannot_be_fitted_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
