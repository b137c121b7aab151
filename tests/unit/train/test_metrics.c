/* SPDX-License-Identifier: MIT
 * Errors of predictions against the losses of the PyTorch library (tests/data/losses),
 * 1-D to 3-D. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel/field_kernels.h"
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
    const mpno_objective norms = MPNO_OBJECTIVE_INIT;
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
                mpno_metrics_add(ctx, &m, &norms, MPNO_F64, 1, cases[k].ndim, cases[k].grid, 1,
                                 channels, x + s * channels * points, y + s * channels * points),
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

/* Every value of the reference that a term stands for: sums over samples and channels. */
static void terms_agree_with_the_reference(void **state) {
    (void)state;
    static const struct {
        const char *name;
        mpno_loss kind;
        bool absolute, one_sided;
        double measure;
        bool mean;
    } values[] = {{"lp1_%s_sum_rel", MPNO_LOSS_L1, false, false, 1, false},
                  {"lp1_%s_sum_abs", MPNO_LOSS_L1, true, false, 1, false},
                  {"lp2_%s_sum_rel", MPNO_LOSS_L2, false, false, 1, false},
                  {"lp2_%s_sum_abs", MPNO_LOSS_L2, true, false, 1, false},
                  {"lp2_%s_measure2_abs", MPNO_LOSS_L2, true, false, 2, false},
                  {"h1_%s_per1_rel", MPNO_LOSS_H1, false, false, 1, false},
                  {"h1_%s_per1_abs", MPNO_LOSS_H1, true, false, 1, false},
                  {"h1_%s_per0_rel", MPNO_LOSS_H1, false, true, 1, false},
                  {"h1_%s_per0_abs", MPNO_LOSS_H1, true, true, 1, false},
                  {"h1_%s_measure2_mean_rel", MPNO_LOSS_H1, false, false, 2, true}};
    static const mpno_grid grids[] = {
        {1, {17}, 17, 1}, {2, {9, 11}, 99, 1}, {3, {7, 6, 8}, 336, 1}};
    static const int64_t samples[] = {3, 3, 2}, channels[] = {2, 2, 1};
    static vectors v;
    vectors_open("tests/data/losses", &v);
    for (int g = 0; g < 3; g++) {
        char dimension[16], x_name[20], y_name[20], name[64];
        size_t count = 0;
        snprintf(dimension, sizeof dimension, "%dd", g + 1);
        snprintf(x_name, sizeof x_name, "x%s", dimension);
        snprintf(y_name, sizeof y_name, "y%s", dimension);
        double *x = channels_last(vectors_get(&v, "input", x_name, &count), samples[g], channels[g],
                                  grids[g].points);
        double *y = channels_last(vectors_get(&v, "input", y_name, &count), samples[g], channels[g],
                                  grids[g].points);
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            mpno_objective o = {.n_terms = 1, .term = {{values[k].kind, values[k].absolute, 1}}};
            double sum = 0, out[4];
            for (int d = 0; d <= g; d++) {
                o.one_sided[d] = values[k].one_sided;
                o.measure[d] = values[k].measure;
            }
            for (int64_t s = 0; s < samples[g]; s++) {
                const int64_t at = s * grids[g].points * channels[g];
                mpno_field_kernels_get(MPNO_F64)->loss(&o, out, x + at, y + at, &grids[g],
                                                       channels[g]);
                for (int64_t c = 0; c < channels[g]; c++) sum += out[2 * c];
            }
            if (values[k].mean) sum /= (double)(samples[g] * channels[g]);
            strcpy(name, values[k].name);
            memcpy(strstr(name, "%s"), dimension, 2);
            if (!(fabs(sum / vectors_scalar(&v, name) - 1) < 1e-6))
                fail_msg("%s: %.9g, the reference has %.9g", name, sum, vectors_scalar(&v, name));
        }
        free(x), free(y);
    }
    free(v.bytes);
}

/* Up to three numbers after "KEY": in the keys of a case, into out. */
static void numbers_of(const char *keys, const char *key, double out[3]) {
    const char *at = strstr(keys, key);
    assert_non_null(at);
    at += strcspn(at, ":") + 1;
    if (*at == '[') at++;
    for (int i = 0; i < 3; i++) {
        char *end;
        out[i] = strtod(at, &end);
        if (*end != ',') break;
        at = end + 1;
    }
}

