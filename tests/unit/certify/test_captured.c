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
                 {3, {2, 8, 12}, {2, 8, 7}}, /* several tasks of an axis */
                 {2, {41, 6}, {9, 4}}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int accurate = 0; accurate < 2; accurate++)
            one_transform(cases[i].ndim, cases[i].size, cases[i].keep, accurate);
}

/* ---- what is added for what a run cannot show ---- */

/* Cases in which everything is exact, so that nothing is captured but the bounds of what a rounding
 * might have been: those are formulas. */
static void check_formula(double captured, double known) {
    if (!(fabs(captured - known) <= 1e-11 * known))
        fail_msg("captured %.15g, its formula says %.15g", captured, known);
}

static const double U = 0x1p-53, TINY = 0x1p-1000;

/* x and w of few bits, or with a part 2^-30 below the leading one: sums of products in quarters of
 * 2^-30 are exact. `both`: of one product, whose last part 2^-60 no f64 has. */
static void added_to_linear_maps(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) { /* nothing below, in x, in w, in both */
        const int64_t rows = 130, n = kind == 3 ? 1 : 4, m = 3;
        double *x = draw(rows * n, 0, 0), *w = draw(m * n, 0, 0), *b = draw(m, 0, 0),
               *y = draw(rows * m, 0, 0), captured, all = 0;
        const double in_x = kind % 2 == 1 ? 0x1p-30 : 0, in_w = kind >= 2 ? 0x1p-30 : 0;
        for (int64_t i = 0; i < rows * n; i++) x[i] = 1 + (double)(i % 3) / 4 + in_x;
        for (int64_t i = 0; i < m * n; i++) w[i] = 1 + (double)(i % 2) / 2 + in_w;
        for (int64_t o = 0; o < m; o++) b[o] = kind == 0 ? 0x1p-60 * (double)(1 + o) : 0;
        for (int64_t first = 0; first < rows; first += 64) { /* of a task */
            const int64_t end = first + 64 < rows ? first + 64 : rows;
            double misses = 0, high = 0, low = 0, w_high = 0, w_low = 0;
            for (int64_t i = 0; i < m * n; i++)
                w_high += (w[i] - in_w) * (w[i] - in_w), w_low += in_w * in_w;
            for (int64_t r = first; r < end; r++)
                for (int64_t o = 0; o < m; o++) {
                    double lead = 0, rest = 0, last = 0;
                    for (int64_t i = 0; i < n; i++) {
                        const double p = x[r * n + i] - in_x, q = w[o * n + i] - in_w;
                        lead += p * q, rest += p * in_w + in_x * q, last += in_x * in_w;
                    }
                    y[r * m + o] = lead + rest;
                    /* the distance from y, and 4 u of all that was added to find it */
                    const double miss = last + b[o] + 4 * U * (rest + b[o] + rest + last);
                    misses += miss * miss;
                }
            for (int64_t i = first * n; i < end * n; i++)
                high += (x[i] - in_x) * (x[i] - in_x), low += in_x * in_x;
            const double off = 1.01 * (double)(2 * n + 4) * U *
                               (sqrt(low) * (sqrt(w_high) + sqrt(w_low)) + sqrt(high * w_low)),
                         norm = sqrt(misses) + off;
            all += norm * norm;
        }
        assert_int_equal(mpno_captured_linear(ctx, rows, n, m, x, w, b, y, &captured), MPNO_OK);
        check_formula(captured, (1 + 1e-9) * sqrt(all / (double)rows) + TINY);
        mpno_free(ctx, x), mpno_free(ctx, w), mpno_free(ctx, b), mpno_free(ctx, y);
    }
    /* what is lost as the bias is added, and the small part that makes up for it */
    const double two[2] = {1, 0x1p-58}, by[2] = {1.5, 1.25}, less = -1.25 * 0x1p-58, answer = 1.5;
    double found;
    assert_int_equal(mpno_captured_linear(ctx, 1, 2, 1, two, by, &less, &answer, &found), MPNO_OK);
    check_formula(found, (1 + 1e-9) * (8 * U * fabs(less) +
                                       1.01 * 8 * U * 0x1p-58 * sqrt(1.5 * 1.5 + 1.25 * 1.25)));
    /* small parts of both that never meet: norms are those of whole weights */
    const double x[2] = {1 + 0x1p-30, 1}, w[2] = {1, 1 + 0x1p-30}, y = 2 + 0x1p-29;
    assert_int_equal(mpno_captured_linear(ctx, 1, 2, 1, x, w, NULL, &y, &found), MPNO_OK);
    check_formula(
        found, (1 + 1e-9) * (8 * U * 0x1p-29 + 1.01 * 8 * U * 0x1p-30 * (2 * sqrt(2) + 0x1p-30)));
    double zero[4] = {0}, none;
    assert_int_equal(mpno_captured_linear(ctx, 2, 2, 2, zero, zero, NULL, zero, &none), MPNO_OK);
    assert_true(none == TINY);
}

