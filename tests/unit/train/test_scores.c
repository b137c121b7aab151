/* SPDX-License-Identifier: MIT
 * Errors of fields in closed form: one wave as error lies in one shell and one band, a constant is
 * all of cRMSE, a spike is max, an edge is bRMSE; sums over pieces, channels, steps and threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "train/scores.h"

#define PI 3.14159265358979323846
#define ALL MPNO_SCORES_ALL

static mpno_ctx *ctx;

static int set_up(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    return 0;
}

static const mpno_objective norms = MPNO_OBJECTIVE_INIT;

static void open_scores(const mpno_scores_shape *shape, mpno_scores *out) {
    if (mpno_scores_create(ctx, shape, &norms, out) != MPNO_OK) fail_msg("%s", mpno_ctx_error(ctx));
}

static double get(const mpno_scores *s, mpno_metric metric) {
    return mpno_scores_value(s, ALL, ALL, metric);
}

static void assert_near(double value, double expected) {
    if (!(fabs(value - expected) <= 1e-13 * (1 + fabs(expected))))
        fail_msg("%.17g is not %.17g", value, expected);
}

enum { N = 32 };

/* y = 2 cos(2 pi i), p = y + a cos(2 pi k j): relative L2 is a / 2, and in fRMSE a wave of both
 * signs leaves its half with k >= 0, a / 2, alone in its shell. */
static void a_wave_lies_in_its_band(void **state) {
    (void)state;
    static const struct {
        int k;
        double low, middle, high; /* shells of each band, 0: none of the wave */
    } cases[] = {{3, 4, 0, 0}, {4, 0, 8, 0}, {11, 0, 8, 0}, {12, 0, 0, 4}, {15, 0, 0, 4}};
    static double p[N * N], y[N * N];
    const mpno_scores_shape shape = {MPNO_F64, 2, 1, {N, N}, 1, 1};
    const double a = 0.3;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        mpno_scores s;
        const int k = cases[n].k;
        for (int i = 0; i < N * N; i++) {
            y[i] = 2 * cos(2 * PI * (i / N) / N);
            p[i] = y[i] + a * cos(2 * PI * k * (i % N) / N);
        }
        open_scores(&shape, &s);
        assert_int_equal(mpno_scores_add(&s, 0, 1, p, y), MPNO_OK);
        assert_near(get(&s, MPNO_METRIC_RMSE), a / sqrt(2));
        assert_near(get(&s, MPNO_METRIC_NRMSE), a / 2);
        assert_near(get(&s, MPNO_METRIC_MSE), a * a / 2);
        assert_near(get(&s, MPNO_METRIC_CRMSE), 0);
        assert_near(get(&s, MPNO_METRIC_MAX), a);
        assert_true(fabs(get(&s, MPNO_METRIC_L2) - a / 2) < 1e-8);
        assert_true(fabs(get(&s, MPNO_METRIC_LINF) - a / 2) < 1e-8);
        const double ratio = sqrt((1 + pow(2 * PI * k, 2)) / (1 + pow(2 * PI, 2)));
        assert_true(fabs(get(&s, MPNO_METRIC_H1_SPECTRAL) / (a / 2 * ratio) - 1) < 1e-8);
        const double bands[] = {cases[n].low, cases[n].middle, cases[n].high};
        for (int b = 0; b < 3; b++)
            assert_near(get(&s, (mpno_metric)(MPNO_METRIC_FRMSE_LOW + b)),
                        bands[b] > 0 ? a / 2 / bands[b] : 0);
        for (size_t shell = 0; shell < s.spectrum.n_shells; shell++) {
            assert_near(mpno_scores_power(&s, MPNO_SCORE_ERROR, ALL, ALL, shell),
                        shell == (size_t)k ? a * a / 2 : 0);
            assert_near(mpno_scores_power(&s, MPNO_SCORE_TRUTH, ALL, ALL, shell),
                        shell == 1 ? 2 : 0);
        }
        mpno_scores_destroy(&s);
    }
}

/* On a line every kept wave has its shell, Nyquist's too; a grid without waves from 12 on has no
 * high band. */
