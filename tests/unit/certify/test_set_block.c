/* SPDX-License-Identifier: MIT
 * Lipschitz constants of hearts of blocks, K f(x) + W x, against dense matrices: of small grids,
 * with all kinds of frequencies kept and left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "certify/set/block.h"
#include "certify/spectral_norm.h"
#include "unit/model/support.h"

enum { MOST_VALUES = 96 }; /* points times channels */

typedef struct heart {
    mpno_fft_problem problem;
    mpno_fft *fft;
    int64_t channels, points, modes;
    double *blocks, *skip;
    double dense[2][MOST_VALUES][MOST_VALUES]; /* K, W as maps of fields */
} heart;

/* e^(-i k x) of mode m at a point, and its weight in the inverse transform. */
static double phase_of(const heart *h, int64_t m, int64_t point, double *weight) {
    const mpno_fft_problem *p = &h->problem;
    double phase = 0;
    for (int d = p->ndim - 1; d >= 0; d--) {
        const bool last = d == p->ndim - 1;
        const int64_t at = m % p->keep[d], k = last ? at : at - p->keep[d] / 2,
                      x = point % p->size[d];
        if (last) *weight = k == 0 || 2 * k == p->size[d] ? 1 : 2;
        phase += 2 * 3.14159265358979323846 * (double)(k * x) / (double)p->size[d];
        m /= p->keep[d], point /= p->size[d];
    }
    return phase;
}

/* s(x) = sum_k w_k Re(z_k e^(i k x)), z_k = h_k R_k, h the transform of e: each column of the map
 * is what it makes of one number. */
static void fill_dense(heart *h) {
    const int64_t c = h->channels, plane = c * c;
    for (int64_t from = 0; from < h->points * c; from++)
        for (int64_t to = 0; to < h->points * c; to++) {
            double sum = 0, weight = 0;
            for (int64_t m = 0; m < h->modes; m++) {
                const double *r = h->blocks + 2 * m * plane + from % c * c + to % c;
                const double turn =
                    phase_of(h, m, to / c, &weight) - phase_of(h, m, from / c, &weight);
                sum += weight * (r[0] * cos(turn) - r[plane] * sin(turn));
            }
            h->dense[0][to][from] = sum / (double)h->points;
            h->dense[1][to][from] = to / c == from / c ? h->skip[to % c * c + from % c] : 0;
        }
}

static heart *make_heart(mpno_ctx *ctx, mpno_rng *rng, double size) {
    heart *h = calloc(1, sizeof *h);
    assert_non_null(h);
    mpno_fft_problem *p = &h->problem;
    *p = (mpno_fft_problem){.kind = MPNO_FFT_REAL, .arithmetic = MPNO_F64, .ndim = 1};
    p->ndim += (int)mpno_rng_below(rng, 2);
    h->points = h->modes = 1;
    for (int d = 0; d < p->ndim; d++) {
        const bool last = d == p->ndim - 1;
        p->size[d] = 1 + (int64_t)mpno_rng_below(rng, p->ndim == 1 ? 20 : 6);
        const int64_t most = last ? p->size[d] / 2 + 1 : p->size[d];
        p->keep[d] = 1 + (int64_t)mpno_rng_below(rng, (uint64_t)most);
        h->points *= p->size[d], h->modes *= p->keep[d];
    }
    h->channels = 1 + (int64_t)mpno_rng_below(rng, 2);
    assert_int_equal(mpno_fft_create(ctx, p, &h->fft), MPNO_OK);
    const size_t plane = (size_t)(h->channels * h->channels), n = 2 * (size_t)h->modes * plane;
    h->blocks = malloc((n + plane) * sizeof(double));
    assert_non_null(h->blocks);
    for (size_t i = 0; i < n + plane; i++) h->blocks[i] = (i < n ? size : 1) * mpno_rng_normal(rng);
    /* one mode is larger than all others: each kind of frequency has its turn */
    const size_t large = mpno_rng_below(rng, (uint64_t)h->modes) * 2 * plane;
    for (size_t i = large; i < large + 2 * plane; i++) h->blocks[i] *= 4;
    h->skip = h->blocks + n;
    fill_dense(h);
    return h;
}

