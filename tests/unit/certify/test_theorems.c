/* SPDX-License-Identifier: MIT
 * The statements of docs/theory/theorems.md: coefficients in closed form against what sums over
 * grids make of their aliases, bounds against functions made at random and for the worst, and the
 * measure of the paper's two theorems, in which nothing may exceed a bound. MPNO_TEST_TRIALS=N
 * takes N times as many functions. */
#include "unit/data/support.h"

#include <complex.h>
#include <math.h>

#include "certify/theorems.h"
#include "core/memory.h"
#include "core/rng.h"
#include "number/format.h"

static const double PI = 3.14159265358979323846;
static mpno_rng rng;

static int64_t times(int64_t n) {
    const char *text = getenv("MPNO_TEST_TRIALS");
    return n * (text == NULL ? 1 : atoi(text));
}

static int64_t below(int64_t n) {
    return (int64_t)mpno_rng_below(&rng, (uint64_t)n);
}

/* -------- closed forms -------- */

/* Poisson's sum: the grid's coefficient is that of all aliases; where a function jumps at a point
 * of the grid, with the mean of both sides there. */
static void coefficients_are_those_of_the_functions(void **state) {
    mpno_ctx *ctx = *state;
    static const int64_t sizes[] = {2, 3, 8, 12, 64, 100};
    for (int f = 0; f < MPNO_N_THEOREM_FUNCTIONS; f++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const int64_t n = sizes[s];
            mpno_theorem_grid *grid;
            assert_ok(ctx, mpno_theorem_grid_create(ctx, (mpno_theorem_function)f, 1, n, &grid));
            for (int64_t k = -n / 2; k <= n / 2; k++) {
                const mpno_disc disc = mpno_theorem_disc(grid, &k);
                const int64_t most = 20000;
                double sum[2] = {0}, c[2];
                for (int64_t m = -most; m <= most; m++) {
                    const int64_t at = k + n * m;
                    mpno_theorem_coefficient((mpno_theorem_function)f, 1, &at, c);
                    sum[0] += c[0];
                    sum[1] += c[1];
                }
                if (f == MPNO_THEOREM_SAWTOOTH) sum[0] -= 0.5 / (double)n;
                if (f == MPNO_THEOREM_HOELDER) /* 2^29 is beyond these aliases */
                    for (int64_t j = 1; j < (int64_t)1 << 30; j *= 2)
                        for (int sign = -1; sign <= 1; sign += 2) {
                            const int64_t at = sign * j;
                            if (((at - k) % n + n) % n != 0 || llabs((at - k) / n) <= most)
                                continue;
                            mpno_theorem_coefficient(MPNO_THEOREM_HOELDER, 1, &at, c);
                            sum[0] += c[0];
                        }
                const double off = hypot(sum[0] - disc.sampled[0], sum[1] - disc.sampled[1]);
                if (!(off < 1e-5)) /* aliases that are left out */
                    fail_msg("%s, %d points, frequency %d: off by %g",
                             mpno_theorem_name((mpno_theorem_function)f), (int)n, (int)k, off);
            }
            mpno_theorem_grid_destroy(&grid);
        }
}

/* -------- lemmas, against pieces of lines -------- */

/* On [at_i, at_(i+1)): from + slope (x - at_i), the last piece up to 1. */
enum { MOST_PIECES = 64 };
typedef struct pieces {
    int n;
    double at[MOST_PIECES + 1], from[MOST_PIECES], slope[MOST_PIECES];
} pieces;

static double end_of(const pieces *p, int i) {
    return p->from[i] + p->slope[i] * (p->at[i + 1] - p->at[i]);
}

static double piece_at(const pieces *p, double x) {
    int i = 0;
    while (i + 1 < p->n && x >= p->at[i + 1]) i++;
    return p->from[i] + p->slope[i] * (x - p->at[i]);
}

static double complex piece_coefficient(const pieces *p, int64_t k) {
    double complex sum = 0;
    const double w = 2 * PI * (double)k;
    for (int i = 0; i < p->n; i++) {
        const double a = p->at[i], b = p->at[i + 1];
        const double complex ea = cexp(-I * w * a), eb = cexp(-I * w * b);
        if (k == 0)
            sum += (b - a) * (p->from[i] + end_of(p, i)) / 2;
        else /* by parts */
            sum +=
                (p->from[i] * ea - end_of(p, i) * eb) / (I * w) - p->slope[i] * (ea - eb) / (w * w);
    }
    return sum;
}

