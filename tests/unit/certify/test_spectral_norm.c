/* SPDX-License-Identifier: MIT
 * Bounds of spectral norms against norms that are known exactly: orthogonal and unitary matrices of
 * entries +-1 and +-i around a diagonal, and products of vectors of whole numbers; and against a
 * singular value decomposition in long double by one-sided Jacobi rotations. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certify/spectral_norm.h"
#include "core/memory.h"
#include "core/rng.h"
#include "unit/model/support.h"

enum { MOST = 64 * 64 };
static double re[MOST], im[MOST];

static mpno_rng rng_of(uint32_t which) {
    return mpno_rng_make(5, MPNO_STREAM_TEST, which);
}

static double norm_of(mpno_ctx *ctx, int64_t rows, int64_t cols, bool is_complex, int steps) {
    double bound;
    if (mpno_spectral_norm(ctx, rows, cols, re, is_complex ? im : NULL, steps, &bound) != MPNO_OK)
        fail_msg("%s", mpno_ctx_error(ctx));
    return bound;
}

/* Of re and im, by rotations of columns until they are orthogonal: the greatest column then. */
static long double true_norm(int64_t rows, int64_t cols, bool is_complex) {
    static long double a[2][MOST];
    for (int64_t i = 0; i < rows * cols; i++) a[0][i] = re[i], a[1][i] = is_complex ? im[i] : 0;
    bool turned = true;
    for (int sweep = 0; turned && sweep < 60; sweep++) {
        turned = false;
        for (int64_t p = 0; p < cols; p++)
            for (int64_t q = p + 1; q < cols; q++) {
                long double pp = 0, qq = 0, x = 0, y = 0; /* x + iy = p^H q */
                for (int64_t i = 0; i < rows; i++) {
                    const long double *c[2] = {a[0] + i * cols, a[1] + i * cols};
                    pp += c[0][p] * c[0][p] + c[1][p] * c[1][p];
                    qq += c[0][q] * c[0][q] + c[1][q] * c[1][q];
                    x += c[0][p] * c[0][q] + c[1][p] * c[1][q];
                    y += c[0][p] * c[1][q] - c[1][p] * c[0][q];
                }
                const long double size = hypotl(x, y);
                if (size <= 1e-19L * sqrtl(pp * qq) || size == 0) continue;
                turned = true;
                const long double t = (qq - pp) / (2 * size);
                const long double w = (t >= 0 ? 1 : -1) / (fabsl(t) + sqrtl(1 + t * t));
                const long double c = 1 / sqrtl(1 + w * w), s = w * c;
                for (int64_t i = 0; i < rows; i++) { /* q turned by its phase, then both */
                    long double *r = a[0] + i * cols, *m = a[1] + i * cols;
                    const long double pr = r[p], pi = m[p];
                    const long double qr = (r[q] * x + m[q] * y) / size;
                    const long double qi = (m[q] * x - r[q] * y) / size;
                    r[p] = c * pr - s * qr, m[p] = c * pi - s * qi;
                    r[q] = s * pr + c * qr, m[q] = s * pi + c * qi;
                }
            }
    }
    long double most = 0;
    for (int64_t k = 0; k < cols; k++) {
        long double sum = 0;
        for (int64_t i = 0; i < rows; i++)
            sum +=
                a[0][i * cols + k] * a[0][i * cols + k] + a[1][i * cols + k] * a[1][i * cols + k];
        if (sum > most) most = sum;
    }
    return sqrtl(most);
}

/* The Hadamard matrix of 4^k and the transform of 4 points, four times over: H H^T = n. */
static void unit_of(int64_t n, int64_t i, int64_t k, bool is_complex, double *x, double *y) {
    int quarter = 0;
    for (; n > 1; n /= 4, i /= 4, k /= 4) {
        const int a = (int)(i % 4), b = (int)(k % 4);
        quarter += is_complex ? a * b : 2 * ((a & b & 1) + (a >> 1 & b >> 1));
    }
    static const int cosine[4] = {1, 0, -1, 0};
    *x = cosine[quarter % 4];
    *y = cosine[(quarter + 3) % 4];
}

/* U diag(d) V^H / n with whole d: all entries are exact, the norm is the greatest |d|. */
static void known_matrix(int64_t n, const double *d, bool is_complex) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++) {
            double x = 0, y = 0;
            for (int64_t j = 0; j < n; j++) {
                double ar, ai, br, bi;
                unit_of(n, i, j, is_complex, &ar, &ai);
                unit_of(n, (k * 5 + 3) % n, j, is_complex, &br, &bi);
                x += d[j] * (ar * br + ai * bi);
                y += d[j] * (ai * br - ar * bi);
            }
            re[i * n + k] = x / (double)n, im[i * n + k] = y / (double)n;
        }
}

