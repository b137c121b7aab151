/* SPDX-License-Identifier: MIT
 * Errors of predictions against the losses of the PyTorch library (tests/data/losses),
 * 1-D to 3-D. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "train/metrics.h"
#include "unit/train/vectors.h"

/* (n, c, grid) to [n][grid][c] in f64. */
static double *channels_last(const float *from, int64_t n, int64_t channels, int64_t points) {
    double *to = malloc((size_t)(n * channels * points) * sizeof *to);
    assert_non_null(to);
    for (int64_t s = 0; s < n; s++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < points; i++)
                to[(s * points + i) * channels + c] = from[(s * channels + c) * points + i];
    return to;
}

static void agree_with_the_reference(void **state) {
    (void)state;
    static const struct {
        const char *x, *y, *l2, *h1;
        int ndim;
        int64_t n, channels, grid[3];
    } cases[] = {
        {"x1d", "y1d", "lp2_1d_mean_rel", "h1_1d_per1_rel", 1, 3, 2, {17}},
        {"x2d", "y2d", "lp2_2d_mean_rel", "h1_2d_per1_rel", 2, 3, 2, {9, 11}},
        {"x3d", "y3d", "lp2_3d_mean_rel", "h1_3d_per1_rel", 3, 2, 1, {7, 6, 8}},
    };
    mpno_ctx *ctx = NULL;
    static vectors v;
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    vectors_open("tests/data/losses", &v);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const int64_t n = cases[k].n, channels = cases[k].channels;
        int64_t points = 1;
        for (int d = 0; d < cases[k].ndim; d++) points *= cases[k].grid[d];
        size_t count = 0;
        double *x =
            channels_last(vectors_get(&v, "input", cases[k].x, &count), n, channels, points);
        double *y =
            channels_last(vectors_get(&v, "input", cases[k].y, &count), n, channels, points);
        assert_int_equal(count, n * channels * points);
        double mse = 0;
        for (size_t i = 0; i < count; i++) mse += (x[i] - y[i]) * (x[i] - y[i]) / (double)count;
        mpno_metrics m = {0};
        for (int64_t s = 0; s < n; s++) { /* in pieces: the sums must not care */
            assert_int_equal(
                mpno_metrics_add(ctx, &m, MPNO_F64, 1, cases[k].ndim, cases[k].grid, 1, channels,
                                 x + s * channels * points, y + s * channels * points),
                MPNO_OK);
        }
        mpno_metrics_finish(&m);
        const double h1 =
            vectors_scalar(&v, cases[k].h1) / (double)(n * channels); /* a sum there */
        assert_true(fabs(m.l2 / vectors_scalar(&v, cases[k].l2) - 1) < 1e-6);
        assert_true(fabs(m.h1 / h1 - 1) < 1e-6);
        assert_true(fabs(m.mse / mse - 1) < 1e-12);
        free(x);
        free(y);
    }
    free(v.bytes);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agree_with_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