static double piece_error(const pieces *p, int64_t n, int64_t k) {
    double complex sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += piece_at(p, (double)j / (double)n) *
               cexp(-I * 2 * PI * (double)(j * k % n) / (double)n) / (double)n;
    return cabs(sum - piece_coefficient(p, k));
}

/* Knots anywhere, at points of the grid or half-way between them; moduli at most 1. */
static pieces any_pieces(int64_t n, bool lines) {
    pieces p = {.n = 1 + (int)below(12)};
    double value[MOST_PIECES + 1];
    const int kind = (int)below(3);
    for (int i = 1; i < p.n; i++) {
        p.at[i] = kind == 0   ? mpno_rng_uniform(&rng)
                  : kind == 1 ? (double)below(n) / (double)n
                              : ((double)below(n) + 0.5) / (double)n;
        for (int j = i; j > 1 && p.at[j] < p.at[j - 1]; j--) {
            const double other = p.at[j];
            p.at[j] = p.at[j - 1];
            p.at[j - 1] = other;
        }
    }
    p.at[p.n] = 1;
    for (int i = 0; i < p.n; i++) value[i] = 2 * mpno_rng_uniform(&rng) - 1;
    value[p.n] = value[0];
    for (int i = 0; i < p.n; i++) {
        const double width = p.at[i + 1] - p.at[i];
        p.from[i] = value[i];
        if (lines && width > 0) p.slope[i] = (value[i + 1] - value[i]) / width;
    }
    return p;
}

/* Knots at the same place make a jump: such functions are not for statements of Lipschitz ones. */
static double steepest(const pieces *p) {
    double most = 0;
    for (int i = 0; i < p->n; i++) {
        if (p->at[i + 1] <= p->at[i]) return INFINITY;
        most = fmax(most, fabs(p->slope[i]));
    }
    return most;
}

static double variation(const pieces *p) {
    double sum = 0;
    for (int i = 0; i < p->n; i++)
        sum += fabs(end_of(p, i) - p->from[i]) + fabs(p->from[(i + 1) % p->n] - end_of(p, i));
    return sum;
}

static double bend(const pieces *p) {
    double sum = 0;
    for (int i = 0; i < p->n; i++) sum += fabs(p->slope[(i + 1) % p->n] - p->slope[i]);
    return sum;
}

/* f64's own part; steep pieces lose more. */
static double own(const pieces *p) {
    double slope = 1;
    for (int i = 0; i < p->n; i++) slope = fmax(slope, fabs(p->slope[i]));
    return 1e-14 * slope;
}

static void hold(const char *name, const pieces *p, int64_t n, int64_t k, double bound,
                 double *reached) {
    const double error = piece_error(p, n, k);
    if (!(error <= bound + own(p)))
        fail_msg("%s, %d points, frequency %d: %g of %g", name, (int)n, (int)k, error, bound);
    if (error > 100 * own(p)) *reached = fmax(*reached, error / bound);
}

static void no_function_exceeds_the_bounds_of_its_class(void **state) {
    (void)state;
    double lipschitz = 0, varied = 0, bent = 0;
    for (int64_t t = 0; t < times(30000); t++) {
        const int64_t n = 2 + below(14), k = below(n / 2 + 1);
        const bool lines = below(2);
        const pieces p = any_pieces(n, lines);
        hold("variation", &p, n, k, mpno_disc_variation(n, k, variation(&p)), &varied);
        if (!lines || isinf(steepest(&p))) continue;
        hold("Lipschitz", &p, n, k, mpno_disc_hoelder(n, k, steepest(&p), 1), &lipschitz);
        hold("bent", &p, n, k, mpno_disc_bent(n, k, bend(&p)), &bent);
    }
    assert_true(lipschitz >= 0.25 && varied >= 0.25 && bent >= 0.25);
}

/* 0 at the points of the grid, and between them as far from it as the class allows, with the sign
 * of the wave there; spikes at the points with that sign. Sign of cos(2 pi k x + angle). */