static void lines_and_coarse_grids(void **state) {
    (void)state;
    double p[24], y[24];
    for (int i = 0; i < 24; i++) {
        y[i] = 1;
        p[i] = 1 + (i % 2 ? -0.5 : 0.5);
    }
    mpno_scores_shape shape = {MPNO_F64, 1, 1, {24}, 1, 1};
    mpno_scores s;
    open_scores(&shape, &s);
    assert_int_equal(mpno_scores_add(&s, 0, 1, p, y), MPNO_OK);
    assert_near(get(&s, MPNO_METRIC_FRMSE_HIGH), 0.5);
    assert_near(get(&s, MPNO_METRIC_FRMSE_MIDDLE), 0);
    assert_near(get(&s, MPNO_METRIC_H1_SPECTRAL), 0.5 * sqrt(1 + pow(2 * PI * 12, 2)) / (1 + 1e-8));
    mpno_scores_destroy(&s);
    shape.grid[0] = 22;
    open_scores(&shape, &s);
    assert_int_equal(mpno_scores_add(&s, 0, 1, p, y), MPNO_OK);
    assert_true(isnan(get(&s, MPNO_METRIC_FRMSE_HIGH)));
    assert_near(get(&s, MPNO_METRIC_FRMSE_MIDDLE), 0.5 / 8);
    mpno_scores_destroy(&s);
}

/* A constant error is that of the mean. One spike is the largest error; at a corner of a 4 x 6 x 5
 * grid it lies on three faces of 2 (30 + 20 + 24) points, inside on none. */
static void means_spikes_and_edges(void **state) {
    (void)state;
    const mpno_scores_shape shape = {MPNO_F32, 3, 1, {4, 6, 5}, 1, 1};
    static float p[120], y[120];
    mpno_scores s;
    for (int i = 0; i < 120; i++) p[i] = 3, y[i] = 2.5f;
    open_scores(&shape, &s);
    assert_int_equal(mpno_scores_add(&s, 0, 1, p, y), MPNO_OK);
    assert_near(get(&s, MPNO_METRIC_CRMSE), 0.5);
    assert_near(get(&s, MPNO_METRIC_BRMSE), 0.5);
    assert_near(get(&s, MPNO_METRIC_RMSE), 0.5);
    mpno_scores_destroy(&s);
    for (int inside = 0; inside < 2; inside++) {
        const int at = inside ? 1 * 30 + 2 * 5 + 3 : 119;
        for (int i = 0; i < 120; i++) p[i] = y[i];
        p[at] += 2;
        open_scores(&shape, &s);
        assert_int_equal(mpno_scores_add(&s, 0, 1, p, y), MPNO_OK);
        assert_near(get(&s, MPNO_METRIC_MAX), 2);
        assert_near(get(&s, MPNO_METRIC_BRMSE), inside ? 0 : sqrt(3 * 4.0 / 148));
        assert_near(get(&s, MPNO_METRIC_CRMSE), 2.0 / 120);
        mpno_scores_destroy(&s);
    }
}

/* Complex numbers count by their modulus: e = 0.6 + 0.8 i everywhere. */
static void complex_fields(void **state) {
    (void)state;
    const mpno_scores_shape shape = {MPNO_F64, 1, 2, {8}, 1, 1};
    double p[16], y[16];
    mpno_scores s;
    for (int i = 0; i < 8; i++) {
        y[2 * i] = 3 * cos(2 * PI * i / 8), y[2 * i + 1] = -3 * sin(2 * PI * i / 8); /* k = -1 */
        p[2 * i] = y[2 * i] + 0.6, p[2 * i + 1] = y[2 * i + 1] + 0.8;
    }
    open_scores(&shape, &s);
    assert_int_equal(mpno_scores_add(&s, 0, 1, p, y), MPNO_OK);
    assert_near(get(&s, MPNO_METRIC_RMSE), 1);
    assert_near(get(&s, MPNO_METRIC_CRMSE), 1);
    assert_near(get(&s, MPNO_METRIC_NRMSE), 1.0 / 3);
    assert_near(get(&s, MPNO_METRIC_FRMSE_LOW), 1.0 / 4);
    assert_true(fabs(get(&s, MPNO_METRIC_L1) - 1.0 / 3) < 1e-8);
    assert_near(mpno_scores_power(&s, MPNO_SCORE_TRUTH, ALL, ALL, 1), 9);
    mpno_scores_destroy(&s);
}

