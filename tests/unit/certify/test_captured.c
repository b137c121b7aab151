/* SPDX-License-Identifier: MIT
 * Captured errors of products and transforms against sums in long double: never less than what the
 * computed result is off by, and hardly more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/captured.h"
#include "certify/captured_transform.h"
#include "core/memory.h"
#include "core/rng.h"
#include "transform/fft/roots.h"

static mpno_ctx *ctx;
static mpno_rng rng;

static int set_up(void **state) {
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    (void)state;
    opts.isa = getenv("MPNO_ISA");
    opts.n_threads = 2;
    rng = mpno_rng_make(17, MPNO_STREAM_TEST, 3);
    return mpno_ctx_create(&opts, &ctx) != MPNO_OK;
}

static int tear_down(void **state) {
    (void)state;
    const size_t left = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return left != 0;
}

static double *draw(int64_t n, double size, double offset) {
    double *x;
    assert_int_equal(mpno_alloc_array(ctx, (size_t)n, sizeof *x, &x), MPNO_OK);
    for (int64_t i = 0; i < n; i++) x[i] = offset + size * mpno_rng_normal(&rng);
    return x;
}

/* What is captured of a true error, where sums in long double are off by `floor` themselves;
 * `more`: what it may add for its own small parts. */
static void check(double captured, double truth, double floor, double more) {
    if (!(captured >= truth - floor) || !(captured <= 1.01 * truth + floor + more))
        fail_msg("captured %.4g of %.4g (sums off by %.2g)", captured, truth, floor);
}

/* ---- linear maps ---- */

static void one_linear(int64_t rows, int64_t n, int64_t m, double offset, bool bias, double spoil) {
    double *x = draw(rows * n, 1, offset), *w = draw(m * n, 1.0 / 8, 0), *b = draw(m, 1, 3),
           *y = draw(rows * m, 0, 0), captured, size = 0;
    long double sum = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < m; o++) {
            long double exact = bias ? b[o] : 0;
            double computed = bias ? b[o] : 0;
            for (int64_t i = 0; i < n; i++) {
                exact += (long double)x[r * n + i] * w[o * n + i];
                computed += x[r * n + i] * w[o * n + i];
                size += x[r * n + i] * w[o * n + i] * x[r * n + i] * w[o * n + i];
            }
            y[r * m + o] = computed + (r == rows / 2 && o == 0 ? spoil : 0);
            sum += (y[r * m + o] - exact) * (y[r * m + o] - exact);
        }
    assert_int_equal(mpno_captured_linear(ctx, rows, n, m, x, w, bias ? b : NULL, y, &captured),
                     MPNO_OK);
    /* what long double cannot see, and the 4 u of the small parts */
    const double floor = (double)(n + 4) * ((double)LDBL_EPSILON + 0x1p-70) *
                         sqrt((size + (bias ? 9.0 * (double)(rows * m) : 0)) / (double)rows);
    check(captured, (double)sqrtl(sum / rows), floor, 0);
    mpno_free(ctx, x), mpno_free(ctx, w), mpno_free(ctx, b), mpno_free(ctx, y);
}

static void linear_maps(void **state) {
    static const int64_t sizes[][3] = {{1, 1, 1},   {3, 2, 5},     {64, 64, 64},
                                       {65, 7, 33}, {200, 256, 3}, {130, 1, 16}};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int k = 0; k < 6; k++)
            one_linear(sizes[s][0], sizes[s][1], sizes[s][2], k % 2 ? 1e3 : 0, k % 3 == 0,
                       k < 4 ? 0 : 1e-9);
}

/* ---- contractions ---- */

