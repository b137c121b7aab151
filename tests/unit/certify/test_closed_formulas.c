/* SPDX-License-Identifier: MIT
 * Bounds that are formulas of a few numbers, written a second time, to the last bit where they are
 * rounded upwards by counting: docs/theory/frequency.md, theorems.md, population.md and
 * spectral_norm.md, and B12 and B13 of certificates.md. That errors keep to them is what the tests
 * of each look for; here a constant or a rounding that was left out is seen. */
#include "unit/data/support.h"

#include <float.h>
#include <math.h>

#include "certify/binomial.h"
#include "certify/frequency.h"
#include "certify/population.h"
#include "certify/savings.h"
#include "certify/set/heart.h"
#include "certify/spectral_norm.h"
#include "certify/theorems.h"
#include "core/memory.h"
#include "core/rng.h"
#include "model/network.h"
#include "number/format.h"
#include "unit/model/support.h"

static const double PI = 3.14159265358979323846;
static mpno_rng rng;

#define assert_same(a, b)                                                                   \
    do {                                                                                    \
        const double a_ = (a), b_ = (b);                                                    \
        if (a_ != b_) fail_msg("line %d: %s is %.17g, %s %.17g", __LINE__, #a, a_, #b, b_); \
    } while (0)
#define assert_near(a, b)                                                         \
    do {                                                                          \
        const double a_ = (a), b_ = (b);                                          \
        if (!(isfinite(b_) && fabs(a_ - b_) <= 1e-12 * fabs(b_)))                 \
            fail_msg("line %d: %s is %.17g, %s %.17g", __LINE__, #a, a_, #b, b_); \
    } while (0)

/* Above what so many roundings of numbers that are not negative may have lost. */
static double up(double x, int64_t roundings) {
    return x * (1 + (double)(roundings + 1) * 0x1p-52);
}

/* Nothing is lost but for less than one unit in the last place on either side. */
#define assert_ulp(a, b)                                                          \
    do {                                                                          \
        const double a_ = (a), b_ = (b);                                          \
        if (!(isfinite(b_) && fabs(a_ - b_) <= 0x1.1p-52 * fabs(b_)))             \
            fail_msg("line %d: %s is %.17g, %s %.17g", __LINE__, #a, a_, #b, b_); \
    } while (0)

/* -------- frequency.md -------- */

static void floors(void **state) {
    static const mpno_format formats[] = {MPNO_F16, MPNO_BF16, MPNO_F8E4M3};
    static const double eta[] = {0x1p-25, 0x1p-134, 0x1p-10};
    static const int significand[] = {11, 8, 4}, least[] = {-14, -126, -6};
    (void)state;
    for (int f = 0; f < 3; f++)
        for (int64_t n = 1; n < 40; n++) {
            double v[40], sum = 0, squares = 0;
            for (int64_t i = 0; i < n; i++) {
                int exponent;
                v[i] = ldexp(mpno_rng_normal(&rng), least[f] + 4 - (int)(i % 9));
                (void)frexp(v[i], &exponent); /* in [1/2, 1) */
                if (exponent - 1 < least[f]) exponent = least[f] + 1;
                const double one = i == 7 ? 0 : ldexp(0.5, exponent - significand[f]);
                if (i == 7) v[i] = 0;
                assert_same(mpno_rounding_most(v[i], formats[f]), one);
                sum += one, squares += one * one;
            }
            assert_same(mpno_rounding_eta(formats[f]), eta[f]);
            const mpno_floor floor = mpno_floor_of(v, n, formats[f]);
            assert_same(floor.mean, up(sum / (double)n, n + 1));
            assert_same(floor.root, up(sqrt(squares / (double)n), n + 3));
            for (int64_t modes = 1; modes < 60; modes += 3) {
                const double m = (double)modes, by_mean = up(sqrt(m) * floor.mean, 2),
                             at_once = up(sqrt(m) * floor.root, 2),
                             one_by_one = up(m * floor.mean, 1);
                assert_same(mpno_floor_of_modes(&floor, modes),
                            by_mean < floor.root ? by_mean : floor.root);
                assert_same(mpno_floor_at_points(&floor, modes),
                            at_once < one_by_one ? at_once : one_by_one);
                assert_same(mpno_floor_stochastic(&floor, modes, 64),
                            up(floor.root * floor.root * m / 64, 4));
            }
        }
}

static void butterflies(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (int64_t a = 1; a <= 64; a *= 2)
            for (int64_t b = 1; b <= 16; b *= 2) {
                const int64_t points[2] = {a, b};
                const double u = kind == 0 ? 0x1p-11 : 0x1p-8;
                double growth = 1 + u;
                int64_t roundings = 1;
                for (int d = 0; d < 2; d++)
                    for (int64_t n = points[d]; n > 1; n /= 2, roundings += 6) {
                        growth *= (1 + u) * (1 + 4 * 0x1p-24);
                        if (n >= 8) growth *= 1 + u * 0.70710678118654757;
                    }
                const mpno_butterflies f =
                    mpno_butterflies_of(2, points, kind == 0 ? MPNO_F16 : MPNO_BF16);
                growth = up(growth, roundings);
                assert_same(f.growth, up(growth - 1, 1));
                assert_same(f.underflow,
                            up((2 * growth + 1) * sqrt(2) * (kind == 0 ? 0x1p-25 : 0x1p-134), 5));
            }
}

/* -------- theorems.md -------- */

static double from_cells(int64_t n, int64_t k, double local, double coefficient) {
    const double angle = PI * (double)llabs(k) / (double)n, s = k == 0 ? 1 : sin(angle) / angle;
    return up((local + (1 - s) * (coefficient < 1 ? coefficient : 1)) / s, 16);
}

static double bent(int64_t n, int64_t k, double variation) {
    const double share = variation / (4 * PI * PI);
    if (k == 0) return up(share * PI * PI / 3 / (double)(n * n), 10);
    const double angle = PI * (double)llabs(k) / (double)n, ratio = angle / sin(angle);
    return up(share * (ratio * ratio - 1 + 32 * 0x1p-52) / (double)(k * k), 8);
}

static double hoelder(int64_t n, int64_t k, double constant, double exponent) {
    return from_cells(n, k, constant * pow(2 * (double)n, -exponent) / (1 + exponent),
                      k == 0 ? 1 : constant / 2 * pow(2 * (double)llabs(k), -exponent));
}

static double variation_of(int64_t n, int64_t k, double v) {
    return from_cells(n, k, v / (2 * (double)n), k == 0 ? 1 : v / (2 * PI * (double)llabs(k)));
}

static double analytic(int ndim, int64_t n, const int64_t *k, double constant, double ratio) {
    double rest = 0, own = 1;
    for (int d = 0; d < ndim; d++) {
        const double at = fabs((double)k[d]), p = pow(ratio, at),
                     a = (pow(ratio, (double)n - at) + pow(ratio, (double)n + at)) /
                         (1 - pow(ratio, (double)n));
        rest = rest * (p + a) + own * a;
        own *= p;
    }
    return up(constant * rest, 40) + 0x1p-1000;
}

static void lemmas_of_theorems(void **state) {
    (void)state;
    for (int64_t n = 2; n <= 64; n = n * 3 / 2)
        for (int64_t k = -n / 2; k <= n / 2; k++) {
            const int64_t at[3] = {k, 1, 0};
            assert_same(mpno_disc_hoelder(n, k, 0.7, 0.5), hoelder(n, k, 0.7, 0.5));
            assert_same(mpno_disc_hoelder(n, k, 40, 1), hoelder(n, k, 40, 1));
            assert_same(mpno_disc_variation(n, k, 2), variation_of(n, k, 2));
            assert_same(mpno_disc_variation(n, k, 40), variation_of(n, k, 40));
            assert_same(mpno_disc_bent(n, k, 3), bent(n, k, 3));
            assert_same(mpno_disc_analytic(3, n, at, 2, 0.6), analytic(3, n, at, 2, 0.6));
        }
    const int64_t zero = 0; /* aliases that are no number in f64 any more */
    assert_same(mpno_disc_analytic(1, 1 << 20, &zero, 1, 0.5), 0x1p-1000);
}

static double amplitudes(void) {
    double sum = 0;
    for (int j = 0; j < 30; j++) sum += pow(2, -0.5 * j);
    return sum;
}

static void theorems_of_functions(void **state) {
    mpno_ctx *ctx = *state;
    for (int f = 0; f < MPNO_N_THEOREM_FUNCTIONS; f++)
        for (int ndim = 1; ndim <= 2; ndim++)
            for (int64_t n = 4; n <= 16; n *= 2) {
                const int64_t k[2][3] = {{1, 2, 0}, {0, -1, 0}};
                mpno_theorem_grid *grid;
                mpno_prec prec[2];
                assert_ok(ctx,
                          mpno_theorem_grid_create(ctx, (mpno_theorem_function)f, ndim, n, &grid));
                assert_ok(ctx, mpno_theorem_prec(grid, MPNO_F16, true, 2, &k[0][0], prec));
                for (int i = 0; i < 2; i++) {
                    const mpno_disc disc = mpno_theorem_disc(grid, k[i]);
                    mpno_prec alone;
                    assert_ok(ctx, mpno_theorem_prec(grid, MPNO_F16, true, 1, k[i], &alone));
                    assert_memory_equal(&alone, &prec[i], sizeof alone);
                    const double axes = ndim, lipschitz = f == MPNO_THEOREM_ANALYTIC
                                                              ? 4 * PI * 0.6 / (1 - 0.6 * 0.6)
                                                              : 1 / 0.3;
                    double of_class = 0, bound = 0, square = 0;
                    for (int d = 0; d < ndim; d++) {
                        const double smooth = hoelder(n, k[i][d], 1 / 0.3, 1),
                                     corner = bent(n, k[i][d], 2 / (0.3 * (1 - 0.3)));
                        square += (double)(k[i][d] * k[i][d]);
                        const double one =
                            f == MPNO_THEOREM_HAT ? smooth
                            : f == MPNO_THEOREM_HOELDER
                                ? hoelder(n, k[i][d], 2 * sqrt(PI) / (1 - sqrt(0.5)) / amplitudes(),
                                          0.5)
                                : variation_of(n, k[i][d], 2);
                        of_class += one;
                        bound += f == MPNO_THEOREM_HAT && corner < one ? corner : one;
                    }
                    if (f == MPNO_THEOREM_ANALYTIC)
                        of_class = bound =
                            analytic(ndim, n, k[i], pow((1 - 0.6) / (1 + 0.6), ndim), 0.6);
                    assert_ulp(disc.of_class, of_class);
                    assert_ulp(disc.bound, bound);
                    assert_same(disc.own, 136 * axes * 0x1p-53);
                    if (f == MPNO_THEOREM_ANALYTIC || f == MPNO_THEOREM_HAT)
                        assert_near(
                            disc.paper,
                            sqrt(axes) * (sqrt(square) + sqrt(axes) * lipschitz) / (double)n);
                    /* of samples that are not negative the mean is coefficient 0 */
                    const int64_t none[3] = {0};
                    const mpno_disc first = mpno_theorem_disc(grid, none);
                    const int64_t sizes[3] = {n, n, n}, points = ndim == 1 ? n : n * n;
                    const mpno_butterflies b = mpno_butterflies_of(ndim, sizes, MPNO_F16);
                    const double mean = first.sampled[0], root = 0x1p-11 * sqrt(0.5);
                    const double bound_of = up(root * mean + (1 + root) * prec[i].samples_bound, 6);
                    assert_true(prec[i].bound >= bound_of * (1 - 1e-15));
                    assert_true(prec[i].bound <= bound_of * (1 + (double)(points + 4) * 0x1p-52));
                    assert_near(prec[i].butterflies_bound, b.growth * mean + b.underflow);
                }
                mpno_theorem_grid_destroy(&grid);
            }
}

/* The mean is enlarged by the roundings of its sum: of two halves, which are exact. */
static void means_are_rounded_upwards(void **state) {
    mpno_ctx *ctx = *state;
    mpno_theorem_grid *grid;
    mpno_prec prec;
    const int64_t k[3] = {1};
    assert_ok(ctx, mpno_theorem_grid_create(ctx, MPNO_THEOREM_SAWTOOTH, 1, 2, &grid)); /* 0, 1/2 */
    assert_ok(ctx, mpno_theorem_prec(grid, MPNO_F16, true, 1, k, &prec));
    const double root = 0x1p-11 * sqrt(0.5), mean = up(0.25, 3), floor = up(0x1p-13, 3);
    const mpno_butterflies b = mpno_butterflies_of(1, (int64_t[]){2}, MPNO_F16);
    assert_same(prec.samples_bound, floor);
    assert_same(prec.bound, up(root * mean + (1 + root) * floor, 6));
    assert_same(prec.butterflies_bound, b.growth * mean + b.underflow);
    mpno_theorem_grid_destroy(&grid);
}

/* -------- population.md -------- */

static void binomial_tails(void **state) {
    (void)state;
    assert_same(mpno_binomial_tail(1, 0.5, 1), up(0.5, 16));
    assert_same(mpno_binomial_tail(3, 0.5, 2), up(0.5, 42));
    assert_same(mpno_binomial_tail(3, 0.5, 3), up(0.125, 42));
    /* far out nothing is left but a share for the terms that were left out */
    long double all = 1, term = 1;
    for (int j = 1000; j < 2000; j++) term *= (2000.0L - j) / (j + 1), all += 2 * term;
    assert_true(
        fabs(mpno_binomial_tail(2000, 0.5, 2000) / (double)(8000 * (long double)DBL_MIN / all) -
             1) < 1e-6);
    /* the least rank of which that is enough */
    for (int64_t n = 20; n < 400; n += 13) {
        const int64_t rank = mpno_binomial_rank(n, 0.9, 0.05);
        if (rank <= n) assert_true(mpno_binomial_tail(n, 0.9, rank) <= 0.05);
        assert_true(mpno_binomial_tail(n, 0.9, rank - 1) > 0.05);
    }
}

/* -------- spectral_norm.md -------- */

enum { SIDE = 6 };

/* Parts of m in [1/2, 1) at most; the exponent taken out. */
static int scaled(double *m, int n) {
    double most = 0;
    int exponent;
    for (int i = 0; i < n; i++) most = fabs(m[i]) > most ? fabs(m[i]) : most;
    (void)frexp(most, &exponent);
    for (int i = 0; i < n; i++) m[i] = ldexp(m[i], -exponent);
    return exponent;
}

/* S2: the lesser of the sum of squares and of the product of sums; *whole: the former. */
static double square_of(const double *re, const double *im, int rows, int cols, bool is_complex,
                        double *whole) {
    double squares = 0, across = 0, down = 0, column[SIDE] = {0};
    for (int i = 0; i < rows * cols; i++) squares += re[i] * re[i];
    for (int i = 0; i < rows * cols && is_complex; i++) squares += im[i] * im[i];
    for (int i = 0; i < rows; i++) {
        double row = 0;
        for (int k = 0; k < cols; k++) {
            const double size =
                sqrt(re[i * cols + k] * re[i * cols + k] + im[i * cols + k] * im[i * cols + k]);
            row += size, column[k] += size;
        }
        across = row > across ? row : across;
    }
    for (int k = 0; k < cols; k++) down = column[k] > down ? column[k] : down;
    *whole = up(squares, 2 * rows * cols + 1);
    const double sums = up(across * down, rows + cols + 7);
    return sums < *whole ? sums : *whole;
}

/* Of a matrix whose products are exact, with no more columns than rows. */
static double norm_again(int rows, int cols, const double *x, const double *y, bool is_complex,
                         int steps) {
    double re[SIDE * SIDE], im[SIDE * SIDE], square[12], error[12];
    double both[2 * SIDE * SIDE];
    int shift[12];
    for (int i = 0; i < rows * cols; i++)
        both[i] = x[i], both[rows * cols + i] = is_complex ? y[i] : 0;
    const int exponent = scaled(both, 2 * rows * cols);
    for (int j = 0; j <= steps + 1; j++) {
        const int r = j == 0 ? rows : cols;
        double whole;
        memcpy(re, both, (size_t)(r * cols) * sizeof *re);
        memcpy(im, both + r * cols, (size_t)(r * cols) * sizeof *im);
        square[j] = square_of(re, im, r, cols, is_complex, &whole);
        error[j] = up(3.0 * r * 0x1p-53 * whole, 1);
        for (int a = 0; a < cols; a++)
            for (int b = 0; b < cols; b++) {
                double p = 0, q = 0;
                for (int i = 0; i < r; i++) {
                    p += re[i * cols + a] * re[i * cols + b] + im[i * cols + a] * im[i * cols + b];
                    q += re[i * cols + a] * im[i * cols + b] - im[i * cols + a] * re[i * cols + b];
                }
                both[a * cols + b] = p, both[cols * cols + a * cols + b] = q;
            }
        shift[j] = scaled(both, 2 * cols * cols);
    }
    double norm = up(sqrt(square[steps + 1]), 1);
    for (int j = steps; j >= 0; j--) {
        const double next = up(ldexp(norm, shift[j]) + error[j], 2);
        norm = up(sqrt(next < square[j] ? next : square[j]), 1);
    }
    return ldexp(up(norm, 1), exponent);
}

static void norms_of_small_whole_matrices(void **state) {
    mpno_ctx *ctx = *state;
    for (int trial = 0; trial < 400; trial++) {
        const int cols = 1 + trial % 4, rows = cols + trial / 4 % 3, steps = trial % 3;
        const bool is_complex = trial % 5 < 2;
        double x[SIDE * SIDE], y[SIDE * SIDE], bound;
        for (int i = 0; i < rows * cols; i++) {
            x[i] = (double)mpno_rng_below(&rng, 7) - 3;
            y[i] = (double)mpno_rng_below(&rng, 7) - 3;
        }
        x[0] = 5;
        assert_ok(ctx,
                  mpno_spectral_norm(ctx, rows, cols, x, is_complex ? y : NULL, steps, &bound));
        assert_same(bound, norm_again(rows, cols, x, y, is_complex, steps));
    }
}

static void norms_of_blocks(void **state) {
    mpno_ctx *ctx = *state;
    for (int kind = 0; kind < 4; kind++) {
        const int64_t rows = kind == 1 ? 1 : 3, cols = kind == 2 ? 1 : 4;
        const bool is_complex = kind != 3;
        double values[5 * 2 * 12], most = 0, frobenius = 0, norm;
        for (int i = 0; i < 120; i++) values[i] = mpno_rng_normal(&rng);
        const mpno_matrices m = {values, MPNO_F64, 5, rows, cols, is_complex};
        const int64_t plane = rows * cols, one = is_complex ? 2 * plane : plane;
        mpno_bound b;
        for (int64_t k = 0; k < 5; k++) {
            double sum = 0;
            for (int64_t i = 0; i < plane; i++) {
                const double *at = values + k * one + i,
                             size = hypot(at[0], is_complex ? at[plane] : 0);
                most = size > most ? size : most, sum += size * size;
            }
            frobenius = sqrt(sum) > frobenius ? sqrt(sum) : frobenius;
        }
        assert_ok(ctx, mpno_block_norms(ctx, &m, 4, &b));
        assert_ok(ctx, mpno_spectral_norms(ctx, &m, 4, NULL, &norm));
        assert_near(b.most, most * (1 + 1e-9));
        assert_near(b.frobenius, frobenius * (1 + 1e-9));
        assert_same(b.norm, kind == 1 || kind == 2 ? b.frobenius : norm); /* a vector has but one */
    }
}

/* -------- B12 and B13 -------- */

static const double *weight(const mpno_model *model, const mpno_graph *g, int edge) {
    return mpno_model_raw(model, g->edges[edge].param).data;
}

static void savings(void **state) {
    mpno_ctx *ctx = *state;
    const int64_t grid[1] = {8};
    mpno_fno_config c = small_config(1);
    c.hidden_channels = 3;
    mpno_model *model = make_model(ctx, &c, MPNO_F64);
    const mpno_network_opts opts = make_opts(1, grid, 1, false, "full", MPNO_F16);
    mpno_network *network = make_network(ctx, model, &opts);
    const mpno_graph *g = mpno_network_graph(network);
    mpno_bound *known = calloc((size_t)g->n_edges, sizeof *known);
    mpno_saving *found = calloc((size_t)g->n_nodes, sizeof *found);
    assert_true(known != NULL && found != NULL);
    int pairs = 0, skips = 0;
    for (int large = 0; large < 3; large++) {
        /* norms so large that roundings count, in pairs or in sums; a skip's alone the largest */
        for (int e = 0; e < g->n_edges; e++)
            known[e] = (mpno_bound){.norm = 10 + e % 7, .frobenius = 1e15 + 1e14 * (e % 5)};
        for (int n = 0; n < g->n_nodes; n++)
            if (g->nodes[n].op == &mpno_op_linear) {
                mpno_bound *b = &known[g->nodes[n].in[1]];
                if (large == 0) b->frobenius *= 3e-8;
                if (large > 0) b->norm = large == 1 ? 5000 : 1e-3;
            }
        assert_ok(ctx, mpno_savings_find(g, model, known, found));
        for (int n = 0; n < g->n_nodes; n++) {
            const mpno_node *node = &g->nodes[n];
            double values[64 * 64], norm;
            if (found[n].edge < 0) continue;
            if (node->op == &mpno_op_linear) {
                const mpno_node *inner =
                    &g->nodes[g->edges[g->nodes[g->edges[node->in[0]].producer].in[0]].producer];
                const mpno_weight *a = &g->weights[g->edges[inner->in[1]].param],
                                  *b = &g->weights[g->edges[node->in[1]].param];
                const mpno_bound *of_a = &known[inner->in[1]], *of_b = &known[node->in[1]];
                for (int64_t i = 0; i < b->rows; i++)
                    for (int64_t j = 0; j < a->cols; j++) {
                        values[i * a->cols + j] = 0;
                        for (int64_t k = 0; k < a->rows; k++)
                            values[i * a->cols + j] +=
                                weight(model, g, node->in[1])[i * a->rows + k] *
                                weight(model, g, inner->in[1])[k * a->cols + j];
                    }
                assert_ok(ctx, mpno_spectral_norm(ctx, b->rows, a->cols, values, NULL, 4, &norm));
                norm += (double)(a->rows + 2) * 0x1p-53 * of_a->frobenius * of_b->frobenius;
                const double less = (of_a->norm * of_b->norm - (1 + 1e-9) * norm) / 2;
                assert_near(found[n].less, less > 0 ? less : 0);
                assert_int_equal(found[n].edge, inner->in[0]);
                pairs += less > 0;
                continue;
            }
            mpno_set_heart heart;
            assert_true(mpno_set_find_heart(g, node, &heart));
            const int r = g->nodes[heart.contract].in[1], w = g->nodes[heart.skip].in[1];
            const mpno_weight *of_r = &g->weights[g->edges[r].param];
            const int64_t plane = of_r->rows * of_r->cols;
            double most = 0;
            for (int64_t b = 0; b < of_r->blocks; b++) {
                memcpy(values, weight(model, g, r) + 2 * b * plane,
                       (size_t)(2 * plane) * sizeof *values);
                for (int64_t i = 0; i < plane; i++)
                    values[i] += weight(model, g, w)[i % of_r->cols * of_r->rows + i / of_r->cols];
                assert_ok(ctx, mpno_spectral_norm(ctx, of_r->rows, of_r->cols, values,
                                                  values + plane, 4, &norm));
                most = norm > most ? norm : most;
            }
            most += 0x1p-52 * (known[r].frobenius + known[w].frobenius);
            if (known[w].norm > most) most = known[w].norm;
            const double less = known[r].norm + known[w].norm - (1 + 1e-9) * most;
            assert_near(found[n].less, less > 0 ? less : 0);
            skips += less > 0;
        }
    }
    assert_true(pairs > 0 && skips > 0);
    free(known), free(found);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
}

static int setup(void **state) {
    rng = mpno_rng_make(31, MPNO_STREAM_TEST, 8);
    *state = make_ctx(1);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(floors, setup, end_context),
        cmocka_unit_test(butterflies),
        cmocka_unit_test(lemmas_of_theorems),
        cmocka_unit_test_setup_teardown(theorems_of_functions, setup, end_context),
        cmocka_unit_test_setup_teardown(means_are_rounded_upwards, setup, end_context),
        cmocka_unit_test(binomial_tails),
        cmocka_unit_test_setup_teardown(norms_of_small_whole_matrices, setup, end_context),
        cmocka_unit_test_setup_teardown(norms_of_blocks, setup, end_context),
        cmocka_unit_test_setup_teardown(savings, setup, end_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