/* Two steps of three samples with two channels: in one piece or several, on one thread or two. */
static void pieces_channels_steps(void **state) {
    (void)state;
    enum { POINTS = 30, CHANNELS = 2, SAMPLES = 3, VALUES = POINTS * CHANNELS };
    const mpno_scores_shape shape = {MPNO_F64, 2, 1, {6, 5}, CHANNELS, 2};
    static double p[SAMPLES * VALUES], y[SAMPLES * VALUES];
    for (int i = 0; i < SAMPLES * VALUES; i++) {
        y[i] = sin(0.7 * i) + 1.5;
        p[i] = y[i] + (i % CHANNELS ? 0.1 : 1) * cos(0.3 * i * i);
    }
    mpno_scores s, other;
    const int n_threads = ctx->n_threads;
    open_scores(&shape, &s);
    for (int64_t t = 0; t < 2; t++)
        assert_int_equal(mpno_scores_add(&s, t, SAMPLES - t, p, y), MPNO_OK);
    ctx->n_threads = n_threads == 1 ? 2 : 1;
    open_scores(&shape, &other);
    for (int64_t t = 0; t < 2; t++)
        for (int i = 0; i < SAMPLES - t; i++)
            assert_int_equal(mpno_scores_add(&other, t, 1, p + i * VALUES, y + i * VALUES),
                             MPNO_OK);
    ctx->n_threads = n_threads;
    for (int m = 0; m < MPNO_N_METRICS; m++) {
        const mpno_metric metric = (mpno_metric)m;
        double sum = 0;
        for (int64_t t = 0; t < 2; t++)
            for (int64_t c = 0; c < CHANNELS; c++) {
                const double v = mpno_scores_value(&s, t, c, metric),
                             w = mpno_scores_value(&other, t, c, metric);
                assert_memory_equal(&v, &w, sizeof v);
                sum += v;
            }
        if (metric == MPNO_METRIC_FRMSE_MIDDLE || metric == MPNO_METRIC_FRMSE_HIGH)
            assert_true(isnan(sum)); /* two shells only */
        else
            assert_near(get(&s, metric), sum / 4);
    }
    /* the root of the mean of squares over the samples of the second step */
    double square = 0;
    for (int i = 0; i < 2; i++) {
        double mean = 0;
        for (int k = 0; k < POINTS; k++)
            mean += (p[i * VALUES + 2 * k] - y[i * VALUES + 2 * k]) / POINTS;
        square += mean * mean / 2;
    }
    assert_near(mpno_scores_value(&s, 1, 0, MPNO_METRIC_CRMSE), sqrt(square));
    mpno_scores_destroy(&s);
    mpno_scores_destroy(&other);
}

static void what_is_not_finite_shows(void **state) {
    (void)state;
    const mpno_scores_shape shape = {MPNO_F64, 1, 1, {8}, 1, 1};
    double p[8] = {0, 1, 2, NAN, 9, 1, 2, 3}, y[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    mpno_scores s;
    open_scores(&shape, &s);
    assert_int_equal(mpno_scores_add(&s, 0, 1, p, y), MPNO_OK);
    p[3] = 0;
    assert_int_equal(mpno_scores_add(&s, 0, 1, p, y), MPNO_OK);
    for (int m = 0; m < MPNO_N_METRICS; m++)
        if (m != MPNO_METRIC_BRMSE) assert_true(isnan(get(&s, (mpno_metric)m)));
    mpno_scores_destroy(&s);
}

static void bad_shapes_and_memory(void **state) {
    (void)state;
    mpno_scores_shape shape = {MPNO_F16, 2, 1, {8, 3}, 1, 1};
    mpno_objective one_sided = norms;
    mpno_scores s;
    one_sided.one_sided[1] = true;
    assert_int_equal(mpno_scores_create(ctx, &shape, &norms, &s), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "f16"));
    shape.format = MPNO_F32;
    assert_int_equal(mpno_scores_create(ctx, &shape, &one_sided, &s), MPNO_E_SHAPE);
    assert_non_null(strstr(mpno_ctx_error(ctx), "axis 1"));
    mpno_status status;
    int64_t n = 0;
    do {
        mpno_alloc_fail_after(ctx, n++);
        status = mpno_scores_create(ctx, &shape, &norms, &s);
        mpno_alloc_fail_after(ctx, -1);
        if (status == MPNO_OK)
            mpno_scores_destroy(&s);
        else
            assert_int_equal(status, MPNO_E_MEMORY);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
    } while (status != MPNO_OK);
    assert_true(n > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wave_lies_in_its_band), cmocka_unit_test(lines_and_coarse_grids),
        cmocka_unit_test(means_spikes_and_edges),  cmocka_unit_test(complex_fields),
        cmocka_unit_test(pieces_channels_steps),   cmocka_unit_test(what_is_not_finite_shows),
        cmocka_unit_test(bad_shapes_and_memory)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