static void orthogonal_times_diagonal_has_its_greatest_number(void **state) {
    mpno_ctx *ctx = *state;
    mpno_rng rng = rng_of(1);
    for (int trial = 0; trial < 60; trial++) {
        const int64_t n = trial % 3 == 0 ? 4 : trial % 3 == 1 ? 16 : 64;
        const bool is_complex = trial / 3 % 2 == 1;
        const int kind = trial / 6 % 5; /* all equal, one, two nearly equal, geometric, any */
        double d[64], most = 0;
        for (int64_t i = 0; i < n; i++) {
            const double any = 1 + (double)mpno_rng_below(&rng, 1000);
            d[i] = kind == 0   ? 777
                   : kind == 1 ? (i == 0 ? 1001 : 0)
                   : kind == 2 ? (i < 2 ? 1000 - (double)i : 1)
                   : kind == 3 ? ldexp(1, (int)(20 - i % 20))
                               : any;
            if (d[i] > most) most = d[i];
        }
        known_matrix(n, d, is_complex);
        for (int steps = 0; steps <= 9; steps += 3) {
            const double bound = norm_of(ctx, n, n, is_complex, steps);
            assert_true(bound >= most);
            assert_true(bound <= most * pow((double)n, ldexp(1, -steps - 2)) * (1 + 1e-12));
        }
    }
}

/* |a b^T| = |a| |b|: nothing but the bounds of rounding lies between. The numbers have 26 bits, so
 * that the matrix is exact and its products are not. */
static void rank_one_of_whole_numbers_is_bounded_to_rounding(void **state) {
    mpno_ctx *ctx = *state;
    mpno_rng rng = rng_of(2);
    static const int64_t sides[6][2] = {{1, 1}, {1, 9}, {9, 1}, {5, 3}, {32, 32}, {7, 40}};
    double least = INFINITY;
    for (int trial = 0; trial < 1200; trial++) {
        const int64_t rows = sides[trial % 6][0], cols = sides[trial % 6][1];
        long double aa = 0, bb = 0;
        double a[64], b[64];
        for (int64_t i = 0; i < rows; i++)
            a[i] = (double)mpno_rng_below(&rng, 1 << 27) - (1 << 26), aa += a[i] * a[i];
        for (int64_t k = 0; k < cols; k++)
            b[k] = (double)mpno_rng_below(&rng, 1 << 27) - (1 << 26), bb += b[k] * b[k];
        for (int64_t i = 0; i < rows * cols; i++) re[i] = a[i / cols] * b[i % cols];
        for (int64_t i = 0; i < rows * cols; i++) im[i] = trial % 4 == 0 ? re[i] : 0;
        const double bound = norm_of(ctx, rows, cols, trial % 2 == 0, MPNO_NORM_STEPS);
        const long double square = aa * bb * (trial % 4 == 0 ? 2 : 1);
        const long double over = (long double)bound * bound - square;
        assert_true(over >= -1e-18L * square); /* the truth has 64 bits */
        assert_true(over <= 1e-12L * square);
        if (square > 0 && (double)(over / square) < least) least = (double)(over / square);
    }
    assert_true(least < 5e-15); /* near enough to see a term that is missing */
}

/* Equal numbers: a sum of them is rounded the same way for as long as it keeps its exponent, so
 * that errors add up to a good part of their bounds. The norm of 4096 numbers c is 64 c, of n x n
 * ones n c. */
static void sums_that_lose_at_every_term_are_bounded(void **state) {
    mpno_ctx *ctx = *state;
    mpno_rng rng = rng_of(6);
    for (int trial = 0; trial < 400; trial++) {
        const double c = 0.5 + mpno_rng_uniform(&rng) / 2;
        const int64_t rows = trial % 2 == 0 ? 4096 : 64, cols = 4096 / rows;
        for (int64_t i = 0; i < 4096; i++) re[i] = c, im[i] = c;
        const double bound = norm_of(ctx, rows, cols, false, 7);
        assert_true(bound >= 64 * c && bound <= 64 * c * (1 + 1e-11));
        if (trial % 8 >= 2) continue;
        const long double root = sqrtl(2), both = norm_of(ctx, rows, cols, true, 7);
        assert_true(both >= 64 * c * root && both <= 64 * c * root * (1 + 1e-11L));
    }
}

static void draw(mpno_rng *rng, int64_t n, int kind) {
    for (int64_t i = 0; i < n; i++) {
        re[i] = mpno_rng_normal(rng), im[i] = mpno_rng_normal(rng);
        if (kind == 1) re[i] = exp(8 * re[i]), im[i] = exp(8 * im[i]);
        if (kind == 2 && i % 3 != 0) re[i] = im[i] = 0;
        if (kind == 3) re[i] = fabs(re[i]) + 1, im[i] = 1e-9 * im[i];
    }
}