static void contractions(void **state) {
    enum { MODES = 5, N = 24, M = 17, BLOCKS = 7, PLANE = N * M };
    static const int32_t blocks[MODES] = {6, 0, 2, 2, 5};
    static const double weights[MODES] = {1, 2, 2, 1, 2};
    double *x = draw(MODES * 2 * N, 1, 0), *w = draw(BLOCKS * 2 * PLANE, 1, 0),
           *y = draw(MODES * 2 * M, 0, 0), captured;
    (void)state;
    for (int k = 0; k < 4; k++) { /* with and without tables, rounded and spoiled */
        const int32_t *rows = k % 2 ? blocks : NULL;
        const double *weigh = k % 2 ? weights : NULL;
        long double sum = 0;
        double size = 0;
        for (int mode = 0; mode < MODES; mode++)
            for (int o = 0; o < M; o++) {
                const double *a = x + mode * 2 * N, *re = w + (rows ? rows[mode] : 0) * 2 * PLANE,
                             *im = re + PLANE;
                long double exact[2] = {0};
                for (int i = 0; i < N; i++) {
                    const long double p = a[i], q = a[N + i], c = re[i * M + o], d = im[i * M + o];
                    exact[0] += p * c - q * d;
                    exact[1] += p * d + q * c;
                    size += (double)((p * p + q * q) * (c * c + d * d));
                }
                for (int part = 0; part < 2; part++) {
                    double *to = &y[mode * 2 * M + part * M + o];
                    *to = (double)exact[part] * (1 + (k < 2 ? 0 : 1e-12));
                    const long double off = *to - exact[part];
                    sum += (weigh ? weigh[mode] : 1) * off * off;
                }
            }
        const mpno_captured_modes modes = {.modes = MODES,
                                           .inputs = N,
                                           .outputs = M,
                                           .blocks = rows,
                                           .weights = weigh,
                                           .x = x,
                                           .w = w,
                                           .y = y};
        assert_int_equal(mpno_captured_contract(ctx, &modes, &captured), MPNO_OK);
        check(captured, (double)sqrtl(sum),
              2 * (2 * N + 4) * ((double)LDBL_EPSILON + 0x1p-70) * sqrt(2 * size), 0);
    }
    mpno_free(ctx, x), mpno_free(ctx, w), mpno_free(ctx, y);
}

/* ---- transforms ---- */

typedef struct rig {
    mpno_fft_problem problem;
    int64_t points, modes, channels;
    mpno_fft *fft;
    double *field, *spectrum, *scratch;
} rig;

/* Frequency of kept mode m along axis d, and place of point p. */
static int64_t along(const rig *r, int64_t at, int axis, bool mode) {
    const mpno_fft_problem *p = &r->problem;
    for (int d = p->ndim - 1; d > axis; d--) at /= mode ? p->keep[d] : p->size[d];
    const int64_t k = at % (mode ? p->keep[axis] : p->size[axis]);
    return mode && axis + 1 < p->ndim ? k - p->keep[axis] / 2 : k;
}

static void root_of(const rig *r, int64_t mode, int64_t point, long double *c, long double *s) {
    long double re = 1, im = 0;
    for (int d = 0; d < r->problem.ndim; d++) {
        const int64_t n = r->problem.size[d], k = along(r, mode, d, true),
                      x = along(r, point, d, false);
        long double a, b;
        mpno_root(((k * x) % n + n) % n, n, &a, &b);
        const long double t = re * a - im * b;
        im = re * b + im * a, re = t;
    }
    *c = re, *s = im;
}

static double weight_of(const rig *r, int64_t mode) {
    const int64_t k = along(r, mode, r->problem.ndim - 1, true);
    return k > 0 && 2 * k != r->problem.size[r->problem.ndim - 1] ? 2 : 1;
}

/* The distance of what was computed from sums in long double, in the norm of the result. */
static double true_error(const rig *r, bool inverse) {
    long double sum = 0;
    const int64_t c = r->channels;
    for (int64_t to = 0; to < (inverse ? r->points : r->modes); to++)
        for (int64_t j = 0; j < c; j++) {
            long double re = 0, im = 0, a, b;
            for (int64_t from = 0; from < (inverse ? r->modes : r->points); from++) {
                root_of(r, inverse ? from : to, inverse ? to : from, &a, &b);
                if (inverse) {
                    const double *z = r->spectrum + from * 2 * c + j;
                    re += weight_of(r, from) * (z[0] * a - z[c] * b);
                } else {
                    re += r->field[from * c + j] * a / r->points;
                    im -= r->field[from * c + j] * b / r->points;
                }
            }
            if (inverse) {
                const long double off = r->field[to * c + j] - re;
                sum += off * off / r->points;
            } else {
                const long double x = r->spectrum[to * 2 * c + j] - re,
                                  y = r->spectrum[to * 2 * c + c + j] - im;
                sum += weight_of(r, to) * (x * x + y * y);
            }
        }
    return (double)sqrtl(sum);
}