static void make_worst(int64_t n, int64_t k, double angle, pieces *tent, pieces *spike) {
    const double half = 0.5 / (double)n, turn = 2 * PI * (double)k / (double)n;
    *tent = *spike = (pieces){.n = (int)(2 * n)};
    for (int i = 0; i < 2 * n; i += 2) { /* point i / 2, then the middle behind it */
        const double here = (double)i / (double)(2 * n), /* the grid's own number */
            above = cos(turn * (i + 1) / 2 + angle) < 0 ? -1 : 1;
        tent->at[i] = spike->at[i] = here;
        tent->at[i + 1] = here + half;
        spike->at[i + 1] = here + half * 1e-9;
        tent->slope[i] = above;
        tent->slope[i + 1] = -above;
        spike->from[i] = cos(turn * i / 2 + angle) < 0 ? -1 : 1;
    }
    tent->at[2 * n] = spike->at[2 * n] = 1;
    for (int i = 1; i < 2 * n; i += 2) tent->from[i] = end_of(tent, i - 1);
}

/* At frequency 0 the bounds are reached; of these functions a fifth is reached everywhere. */
static void worst_functions_reach_the_bounds(void **state) {
    (void)state;
    for (int64_t n = 2; n <= 16; n += 2)
        for (int64_t k = 0; k <= n / 2; k++) {
            double lipschitz = 0, varied = 0;
            for (double angle = 0.1; angle < PI; angle += 0.1) {
                pieces tent, spike;
                make_worst(n, k, angle, &tent, &spike);
                hold("tents", &tent, n, k, mpno_disc_hoelder(n, k, 1, 1), &lipschitz);
                hold("spikes", &spike, n, k, mpno_disc_variation(n, k, variation(&spike)), &varied);
            }
            if (!(lipschitz >= 0.2 && varied >= 0.2))
                fail_msg("%d points, frequency %d: %g, %g", (int)n, (int)k, lipschitz, varied);
            if (k == 0) assert_true(lipschitz > 0.999 && varied > 0.999);
        }
    for (double exponent = 0.1; exponent < 1; exponent += 0.1) /* distance^exponent: its mean */
        assert_true(
            fabs(mpno_disc_hoelder(8, 0, 1, exponent) / (pow(1.0 / 16, exponent) / (1 + exponent)) -
                 1) < 1e-13);
}

/* -------- the measure -------- */

enum { MOST_FREQUENCIES = 4096 };

static int64_t all_frequencies(int ndim, int64_t n, int64_t k[][MPNO_THEOREM_AXES]) {
    int64_t count = 1;
    for (int d = 0; d < ndim; d++) count *= n / 2 + 1;
    for (int64_t i = 0; i < count; i++)
        for (int64_t d = 0, rest = i; d < ndim; d++, rest /= n / 2 + 1) {
            k[i][d] = rest % (n / 2 + 1);
            if (d == 1 && i % 3 == 0) k[i][d] = -k[i][d];
        }
    return count;
}

typedef struct most {
    double disc, prec, samples, butterflies;
} most;

static void check_format(mpno_ctx *ctx, const mpno_theorem_grid *grid, mpno_format format,
                         int64_t n_k, const int64_t *k, most *m) {
    mpno_prec *prec = calloc((size_t)n_k, sizeof *prec);
    assert_ok(ctx, mpno_theorem_prec(grid, format, true, n_k, k, prec));
    for (int64_t i = 0; i < n_k; i++) {
        const mpno_prec *p = &prec[i];
        assert_true(p->measured <= p->bound && p->samples <= p->samples_bound);
        assert_true(p->bound <= mpno_format_unit(format) * 1.8 * 1.1 + 0x1p-9);
        m->prec = fmax(m->prec, p->measured / p->bound);
        m->samples = fmax(m->samples, p->samples / p->samples_bound);
        if (isnan(p->butterflies)) continue;
        assert_true(p->butterflies <= p->butterflies_bound);
        m->butterflies = fmax(m->butterflies, p->butterflies / p->butterflies_bound);
    }
    free(prec);
}