/* Sums of n products of leading parts have 53 bits. */
static void parts_have_as_many_bits_as_sums_leave(void **state) {
    (void)state;
    assert_int_equal(mpno_captured_bits(1), 26);
    assert_int_equal(mpno_captured_bits(2), 26);
    assert_int_equal(mpno_captured_bits(3), 25);
    assert_int_equal(mpno_captured_bits(64), 23);
    assert_int_equal(mpno_captured_bits(65), 23);
    assert_int_equal(mpno_captured_bits(129), 22);
    for (int bits = 10; bits < 27; bits++) {
        double x[64], high[64], low[64], of_high = 0, of_low = 0;
        for (int i = 0; i < 64; i++) x[i] = 2 * mpno_rng_uniform(&rng) - 1;
        x[5] = 0.75;
        const mpno_split s = mpno_captured_split(x, 64, bits, high, low);
        for (int i = 0; i < 64; i++) { /* multiples of 2^-bits below 1, and what is left */
            assert_true(high[i] == nearbyint(ldexp(x[i], bits)) * ldexp(1, -bits));
            assert_true(high[i] + low[i] == x[i]);
            of_high += high[i] * high[i], of_low += low[i] * low[i];
        }
        check_formula(s.high, of_high);
        check_formula(s.low, of_low);
    }
}

static void added_to_gelu(void **state) {
    double x[30], y[30], sum = 0;
    (void)state;
    for (int i = 0; i < 30; i++) {
        x[i] = 2 * mpno_rng_normal(&rng), y[i] = 0.5 * x[i] * erfc(-x[i] * sqrt(0.5));
        const double off = x[i] > 0 ? 2.5 * x[i] : 11 * fabs(y[i]) + fabs(x[i]) / 2;
        sum += off * off * U * U;
    }
    check_formula(mpno_captured_gelu(10, 3, x, y), (1 + 1e-9) * sqrt(sum / 10) + TINY);
    x[0] = y[0] = 0;
    assert_true(mpno_captured_gelu(1, 1, x, y) == TINY);
}

/* Of one mode: complex numbers as above, an imaginary part of x or of W at a time. */
static void added_to_contractions(void **state) {
    enum { N = 2, M = 2, PLANE = N * M };
    static const double weights[2] = {1, 2};
    (void)state;
    for (int kind = 0; kind < 8; kind++) { /* 2^-25: just below the bits of sums of four */
        const double in_x = kind % 4 == 3   ? 0x1p-30
                            : kind % 2 == 1 ? 0x1p-25
                                            : 0,
                     in_w = kind / 2 % 2 == 1 ? 0x1p-30 : 0;
        const bool turned = kind >= 4; /* W is imaginary, else real */
        const int n = kind % 4 == 3 ? 1 : N;
        double x[2 * 2 * N] = {0}, w[2 * PLANE] = {0}, y[2 * 2 * M] = {0}, captured, sum = 0;
        for (int i = 0; i < n * M; i++)
            w[(turned ? n * M : 0) + i] = 1 + (double)(i % 2) / 2 + in_w;
        for (int mode = 0; mode < 2; mode++) {
            double high = 0, low = 0, misses = 0, w_high = 0, w_low = 0;
            for (int i = 0; i < n; i++) {
                x[mode * 2 * n + i] = 1 + (double)((i + mode) % 3) / 4 + in_x;
                const double lead = x[mode * 2 * n + i] - in_x;
                high += lead * lead, low += in_x * in_x;
            }
            for (int i = 0; i < n * M; i++) {
                const double lead = w[(turned ? n * M : 0) + i] - in_w;
                w_high += lead * lead, w_low += in_w * in_w;
            }
            for (int o = 0; o < M; o++) {
                double lead = 0, rest = 0, last = 0;
                for (int i = 0; i < n; i++) {
                    const double p = x[mode * 2 * n + i] - in_x,
                                 q = w[(turned ? n * M : 0) + i * M + o] - in_w;
                    lead += p * q, rest += p * in_w + in_x * q, last += in_x * in_w;
                }
                y[mode * 2 * M + (turned ? M : 0) + o] = lead + rest;
                const double miss = last + 4 * U * (2 * rest + last);
                misses += miss * miss;
            }
            const double off = 1.5 * (double)(4 * n + 4) * U *
                               (sqrt(low) * (sqrt(w_high) + sqrt(w_low)) + sqrt(high * w_low)),
                         norm = sqrt(misses) + off;
            sum += weights[mode] * norm * norm;
        }
        const mpno_captured_modes modes = {
            .modes = 2, .inputs = n, .outputs = M, .weights = weights, .x = x, .w = w, .y = y};
        assert_int_equal(mpno_captured_contract(ctx, &modes, &captured), MPNO_OK);
        check_formula(captured, (1 + 1e-9) * sqrt(sum) + TINY);
    }
    /* small parts that never meet, as above */
    const double x[4] = {1 + 0x1p-30, 1}, w[4] = {1, 1 + 0x1p-30}, y[2] = {2 + 0x1p-29};
    const mpno_captured_modes one = {.modes = 1, .inputs = 2, .outputs = 1, .x = x, .w = w, .y = y};
    double found;
    assert_int_equal(mpno_captured_contract(ctx, &one, &found), MPNO_OK);
    check_formula(
        found, (1 + 1e-9) * (8 * U * 0x1p-29 + 1.5 * 12 * U * 0x1p-30 * (2 * sqrt(2) + 0x1p-30)));
}