static void drop_heart(mpno_ctx *ctx, heart **h) {
    mpno_fft_destroy(ctx, &(*h)->fft);
    free((*h)->blocks);
    free(*h);
}

/* |K D + W|, nearly. */
static double dense_norm(mpno_ctx *ctx, const heart *h, const double *slopes) {
    const int64_t n = h->points * h->channels;
    double *a = malloc((size_t)(n * n) * sizeof *a), norm;
    assert_non_null(a);
    for (int64_t to = 0; to < n; to++)
        for (int64_t from = 0; from < n; from++)
            a[to * n + from] = h->dense[0][to][from] * slopes[from] + h->dense[1][to][from];
    assert_int_equal(mpno_spectral_norm(ctx, n, n, a, NULL, 24, &norm), MPNO_OK);
    free(a);
    return norm * (1 - 1e-6);
}

static double slope_of(mpno_ctx *ctx, const heart *h, double low, double high) {
    int32_t *rows = malloc((size_t)h->modes * sizeof *rows);
    double slope;
    assert_non_null(rows);
    for (int64_t m = 0; m < h->modes; m++) rows[m] = (int32_t)m;
    const mpno_set_block block = {h->fft,    h->channels, h->channels, rows,
                                  h->blocks, h->skip,     low,         high};
    assert_int_equal(mpno_set_block_slope(ctx, &block, &slope), MPNO_OK);
    free(rows);
    return slope;
}

/* Slopes of 0 or 1 at each value, turned one by one while the norm grows. */
static double worst_slopes(mpno_ctx *ctx, const heart *h, mpno_rng *rng) {
    double slopes[MOST_VALUES], worst = 0;
    const int64_t n = h->points * h->channels;
    for (int64_t i = 0; i < n; i++) slopes[i] = mpno_rng_uniform(rng) < 0.3 ? 0 : 1;
    for (int64_t step = 0; step < 3 * n; step++) {
        const int64_t i = (int64_t)mpno_rng_below(rng, (uint64_t)n);
        slopes[i] = 1 - slopes[i];
        const double norm = dense_norm(ctx, h, slopes);
        if (norm > worst)
            worst = norm;
        else
            slopes[i] = 1 - slopes[i];
    }
    return worst;
}

/* By frequencies: the linear map has the norm of its dense matrix, whatever the numbers of points
 * and modes; with a function before K no choice of its slopes has a larger norm. */
static void hearts_have_no_larger_slope(void **state) {
    (void)state;
    mpno_ctx *ctx = make_ctx(1);
    mpno_rng rng = mpno_rng_make(9, MPNO_STREAM_TEST, 0);
    double tightest = INFINITY, saved = INFINITY;
    for (int i = 0; i < 60; i++) {
        heart *h = make_heart(ctx, &rng, exp2(4 * mpno_rng_uniform(&rng) - 2));
        double ones[MOST_VALUES];
        for (int k = 0; k < MOST_VALUES; k++) ones[k] = 1;
        const double norm = dense_norm(ctx, h, ones), slope = slope_of(ctx, h, 1, 1);
        if (!(norm <= slope && slope <= 1.03 * norm))
            fail_msg("heart %d: norm %.9g, bound %.9g", i, norm, slope);
        if (i % 3 == 0) {
            const double worst = worst_slopes(ctx, h, &rng), bound = slope_of(ctx, h, 0, 1);
            if (!(worst <= bound)) fail_msg("heart %d: slope %.9g, bound %.9g", i, worst, bound);
            tightest = fmin(tightest, bound / worst);
        }
        saved = fmin(saved, slope / (slope_of(ctx, h, 0, 0) + norm));
        drop_heart(ctx, &h);
    }
    print_message("least bound over the worst slopes that were found: %.3g\n", tightest);
    assert_true(tightest < 1.1 && saved < 0.7);
    drop_ctx(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(hearts_have_no_larger_slope)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