static void nothing_measured_exceeds_its_bound(void **state) {
    mpno_ctx *ctx = *state;
    static const mpno_format formats[] = {MPNO_F16, MPNO_BF16, MPNO_F32, MPNO_F8E4M3};
    static const struct {
        int ndim;
        int64_t n;
    } sizes[] = {{1, 2}, {1, 3}, {1, 4},  {1, 9},  {1, 16}, {1, 100}, {1, 256}, {1, 1024},
                 {2, 2}, {2, 4}, {2, 15}, {2, 32}, {3, 2},  {3, 4},   {3, 8},   {3, 12}};
    int64_t(*k)[MPNO_THEOREM_AXES] = calloc(MOST_FREQUENCIES, sizeof *k);
    most m[MPNO_N_THEOREM_FUNCTIONS] = {{0}}, all = {0};
    for (int f = 0; f < MPNO_N_THEOREM_FUNCTIONS; f++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            mpno_theorem_grid *grid;
            assert_ok(ctx, mpno_theorem_grid_create(ctx, (mpno_theorem_function)f, sizes[s].ndim,
                                                    sizes[s].n, &grid));
            int64_t n_k = all_frequencies(sizes[s].ndim, sizes[s].n, k);
            for (int64_t i = 0; i < n_k; i++) {
                const mpno_disc disc = mpno_theorem_disc(grid, k[i]);
                if (!(disc.measured <= disc.bound + disc.own && disc.bound <= disc.of_class))
                    fail_msg("%s, %d axes, %d points, frequency %d: %g of %g, %g",
                             mpno_theorem_name((mpno_theorem_function)f), sizes[s].ndim,
                             (int)sizes[s].n, (int)k[i][0], disc.measured, disc.bound,
                             disc.of_class);
                if (disc.measured > 100 * disc.own)
                    m[f].disc = fmax(m[f].disc, disc.measured / disc.bound);
            }
            if (n_k > 200) n_k = 200;
            for (int i = 0; i < 4; i++) check_format(ctx, grid, formats[i], n_k, *k, &m[f]);
            mpno_theorem_grid_destroy(&grid);
        }
    for (int f = 0; f < MPNO_N_THEOREM_FUNCTIONS; f++) {
        assert_true(m[f].disc >= 0.25);
        all.prec = fmax(all.prec, m[f].prec);
        all.samples = fmax(all.samples, m[f].samples);
        all.butterflies = fmax(all.butterflies, m[f].butterflies);
    }
    assert_true(all.prec >= 0.25 && all.samples >= 0.25 && all.butterflies >= 0.25);
    free(k);
}

/* Sums of n samples in f16 end at 65504, which the paper's theorem says nothing of. */
static void sums_that_leave_the_range_are_infinite(void **state) {
    mpno_ctx *ctx = *state;
    const int64_t k[MPNO_THEOREM_AXES] = {0};
    mpno_theorem_grid *grid;
    mpno_prec prec;
    assert_ok(ctx, mpno_theorem_grid_create(ctx, MPNO_THEOREM_HAT, 2, 512, &grid));
    assert_ok(ctx, mpno_theorem_prec(grid, MPNO_F16, true, 1, k, &prec));
    assert_true(isinf(prec.butterflies) && isfinite(prec.measured)); /* 512^2 / 4 > 65504 */
    mpno_theorem_grid_destroy(&grid);
    assert_fails(ctx, mpno_theorem_grid_create(ctx, MPNO_THEOREM_HAT, 4, 8, &grid), MPNO_E_ARGUMENT,
                 "4 axes");
    assert_fails(ctx, mpno_theorem_grid_create(ctx, MPNO_THEOREM_HAT, 3, 1 << 11, &grid),
                 MPNO_E_ARGUMENT, "2048 points");
}

int main(void) {
    rng = mpno_rng_make(8, MPNO_STREAM_TEST, 61);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(coefficients_are_those_of_the_functions, make_context,
                                        end_context),
        cmocka_unit_test(no_function_exceeds_the_bounds_of_its_class),
        cmocka_unit_test(worst_functions_reach_the_bounds),
        cmocka_unit_test_setup_teardown(nothing_measured_exceeds_its_bound, make_context,
                                        end_context),
        cmocka_unit_test_setup_teardown(sums_that_leave_the_range_are_infinite, make_context,
                                        end_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