static mpno_objective objective_of(const char *keys) {
    mpno_objective o = {.n_terms = 1, .term = {{MPNO_LOSS_H1, false, 1}}};
    double absolute[3] = {0}, one_sided[3] = {0}, measure[3] = {0};
    if (strstr(keys, "\"l1\"")) o.term[0].kind = MPNO_LOSS_L1;
    if (strstr(keys, "\"l2\"")) o.term[0].kind = MPNO_LOSS_L2;
    numbers_of(keys, "\"absolute\"", absolute);
    numbers_of(keys, "\"one_sided\"", one_sided);
    numbers_of(keys, "\"measure\"", measure);
    o.term[0].absolute = absolute[0] > 0;
    for (int d = 0; d < 3; d++) {
        o.one_sided[d] = one_sided[d] > 0;
        o.measure[d] = measure[d];
    }
    return o;
}

/* Value i of a field (sample, channel, grid) as the index of one [sample][grid][channel]. */
static size_t turned(size_t i, size_t points, size_t channels) {
    const size_t row = i / points;
    return (row / channels * points + i % points) * channels + row % channels;
}

/* Values and gradients in f64, with boundaries and lengths of their own for each axis. */
static void gradients_agree_with_the_reference(void **state) {
    (void)state;
    static const mpno_grid grids[] = {{1, {13}, 13, 1}, {2, {6, 9}, 54, 1}, {3, {5, 4, 6}, 120, 1}};
    enum { SAMPLES = 2, CHANNELS = 2, MOST = SAMPLES * CHANNELS * 120 };
    static vectors v;
    char name[64], keys[512];
    int checked = 0;
    vectors_open("tests/data/losses_f64", &v);
    for (const char *at = NULL; vectors_next_case(&v, &at, name, keys); checked++) {
        static double x[MOST], y[MOST], g[MOST];
        const mpno_objective o = objective_of(keys);
        double ndim[3], sum = 0, out[2 * CHANNELS], size = 0;
        size_t n = 0;
        numbers_of(keys, "\"ndim\"", ndim);
        const mpno_grid *grid = &grids[(int)ndim[0] - 1];
        const size_t points = (size_t)grid->points;
        char x_name[8], y_name[8];
        snprintf(x_name, sizeof x_name, "p%d", grid->ndim);
        snprintf(y_name, sizeof y_name, "y%d", grid->ndim);
        const double *given_x = vectors_get_f64(&v, "input", x_name, &n),
                     *given_y = vectors_get_f64(&v, "input", y_name, &n),
                     *expected = vectors_get_f64(&v, "grad", name, &n);
        assert_int_equal(n, SAMPLES * CHANNELS * points);
        for (size_t i = 0; i < n; i++) {
            x[turned(i, points, CHANNELS)] = given_x[i];
            y[turned(i, points, CHANNELS)] = given_y[i];
            size = fmax(size, fabs(expected[i]));
        }
        for (size_t s = 0; s < SAMPLES; s++) {
            const size_t first = s * points * CHANNELS;
            const mpno_field_kernels *k = mpno_field_kernels_get(MPNO_F64);
            k->loss(&o, out, x + first, y + first, grid, CHANNELS);
            for (int c = 0; c < CHANNELS; c++) sum += out[2 * c];
            assert_int_equal(
                k->loss_grad(&o, g + first, x + first, y + first, out, 1.0, grid, CHANNELS), 0);
        }
        if (!(fabs(sum / vectors_scalar(&v, name) - 1) < 1e-13))
            fail_msg("%s: %.17g, the reference has %.17g", name, sum, vectors_scalar(&v, name));
        for (size_t i = 0; i < n; i++)
            if (!(fabs(g[turned(i, points, CHANNELS)] - expected[i]) < 1e-13 * size))
                fail_msg("%s: gradient %zu is %.17g, the reference has %.17g", name, i,
                         g[turned(i, points, CHANNELS)], expected[i]);
    }
    assert_int_equal(checked, 3 * 4 + 2 * (2 + 4 + 8));
    free(v.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agree_with_the_reference),
                                       cmocka_unit_test(terms_agree_with_the_reference),
                                       cmocka_unit_test(gradients_agree_with_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