static void check_transform(rig *r, bool inverse, double size) {
    double captured;
    assert_int_equal(mpno_captured_transform(ctx, &r->problem, inverse, r->channels, r->field,
                                             r->spectrum, &captured),
                     MPNO_OK);
    check(captured, true_error(r, inverse), (double)(r->points + 50) * (double)LDBL_EPSILON * size,
          0x1p-54 * size);
}

static void one_transform(int ndim, const int64_t *size, const int64_t *keep, bool accurate) {
    rig r = {.problem = {.kind = MPNO_FFT_REAL,
                         .arithmetic = MPNO_F64,
                         .ndim = ndim,
                         .accurate = accurate},
             .points = 1,
             .modes = 1,
             .channels = 3};
    for (int d = 0; d < ndim; d++) {
        r.points *= r.problem.size[d] = size[d];
        r.modes *= r.problem.keep[d] = keep[d];
    }
    assert_int_equal(mpno_fft_create(ctx, &r.problem, &r.fft), MPNO_OK);
    r.field = draw(r.points * r.channels, 1, 0.7);
    r.spectrum = draw(r.modes * 2 * r.channels, 0, 0);
    assert_int_equal(mpno_alloc_raw(ctx, mpno_fft_scratch_bytes(r.fft, r.channels, 1), &r.scratch),
                     MPNO_OK);
    mpno_fft_call call = {.batch = 1,
                          .channels = r.channels,
                          .scale = 1 / (double)r.points,
                          .field_format = MPNO_F64,
                          .spectrum_format = MPNO_F64,
                          .n_threads = 1,
                          .scratch = r.scratch};
    assert_int_equal(mpno_fft_forward(r.fft, &call, r.field, r.spectrum), 0);
    check_transform(&r, false, 2);
    r.spectrum[1] += 1e-9;
    check_transform(&r, false, 2);
    call.scale = 1, call.weighting = MPNO_FFT_HERMITIAN;
    for (int64_t i = 0; i < r.modes * 2 * r.channels; i++) r.spectrum[i] = mpno_rng_normal(&rng);
    assert_int_equal(mpno_fft_inverse(r.fft, &call, r.spectrum, r.field), 0);
    check_transform(&r, true, 4 * sqrt((double)r.modes));
    r.field[2] -= 1e-9;
    check_transform(&r, true, 4 * sqrt((double)r.modes));
    mpno_fft_destroy(ctx, &r.fft);
    mpno_free(ctx, r.field), mpno_free(ctx, r.spectrum), mpno_free(ctx, r.scratch);
}

static void transforms(void **state) {
    static const struct {
        int ndim;
        int64_t size[3], keep[3];
    } cases[] = {{1, {1}, {1}},
                 {1, {2}, {2}},
                 {1, {16}, {9}},
                 {1, {37}, {19}},
                 {1, {64}, {5}},
                 {2, {8, 8}, {8, 5}},
                 {2, {12, 10}, {7, 4}},
                 {2, {9, 7}, {4, 4}},
                 {2, {1, 6}, {1, 2}},
                 {3, {4, 3, 6}, {3, 2, 4}},
                 {3, {2, 5, 4}, {2, 5, 3}},
                 {2, {41, 6}, {9, 4}}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int accurate = 0; accurate < 2; accurate++)
            one_transform(cases[i].ndim, cases[i].size, cases[i].keep, accurate);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(linear_maps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contractions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(transforms, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