/* Largest Frobenius norm of leading parts and of rests of the matrices of an axis. */
static void norms_of_axis(int64_t n, int64_t keep, bool last, bool inverse, double *high,
                          double *low) {
    const double shift =
        ldexp(1.5, 53 - mpno_captured_bits(4 * (inverse ? last ? 2 * keep : keep : n)));
    double sums[2][2] = {{0}};
    for (int64_t k = 0; k < keep; k++)
        for (int64_t p = 0; p < n; p++) {
            const int64_t f = last ? k : k - keep / 2;
            long double root[2];
            mpno_root(((f * p) % n + n) % n, n, &root[0], &root[1]);
            for (int i = 0; i < 2; i++) {
                if (last && inverse && k > 0 && 2 * k != n) root[i] *= 2;
                const double lead = ((double)root[i] + shift) - shift;
                sums[last ? 0 : i][0] += lead * lead;
                sums[last ? 0 : i][1] += (double)((root[i] - lead) * (root[i] - lead));
            }
        }
    *high = sqrt(fmax(sums[0][0], sums[1][0])), *low = sqrt(fmax(sums[0][1], sums[1][1]));
}

/* A constant of n x n points, which becomes n^2 times itself at frequency 0 and nothing else,
 * exactly; and back. `below` lies under the leading part of the first axis (of 4 points, whose
 * roots are whole). */
static void added_to_transforms(void **state) {
    enum { MOST = 8 };
    (void)state;
    for (int kind = 0; kind < 16; kind++) {
        const int64_t n = kind % 2 == 0 ? 8 : 4, keep = n / 2 + 1, points = n * n;
        const bool inverse = kind / 2 % 2 == 1;
        const double below = kind / 4 % 2 == 1 && n == 4 ? 0x1p-26 : 0, size = 1 + below,
                     spoil = kind >= 8 ? 0x1p-20 : 0;
        double field[MOST * MOST], spectrum[MOST * 5 * 2] = {0}, captured, high, low, off = 0;
        const mpno_fft_problem p = {.kind = MPNO_FFT_REAL,
                                    .arithmetic = MPNO_F64,
                                    .ndim = 2,
                                    .size = {n, n},
                                    .keep = {n, keep}};
        for (int64_t i = 0; i < points; i++) field[i] = size;
        spectrum[(n / 2 * keep) * 2] = size; /* frequency 0 of the first axis is in the middle */
        if (inverse) field[3] += spoil;      /* what was computed is off by what is seen */
        if (!inverse) spectrum[(n / 2 * keep + 1) * 2] += spoil;
        for (int axis = 0; axis < 2; axis++) {
            const bool last = inverse ? axis == 1 : axis == 0;
            const int64_t modes = last ? 2 * keep : n, from = inverse ? modes : n,
                          to = inverse ? n : modes, tasks = last ? n : 1;
            /* forward: rows of ones, then one column of n; back: one number, then rows of one */
            const double lead = inverse     ? 1
                                : axis == 0 ? sqrt((double)n)
                                            : (double)n * sqrt((double)n),
                         rest = lead * below, norm = lead + rest;
            norms_of_axis(n, last ? keep : n, last, inverse, &high, &low);
            const double own = (2 * (double)from + 8) * U * (high * rest + low * norm) * 1.01 +
                               4 * (double)LDBL_EPSILON * sqrt((double)(from * to)) * norm * 2;
            off = sqrt(2.0 * (double)(from > to ? from : to)) * off +
                  sqrt((last ? 1 : 4) * (double)tasks) * own;
        }
        assert_int_equal(mpno_captured_transform(ctx, &p, inverse, 1, field, spectrum, &captured),
                         MPNO_OK);
        const double scale = inverse ? 1 / (double)n : 1 / (double)points,
                     seen = spoil * (1 + 2 * U) *
                            (inverse ? 1 : sqrt(2) * (double)points); /* stands for two */
        check_formula(captured, (1 + 1e-9) * scale * (seen + 1.5 * off));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_have_as_many_bits_as_sums_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_to_linear_maps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_to_gelu, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_to_contractions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(added_to_transforms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(linear_maps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contractions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(transforms, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