static void random_matrices_are_bounded_closely(void **state) {
    mpno_ctx *ctx = *state;
    mpno_rng rng = rng_of(3);
    for (int trial = 0; trial < 96; trial++) {
        const int64_t rows = 1 + (int64_t)mpno_rng_below(&rng, 32);
        const int64_t cols = trial % 4 == 0 ? rows : 1 + (int64_t)mpno_rng_below(&rng, 32);
        const bool is_complex = trial % 2 == 0;
        draw(&rng, rows * cols, trial / 2 % 4);
        const long double known = true_norm(rows, cols, is_complex);
        for (int steps = 0; steps <= 12; steps += 6) {
            const double bound = norm_of(ctx, rows, cols, is_complex, steps);
            const double side = (double)(rows < cols ? rows : cols);
            assert_true(bound >= known * (1 - 1e-17L));
            assert_true(bound <= known * powl(side, ldexpl(1, -steps - 2)) * (1 + 1e-12L));
            if (steps == 6) assert_true(bound <= 1.02L * known);
        }
    }
}

/* Without squarings a matrix with one number in each row and column is known by its sums alone. */
static void sums_serve_where_they_are_less(void **state) {
    mpno_ctx *ctx = *state;
    memset(re, 0, sizeof re);
    for (int64_t i = 0; i < 64; i++) re[i * 64 + (i * 7 + 3) % 64] = i % 2 == 0 ? 3 : -3;
    const double bound = norm_of(ctx, 64, 64, false, 0);
    assert_true(bound >= 3 && bound <= 3 * (1 + 1e-12)); /* by |G_0|_F: 3 * 64^(1/4) */
}

static void any_scale_does(void **state) {
    mpno_ctx *ctx = *state;
    mpno_rng rng = rng_of(4);
    double kept_re[24 * 32], kept_im[24 * 32];
    draw(&rng, 24 * 32, 0);
    memcpy(kept_re, re, sizeof kept_re), memcpy(kept_im, im, sizeof kept_im);
    const double plain = norm_of(ctx, 24, 32, true, 7);
    static const int powers[8] = {0, 499, -499, 1015, -1010, 700, -1030, -1074};
    for (int s = 0; s < 8; s++) {
        for (int i = 0; i < 24 * 32; i++)
            re[i] = ldexp(kept_re[i], powers[s]), im[i] = ldexp(kept_im[i], powers[s]);
        const double bound = norm_of(ctx, 24, 32, true, 7);
        if (powers[s] > -1000) {
            assert_true(bound == ldexp(plain, powers[s]));
        } else { /* the matrix itself is rounded: exactly scaled up it is another one */
            for (int i = 0; i < 24 * 32; i++)
                re[i] = ldexp(re[i], 1000), im[i] = ldexp(im[i], 1000);
            const long double known = ldexpl(true_norm(24, 32, true), -1000);
            assert_true(bound >= known && bound <= 1.02L * known + 1e-323L);
        }
    }
    for (int i = 0; i < 24 * 32; i++) re[i] = 1e308, im[i] = -1e308; /* its norm is no number */
    assert_true(norm_of(ctx, 24, 32, true, 7) == INFINITY);
    memset(re, 0, sizeof re);
    re[0] = 1e308, re[1] = 1e-308; /* far apart */
    assert_true(norm_of(ctx, 2, 2, false, 7) >= 1e308);
    assert_true(norm_of(ctx, 2, 2, false, 7) <= 1.0000001e308);
    re[0] = 5e-324, re[1] = 0;
    assert_true(norm_of(ctx, 2, 2, false, 7) >= 5e-324);
    assert_true(norm_of(ctx, 2, 2, false, 7) <= 2e-323);
    re[1] = 5e-324; /* the norm is 1.41 of the least number above 0 */
    assert_true(norm_of(ctx, 2, 2, false, 7) >= 1e-323);
}

static void no_numbers_and_zeros(void **state) {
    mpno_ctx *ctx = *state;
    double bound;
    memset(re, 0, sizeof re), memset(im, 0, sizeof im);
    assert_true(norm_of(ctx, 8, 8, true, 7) == 0);
    for (int plane = 0; plane < 2; plane++)
        for (int kind = 0; kind < 3; kind++) {
            double *at = (plane == 0 ? re : im) + 13;
            *at = kind == 0 ? NAN : kind == 1 ? INFINITY : -INFINITY;
            assert_true(norm_of(ctx, 8, 8, true, 7) == INFINITY);
            *at = 0;
        }
    assert_int_equal(mpno_spectral_norm(ctx, 0, 8, re, NULL, 7, &bound), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "0 rows and 8 columns"));
    assert_int_equal(mpno_spectral_norm(ctx, 8, 8, re, NULL, 61, &bound), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "61 steps"));
}

static void blocks_of_a_model_are_those_of_their_matrices(void **state) {
    mpno_ctx *ctx = *state;
    mpno_fno_config config = small_config(2);
    config.conv_bias_kernel = 3;
    for (int f = 0; f < 2; f++) {
        mpno_model *model = make_model(ctx, &config, f == 0 ? MPNO_F32 : MPNO_F64);
        int seen = 0;
        for (int p = 0; p < mpno_model_n_params(model); p++) {
            const mpno_matrices m = mpno_param_matrices(model, p);
            const mpno_param_info info = mpno_model_param_info(model, p);
            double *outside = malloc(info.count * sizeof *outside);
            double *bounds = malloc((size_t)m.blocks * sizeof *bounds), most, greatest = 0;
            assert_true(outside != NULL && bounds != NULL);
            mpno_model_get_param(model, p, outside);
            assert_int_equal(mpno_spectral_norms(ctx, &m, 7, bounds, &most), MPNO_OK);
            const bool turned = model->params[p].turned;
            for (int64_t b = 0; b < m.blocks; b++) {
                for (int64_t i = 0; i < m.rows * m.cols;
                     i++) { /* outside (channels, blocks, parts) */
                    const int64_t at = turned ? i % m.cols * m.rows + i / m.cols : i;
                    const int64_t n = at * m.blocks + b;
                    re[i] = m.is_complex ? outside[2 * n] : outside[n];
                    im[i] = m.is_complex ? outside[2 * n + 1] : 0;
                }
                assert_true(bounds[b] == norm_of(ctx, m.rows, m.cols, m.is_complex, 7));
                if (bounds[b] > greatest) greatest = bounds[b];
                seen++;
            }
            assert_true(most == greatest && most > 0);
            assert_int_equal(mpno_spectral_norms(ctx, &m, 7, NULL, &most), MPNO_OK);
            assert_true(most == greatest);
            free(outside), free(bounds);
        }
        assert_true(seen > 2 * 12);
        mpno_model_destroy(&model);
    }
}

static void any_number_of_threads_gives_the_same_bits(void **state) {
    (void)state;
    mpno_fno_config config = small_config(3);
    double first[256];
    for (int threads = 1; threads <= 4; threads++) {
        mpno_ctx *ctx = make_ctx(threads);
        mpno_model *model = make_model(ctx, &config, MPNO_F32);
        const int p = mpno_model_find_param(model, "fno_blocks.convs.0.weight.tensor");
        assert_true(p >= 0);
        const mpno_matrices m = mpno_param_matrices(model, p);
        double bounds[256], most;
        assert_true(m.blocks <= 256 && m.blocks > 1);
        assert_int_equal(mpno_spectral_norms(ctx, &m, 7, bounds, &most), MPNO_OK);
        if (threads == 1) memcpy(first, bounds, (size_t)m.blocks * sizeof *first);
        assert_memory_equal(first, bounds, (size_t)m.blocks * sizeof *first);
        mpno_model_destroy(&model);
        drop_ctx(ctx);
    }
}

static void missing_memory_is_an_error(void **state) {
    mpno_ctx *ctx = *state;
    const mpno_matrices m = {re, MPNO_F64, 2, 4, 4, false};
    double most;
    for (int n = 0; n < 2; n++) {
        mpno_alloc_fail_after(ctx, n);
        assert_int_equal(mpno_spectral_norms(ctx, &m, 7, NULL, &most), MPNO_E_MEMORY);
    }
    mpno_alloc_fail_after(ctx, 2);
    assert_int_equal(mpno_spectral_norms(ctx, &m, 7, NULL, &most), MPNO_OK);
    mpno_alloc_fail_after(ctx, -1);
}

static int setup(void **state) {
    *state = make_ctx(2);
    return 0;
}

static int teardown(void **state) {
    drop_ctx(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orthogonal_times_diagonal_has_its_greatest_number),
        cmocka_unit_test(rank_one_of_whole_numbers_is_bounded_to_rounding),
        cmocka_unit_test(sums_that_lose_at_every_term_are_bounded),
        cmocka_unit_test(random_matrices_are_bounded_closely),
        cmocka_unit_test(sums_serve_where_they_are_less),
        cmocka_unit_test(any_scale_does),
        cmocka_unit_test(no_numbers_and_zeros),
        cmocka_unit_test(blocks_of_a_model_are_those_of_their_matrices),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(missing_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
