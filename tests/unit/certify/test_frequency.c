/* SPDX-License-Identifier: MIT
 * The statements of docs/theory/frequency.md on fields that are random, that lie on ties, between
 * subnormal numbers, in one binade and in many, and that a search has made for the worst: no bound
 * may be exceeded, and each must be reached within a factor of 4 somewhere. MPNO_TEST_TRIALS=N
 * takes N times as many cases. */
#include "unit/data/support.h"

#include <math.h>

#include "certify/frequency.h"
#include "core/memory.h"
#include "core/rng.h"
#include "number/format.h"
#include "transform/fft/fft.h"

enum { MOST_POINTS = 64, TRIALS = 100000 };
static const double PI = 3.14159265358979323846;
static const mpno_format formats[] = {MPNO_F16,    MPNO_BF16, MPNO_F8E4M3,
                                      MPNO_F8E5M2, MPNO_F32,  MPNO_TF32};
enum { N_FORMATS = sizeof formats / sizeof *formats };
static mpno_rng rng;

static int64_t times(int64_t n) {
    const char *text = getenv("MPNO_TEST_TRIALS");
    return n * (text == NULL ? 1 : atoi(text));
}

static int64_t below(int64_t n) {
    return (int64_t)mpno_rng_below(&rng, (uint64_t)n);
}

/* Sums here are of at most MOST_POINTS numbers with roots that are right to 2^-52 or so. */
static const double slack = 1 + 4 * MOST_POINTS * 0x1p-52;

/* -------- grids and coefficients -------- */

typedef struct grid {
    int ndim;
    int64_t n[3], points;
    double cosine[MOST_POINTS], sine[MOST_POINTS]; /* of the product of all axes' points */
} grid;

static grid make_grid(int ndim, int64_t a, int64_t b, int64_t c) {
    grid g = {.ndim = ndim, .n = {a, b, c}, .points = a * b * c};
    assert_true(g.points <= MOST_POINTS);
    for (int64_t j = 0; j < g.points; j++) {
        g.cosine[j] = cos(2 * PI * (double)j / (double)g.points);
        g.sine[j] = sin(2 * PI * (double)j / (double)g.points);
    }
    return g;
}

static grid any_grid(void) {
    static const int64_t sizes[][3] = {{1, 1, 1}, {2, 1, 1}, {3, 1, 1}, {4, 1, 1},  {5, 1, 1},
                                       {7, 1, 1}, {8, 1, 1}, {9, 1, 1}, {12, 1, 1}, {16, 1, 1},
                                       {2, 2, 1}, {4, 4, 1}, {3, 5, 1}, {2, 8, 1},  {2, 2, 2},
                                       {3, 2, 4}, {4, 2, 2}, {1, 6, 1}};
    if (below(200) == 0) return below(2) ? make_grid(1, 64, 1, 1) : make_grid(3, 4, 4, 4);
    const int64_t *s = sizes[below(sizeof sizes / sizeof *sizes)];
    return make_grid(3, s[0], s[1], s[2]);
}

/* k.x in parts of a turn, times the points: of frequency number k and point number x. */
static int64_t phase(const grid *g, int64_t k, int64_t x) {
    int64_t sum = 0;
    for (int d = 2; d >= 0; d--) {
        sum += (k % g->n[d]) * (x % g->n[d]) * (g->points / g->n[d]);
        k /= g->n[d];
        x /= g->n[d];
    }
    return sum % g->points;
}

static int64_t conjugate(const grid *g, int64_t k) {
    int64_t place = 0, scale = 1;
    for (int d = 2; d >= 0; d--) {
        place += (g->n[d] - k % g->n[d]) % g->n[d] * scale;
        scale *= g->n[d];
        k /= g->n[d];
    }
    return place;
}

static void coefficient(const grid *g, const double *v, int64_t k, double out[2]) {
    out[0] = out[1] = 0;
    for (int64_t x = 0; x < g->points; x++) {
        const int64_t at = phase(g, k, x);
        out[0] += v[x] * g->cosine[at] / (double)g->points;
        out[1] -= v[x] * g->sine[at] / (double)g->points;
    }
}

/* -------- fields -------- */

/* The numbers of the format are whole multiples of this near x. */
static double step(double x, mpno_format format) {
    return 2 * mpno_rounding_most(x, format);
}

static double any_value(mpno_format format, int kind, int level) {
    const mpno_format_facts *f = mpno_format_get(format);
    double x = mpno_rng_normal(&rng);
    switch (kind) {
        case 0:
            x = ldexp(x, level);
            break;
        case 1: /* ties, with even and odd neighbours */
        case 2: /* and just beside them */
            x = ldexp(x, level);
            x = floor(x / step(x, format)) * step(x, format) + step(x, format) / 2;
            if (kind == 2) x *= below(2) ? 1 + 0x1p-50 : 1 - 0x1p-50;
            break;
        case 3: /* subnormal numbers, some of them below the least */
            x = ldexp(x, f->min_exponent - (int)below(f->significand + 3));
            break;
        case 4: /* all binades */
            x = ldexp(x, level - (int)below(16));
            break;
        default: /* few that are not 0 */
            x = below(4) ? 0 : ldexp(x, level);
    }
    const double most = mpno_format_max(format);
    return fmax(-most, fmin(most, x));
}

static void any_field(const grid *g, mpno_format format, double *v) {
    const mpno_format_facts *f = mpno_format_get(format);
    const int kind = (int)below(8);
    const int range = f->max_exponent - 3 - f->min_exponent;
    const int level = f->min_exponent + (int)below(range);
    const int64_t k = below(g->points);
    for (int64_t x = 0; x < g->points; x++) {
        if (kind == 6) /* a smooth wave about a constant */
            v[x] = ldexp(1.5 + 0.4 * g->cosine[phase(g, k, x)], level);
        else if (kind == 7) /* a constant */
            v[x] = x > 0 ? v[0] : any_value(format, 0, level);
        else
            v[x] = any_value(format, kind, level);
    }
}

static void roundings(const double *v, int64_t n, mpno_format format, double *r) {
    for (int64_t x = 0; x < n; x++) r[x] = mpno_format_round(v[x], format) - v[x]; /* exact */
}

static double mean_modulus(const double *v, int64_t n) {
    double sum = 0;
    for (int64_t x = 0; x < n; x++) sum += fabs(v[x]) / (double)n;
    return sum;
}

/* -------- F1 -------- */

static void one_rounding_moves_by_half_a_step(void **state) {
    (void)state;
    for (int64_t t = 0; t < times(TRIALS); t++) {
        const mpno_format format = formats[t % N_FORMATS];
        const mpno_format_facts *f = mpno_format_get(format);
        const double u = mpno_format_unit(format), eta = mpno_rounding_eta(format);
        const int range = f->max_exponent - 3 - f->min_exponent;
        const double x = any_value(format, (int)below(6), f->min_exponent + (int)below(range));
        const double moved = fabs(mpno_format_round(x, format) - x),
                     most = mpno_rounding_most(x, format);
        if (!(moved <= most && most <= fmax(u * fabs(x), eta)))
            fail_msg("%s: %.17g moves by %g of %g", f->name, x, moved, most);
        /* normal numbers, where the step is 2u of a power of two, and a tie, which moves by it all
         */
        if (fabs(x) >= ldexp(1, f->min_exponent)) assert_true(most > u / 2 * fabs(x));
        const double tie = floor(fabs(x) / step(x, format)) * step(x, format) + most;
        if (x != 0 && tie < mpno_format_max(format))
            assert_true(fabs(mpno_format_round(tie, format) - tie) == most);
    }
}

/* -------- F2, F3, F5: every coefficient, every set of them -------- */

typedef struct worst {
    double any, set, point; /* largest parts of a bound that were seen */
} worst;

static void check_sets(const grid *g, const double *e, const mpno_floor *floor, worst *w) {
    bool in[MOST_POINTS] = {false};
    int64_t modes = 0;
    double squares = 0, most = 0;
    const int64_t part = 1 + below(4);
    for (int64_t k = 0; k < g->points;
         k++) { /* closed under conjugation, as those of real fields */
        const int64_t c = conjugate(g, k);
        in[k] = c < k ? in[c] : below(part) == 0;
        modes += in[k];
        if (in[k]) squares += e[2 * k] * e[2 * k] + e[2 * k + 1] * e[2 * k + 1];
    }
    if (modes == 0) return;
    const double bound = mpno_floor_of_modes(floor, modes);
    if (!(sqrt(squares) <= bound * slack))
        fail_msg("%d modes: %g of %g", (int)modes, sqrt(squares), bound);
    if (bound > 0) w->set = fmax(w->set, sqrt(squares) / bound);
    for (int64_t x = 0; x < g->points; x++) {
        double re = 0, im = 0;
        for (int64_t k = 0; k < g->points; k++) {
            const int64_t at = phase(g, k, x);
            if (!in[k]) continue;
            re += e[2 * k] * g->cosine[at] - e[2 * k + 1] * g->sine[at];
            im += e[2 * k] * g->sine[at] + e[2 * k + 1] * g->cosine[at];
        }
        most = fmax(most, hypot(re, im));
    }
    const double at_points = mpno_floor_at_points(floor, modes);
    if (!(most <= at_points * slack)) fail_msg("at a point: %g of %g", most, at_points);
    if (at_points > 0) w->point = fmax(w->point, most / at_points);
}

static void check_field(const grid *g, const double *v, mpno_format format, worst *w) {
    double r[MOST_POINTS], e[2 * MOST_POINTS];
    const mpno_floor floor = mpno_floor_of(v, g->points, format);
    const double plain = mpno_format_unit(format) * mean_modulus(v, g->points) +
                         mpno_rounding_eta(format),
                 pair = mpno_floor_of_modes(&floor, 2) / sqrt(2);
    assert_true(floor.mean <= plain * slack && floor.mean <= floor.root * slack);
    roundings(v, g->points, format, r);
    for (int64_t k = 0; k < g->points; k++) {
        coefficient(g, r, k, e + 2 * k);
        const double size = hypot(e[2 * k], e[2 * k + 1]);
        if (!(size <= floor.mean * slack))
            fail_msg("%s, %d points, frequency %d: %g of %g", mpno_format_get(format)->name,
                     (int)g->points, (int)k, size, floor.mean);
        if (conjugate(g, k) != k && !(size <= pair * slack))
            fail_msg("%s, frequency %d and its conjugate: %g of %g", mpno_format_get(format)->name,
                     (int)k, size, pair);
        w->any = fmax(w->any, size / plain);
    }
    check_sets(g, e, &floor, w);
}

static void no_coefficient_exceeds_the_floor(void **state) {
    (void)state;
    worst w = {0};
    double v[MOST_POINTS];
    for (int64_t t = 0; t < times(TRIALS); t++) {
        const grid g = any_grid();
        const mpno_format format = formats[below(N_FORMATS)];
        any_field(&g, format, v);
        check_field(&g, v, format, &w);
    }
    assert_true(w.any >= 0.25 && w.set >= 0.25 && w.point >= 0.25);
}

/* Coordinate ascent: what a sample may be instead, one at a time, kept when the error at frequency
 * k grows in parts of the bound. Every field on the way is held to the bounds. */
static double climb(const grid *g, mpno_format format, int64_t k, double *v, worst *w) {
    double best = 0, r[MOST_POINTS], e[2];
    for (int sweep = 0; sweep < 3; sweep++)
        for (int64_t x = 0; x < g->points; x++) {
            const double kept = v[x], base = floor(kept / step(kept, format)) * step(kept, format);
            double chosen = kept;
            const double half = mpno_rounding_most(kept, format);
            const double others[] = {kept,
                                     base + half,
                                     base - half,
                                     base + half * (1 - 0x1p-40),
                                     base + half * (1 + 0x1p-40),
                                     -kept};
            for (int c = 0; c < 6; c++) { /* ties up and down, beside them, the other sign */
                v[x] = others[c];
                if (!(fabs(v[x]) < mpno_format_max(format)) || v[x] == 0) continue;
                check_field(g, v, format, w);
                roundings(v, g->points, format, r);
                coefficient(g, r, k, e);
                const double part =
                    hypot(e[0], e[1]) / (mpno_format_unit(format) * mean_modulus(v, g->points) +
                                         mpno_rounding_eta(format));
                if (part > best) best = part, chosen = v[x];
            }
            v[x] = chosen;
        }
    return best;
}

static void a_search_reaches_the_floor_at_every_frequency(void **state) {
    (void)state;
    worst w = {0};
    double v[MOST_POINTS];
    static const int64_t sizes[][3] = {{8, 1, 1}, {6, 1, 1}, {4, 4, 1}, {2, 2, 2}};
    for (int64_t t = 0; t < times(1); t++)
        for (int f = 0; f < N_FORMATS; f++)
            for (int s = 0; s < 4; s++) {
                const grid g = make_grid(3, sizes[s][0], sizes[s][1], sizes[s][2]);
                const int level = -(int)below(4); /* one binade, 1 to 2 times a power of two */
                for (int64_t k = 0; k < g.points; k++) {
                    for (int64_t x = 0; x < g.points; x++)
                        v[x] = ldexp(1 + 0.5 * mpno_rng_uniform(&rng), level);
                    const double reached = climb(&g, formats[f], k, v, &w);
                    if (!(reached >= 0.4))
                        fail_msg("%s, frequency %d: %g", mpno_format_get(formats[f])->name, (int)k,
                                 reached);
                }
            }
}

/* -------- F4: the worst case near every field, at every frequency -------- */

/* Fields within one step of v, no sample's magnitude below its number of the format: the one that
 * rounds to where cos(k.x + angle) points. */
static void line_up(const grid *g, const double *v, mpno_format format, int64_t k, double angle,
                    double *out) {
    for (int64_t x = 0; x < g->points; x++) {
        const double most = mpno_rounding_most(v[x], format), sign = copysign(1, v[x]),
                     low = floor(fabs(v[x]) / (2 * most)) * 2 * most,
                     wanted = cos(2 * PI * (double)phase(g, k, x) / (double)g->points + angle);
        out[x] =
            v[x] == 0 ? 0 : sign * (low + most * (wanted * sign > 0 ? 1 + 0x1p-20 : 1 - 0x1p-20));
    }
}

static void near_every_field_is_one_that_reaches_the_floor(void **state) {
    (void)state;
    double v[MOST_POINTS], near[MOST_POINTS], r[MOST_POINTS], e[2];
    worst w = {0};
    for (int64_t t = 0; t < times(TRIALS / 100); t++) {
        const grid g = any_grid();
        const mpno_format format = formats[t % N_FORMATS];
        const mpno_format_facts *f = mpno_format_get(format);
        const double u = mpno_format_unit(format);
        if (f->significand > 20) continue; /* of f32 the tie's neighbours are too near for f64 */
        for (int64_t x = 0; x < g.points; x++) {
            const double wide = ldexp(mpno_rng_normal(&rng), -(int)below(3));
            v[x] = copysign(fmax(fabs(wide), ldexp(1, f->min_exponent)), wide);
        }
        const mpno_floor floor = mpno_floor_of(v, g.points, format);
        for (int64_t k = 0; k < g.points; k++) {
            double best = 0, size = 0;
            for (int a = 0; a < 32; a++) { /* the best of 32 angles: within cos(pi / 64) */
                line_up(&g, v, format, k, PI * a / 32, near);
                roundings(near, g.points, format, r);
                coefficient(&g, r, k, e);
                if (hypot(e[0], e[1]) <= best) continue;
                best = hypot(e[0], e[1]);
                size = mean_modulus(near, g.points);
                for (int64_t x = 0; x < g.points; x++)
                    assert_true(fabs(near[x] - v[x]) <= 2 * u * fabs(v[x]) * (1 + 0x1p-19));
                check_field(&g, near, format, &w);
            }
            if (!(best >= 2 / PI * floor.mean * (1 - 2e-6) * cos(PI / 64)))
                fail_msg("%s, %d points, frequency %d: %g of %g", f->name, (int)g.points, (int)k,
                         best, floor.mean);
            if (!(best >= u * size / 4))
                fail_msg("%s, %d points, frequency %d: %g of u mean|v|", f->name, (int)g.points,
                         (int)k, best / (u * size));
        }
    }
}

/* -------- F6: truncation -------- */

/* A function of finitely many frequencies, some of them beyond what the grid tells apart. */
typedef struct series {
    int n;
    int64_t k[8];
    double re[8], im[8];
} series;

static series any_series(int64_t n, double size) {
    series s = {.n = 1 + (int)below(8)};
    for (int i = 0; i < s.n; i++) {
        s.k[i] = 9 * i + below(9); /* distinct */
        if (below(2)) s.k[i] %= n;
        for (int j = 0; j < i; j++)
            if (s.k[i] == s.k[j]) s.k[i] = 9 * i + 72;
        s.re[i] = size * mpno_rng_normal(&rng) / (1 + (double)s.k[i]);
        s.im[i] = s.k[i] > 0 ? size * mpno_rng_normal(&rng) / (1 + (double)s.k[i]) : 0;
    }
    return s;
}

/* Sums 2 Re c exp(2 pi i k x), and c_0. */
static double series_at(const series *s, int64_t x, int64_t n) {
    double sum = 0;
    for (int i = 0; i < s->n; i++) {
        const double angle = 2 * PI * (double)(s->k[i] * x % n) / (double)n;
        const double part = s->re[i] * cos(angle) - s->im[i] * sin(angle);
        sum += s->k[i] > 0 ? 2 * part : part;
    }
    return sum;
}

static void truth_at(const series *s, int64_t k, double out[2]) {
    out[0] = out[1] = 0;
    for (int i = 0; i < s->n; i++)
        if (s->k[i] == k) out[0] += s->re[i], out[1] += s->im[i];
}

/* Distance in L2, and in the norm with weights 1 + (2 pi k)^2, of what the kept modes |k| <= top
 * make of rounded samples, from the function: against tail, alias and floor. Gives the part of the
 * rounding bound that rounding alone reached, in either norm. */
static void check_truncation(const grid *g, const series *s, const double *v, mpno_format format,
                             int64_t top, double reached[2]) {
    double rounded[MOST_POINTS], r[MOST_POINTS];
    const mpno_floor floor = mpno_floor_of(v, g->points, format);
    for (int norm = 0; norm < 2; norm++) {
        double tail = 0, alias = 0, rounding = 0, all = 0, weight;
        for (int i = 0; i < s->n; i++) {
            weight = norm ? 1 + pow(2 * PI * (double)s->k[i], 2) : 1;
            if (s->k[i] > top) tail += 2 * weight * (s->re[i] * s->re[i] + s->im[i] * s->im[i]);
        }
        for (int64_t x = 0; x < g->points; x++) rounded[x] = mpno_format_round(v[x], format);
        roundings(v, g->points, format, r);
        for (int64_t k = 0; k <= top; k++) {
            double truth[2], sampled[2], stored[2], e[2];
            truth_at(s, k, truth);
            coefficient(g, v, k, sampled);
            coefficient(g, rounded, k, stored);
            coefficient(g, r, k, e);
            weight = (k > 0 ? 2 : 1) * (norm ? 1 + pow(2 * PI * (double)k, 2) : 1);
            for (int p = 0; p < 2; p++) {
                alias += weight * pow(sampled[p] - truth[p], 2);
                all += weight * pow(stored[p] - truth[p], 2);
                rounding += weight * e[p] * e[p];
            }
        }
        const double grows = norm ? sqrt(1 + pow(2 * PI * (double)top, 2)) : 1;
        const double kept = grows * mpno_floor_of_modes(&floor, 2 * top + 1);
        const double bound = sqrt(tail + pow(sqrt(alias) + kept, 2));
        if (!(sqrt(rounding) <= kept * slack))
            fail_msg("kept %d: rounding %g of %g", (int)top, sqrt(rounding), kept);
        /* f64 has its own roundings in the samples and coefficients */
        const double own = grows * 64 * 0x1p-52 * mean_modulus(v, g->points);
        if (!(sqrt(tail + all) <= bound * slack + own))
            fail_msg("kept %d: %g of %g", (int)top, sqrt(tail + all), bound);
        if (kept > 0) reached[norm] = fmax(reached[norm], sqrt(rounding) / kept);
    }
}

static void truncation_keeps_what_it_promises(void **state) {
    (void)state;
    double v[MOST_POINTS], reached[2] = {0};
    for (int64_t t = 0; t < times(TRIALS); t++) {
        const grid g = make_grid(3, 2 + below(t % 50 ? 14 : 62), 1, 1);
        const mpno_format format = formats[below(N_FORMATS)];
        const mpno_format_facts *f = mpno_format_get(format);
        const int lowest = below(8) ? -3 : f->min_exponent - 2; /* 1/8: of subnormal numbers */
        const series s = any_series(g.points, ldexp(1, lowest));
        for (int64_t x = 0; x < g.points; x++) v[x] = series_at(&s, x, g.points);
        check_truncation(&g, &s, v, format, below((g.points + 1) / 2), reached);
    }
}

/* The last kept mode takes all: what remains of the rounding error is as large as without
 * truncation, and in the norm with derivatives it grows with the last kept frequency. */
static void truncation_promises_no_more(void **state) {
    (void)state;
    for (int f = 0; f < N_FORMATS; f++)
        for (int64_t top = 1; top < 16; top++) {
            double near[MOST_POINTS], v[MOST_POINTS], reached[2] = {0};
            const grid g = make_grid(3, 32, 1, 1);
            const series s = {.n = 1, .re = {1.3}}; /* the function is a constant near it */
            for (int64_t x = 0; x < 32; x++) v[x] = 1.3;
            line_up(&g, v, formats[f], top, 0.05, near);
            check_truncation(&g, &s, near, formats[f], top, reached);
            if (!(reached[0] >= 0.85 && reached[1] >= 0.85))
                fail_msg("%s, %d kept: %g, %g", mpno_format_get(formats[f])->name, (int)top,
                         reached[0], reached[1]);
        }
}

/* -------- F7: stochastic rounding -------- */

/* The multiple of s at or below x. */
static double lower(double x, double s) {
    return floor(x / s) * s;
}

static void stochastic_rounding_spreads_over_all_modes(void **state) {
    (void)state;
    enum { DRAWS = 4000 };
    const grid g = make_grid(3, 16, 1, 1);
    double v[MOST_POINTS], r[MOST_POINTS], e[2];
    for (int f = 0; f < N_FORMATS; f++) {
        for (int64_t x = 0; x < 16; x++) v[x] = any_value(formats[f], 1, 0);
        const mpno_floor floor = mpno_floor_of(v, 16, formats[f]);
        double sum = 0, squares = 0;
        for (int t = 0; t < DRAWS; t++) { /* modes -2 .. 2 */
            double now = 0;
            for (int64_t x = 0; x < 16; x++) {
                const double s = step(v[x], formats[f]), low = lower(v[x], s);
                r[x] = (mpno_rng_uniform(&rng) < (v[x] - low) / s ? low + s : low) - v[x];
            }
            for (int64_t k = 0; k <= 2; k++) {
                coefficient(&g, r, k, e);
                now += (k > 0 ? 2 : 1) * (e[0] * e[0] + e[1] * e[1]);
            }
            sum += now / DRAWS;
            squares += now * now / DRAWS;
        }
        const double deviation = sqrt((squares - sum * sum) / DRAWS),
                     bound = mpno_floor_stochastic(&floor, 5, 16);
        assert_true(sum <= bound + 5 * deviation && sum >= bound / 4);
        assert_true(bound <= floor.root * floor.root * 5 / 16 * slack);
    }
}

/* -------- F8: spectra that are stored -------- */

static void stored_coefficients_are_off_by_both_roundings(void **state) {
    (void)state;
    double v[MOST_POINTS], r[MOST_POINTS], nearest = 0;
    for (int64_t t = 0; t < times(TRIALS); t++) {
        const grid g = any_grid();
        const mpno_format format = formats[below(N_FORMATS)];
        const int64_t k = below(g.points);
        const double u = mpno_format_unit(format);
        double exact[2], made[2];
        any_field(&g, format, v);
        for (int64_t x = 0; x < g.points; x++) r[x] = mpno_format_round(v[x], format);
        coefficient(&g, v, k, exact), coefficient(&g, r, k, made);
        const double off = hypot(mpno_format_round(made[0], format) - exact[0],
                                 mpno_format_round(made[1], format) - exact[1]);
        const double most = (1 + u) * mpno_floor_of(v, g.points, format).mean +
                            u * hypot(exact[0], exact[1]) + sqrt(2) * mpno_rounding_eta(format);
        /* f64 sums of both are off by little of what they add up */
        if (!(off <= most * slack + (slack - 1) * mean_modulus(v, g.points)))
            fail_msg("%s, %d points, frequency %d: off by %g of %g", mpno_format_get(format)->name,
                     (int)g.points, (int)k, off, most);
        if (most > 0) nearest = fmax(nearest, off / most);
    }
    assert_true(nearest >= 0.25);
}

/* -------- F9: butterflies -------- */

enum { FIELDS = 256 };

/* Largest error in parts of the bound over FIELDS fields of n points, re and im. */
static double run_butterflies(mpno_ctx *ctx, int ndim, const int64_t *n, mpno_format format,
                              const double *fields, double *set_part) {
    mpno_fft_problem problem = {.kind = MPNO_FFT_COMPLEX, .arithmetic = format, .ndim = ndim};
    int64_t points = 1;
    for (int d = 0; d < ndim; d++) {
        problem.size[d] = problem.keep[d] = n[d];
        points *= n[d];
    }
    mpno_fft *narrow, *exact;
    const size_t count = (size_t)points * 2 * FIELDS;
    double *got = calloc(2 * count, sizeof *got), *want = got + count;
    void *scratch[2];
    assert_ok(ctx, mpno_fft_create(ctx, &problem, &narrow));
    problem.arithmetic = MPNO_F64;
    assert_ok(ctx, mpno_fft_create(ctx, &problem, &exact));
    assert_ok(ctx, mpno_alloc_raw(ctx, mpno_fft_scratch_bytes(narrow, FIELDS, 1), &scratch[0]));
    assert_ok(ctx, mpno_alloc_raw(ctx, mpno_fft_scratch_bytes(exact, FIELDS, 1), &scratch[1]));
    float *stored = calloc(2 * count, sizeof *stored);
    for (size_t i = 0; i < count; i++) stored[i] = (float)fields[i]; /* exact by choice */
    mpno_fft_call call = {.batch = 1,
                          .channels = FIELDS,
                          .scale = 1.0 / (double)points,
                          .field_format = MPNO_F32,
                          .spectrum_format = MPNO_F32,
                          .n_threads = 1,
                          .scratch = scratch[0]};
    assert_int_equal(mpno_fft_forward(narrow, &call, stored, stored + count), 0);
    for (size_t i = 0; i < count; i++)
        got[i] = (double)mpno_format_round(stored[count + i], format);
    call.field_format = call.spectrum_format = MPNO_F64;
    call.scratch = scratch[1];
    assert_int_equal(mpno_fft_forward(exact, &call, fields, want), 0);
    const mpno_butterflies b = mpno_butterflies_of(ndim, n, format);
    double most = 0;
    for (int c = 0; c < FIELDS; c++) {
        double mean = 0, square = 0, errors = 0;
        for (int64_t x = 0; x < points; x++) {
            const double re = fields[x * 2 * FIELDS + c], im = fields[(x * 2 + 1) * FIELDS + c];
            mean += hypot(re, im) / (double)points;
            square += (re * re + im * im) / (double)points;
        }
        const double any = b.growth * mean + b.underflow,
                     set = b.growth * sqrt(square) + b.underflow * sqrt((double)points);
        for (int64_t k = 0; k < points; k++) {
            const double re = got[k * 2 * FIELDS + c] - want[k * 2 * FIELDS + c],
                         im = got[(k * 2 + 1) * FIELDS + c] - want[(k * 2 + 1) * FIELDS + c];
            errors += re * re + im * im;
            if (!(hypot(re, im) <= any * slack))
                fail_msg("%s, %d points: %g of %g", mpno_format_get(format)->name, (int)points,
                         hypot(re, im), any);
            most = fmax(most, hypot(re, im) / any);
        }
        if (!(sqrt(errors) <= set * slack))
            fail_msg("%s, all of %d: %g of %g", mpno_format_get(format)->name, (int)points,
                     sqrt(errors), set);
        *set_part = fmax(*set_part, sqrt(errors) / set);
    }
    mpno_free(ctx, scratch[0]);
    mpno_free(ctx, scratch[1]);
    mpno_fft_destroy(ctx, &narrow);
    mpno_fft_destroy(ctx, &exact);
    free(got);
    free(stored);
    return most;
}

static void butterflies_stay_below_their_bound(void **state) {
    mpno_ctx *ctx = *state;
    static const int64_t sizes[][3] = {{1, 0, 0},  {2, 0, 0}, {4, 0, 0}, {8, 0, 0},  {16, 0, 0},
                                       {64, 0, 0}, {2, 2, 0}, {4, 4, 0}, {16, 8, 0}, {4, 4, 4}};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        const int64_t *n = sizes[i / 2];
        const mpno_format format = formats[i % 2];
        const int ndim = n[2] ? 3 : n[1] ? 2 : 1;
        const int64_t points = n[0] * (n[1] ? n[1] : 1) * (n[2] ? n[2] : 1);
        double *fields = calloc((size_t)points * 2 * FIELDS, sizeof *fields), best = 0, set = 0;
        for (int64_t t = 0; t < times(points > 16 ? 4 : 40); t++) {
            const int kind = (int)below(6), level = below(5) ? -(int)below(4) : -13;
            for (int64_t j = 0; j < points * 2 * FIELDS; j++) {
                const double x = any_value(format, kind, level);
                fields[j] = (float)fmax(-500, fmin(500, x));
            }
            best = fmax(best, run_butterflies(ctx, ndim, n, format, fields, &set));
        }
        if (points <= 16 && !(best >= 0.25 && set >= 0.25))
            fail_msg("%s, %d points: no more than %g and %g of the bounds",
                     mpno_format_get(format)->name, (int)points, best, set);
        free(fields);
    }
}

/* What the bound has for roots is what rounding does to them: the worst one of each stage, as it
 * is.
 */
static void roots_are_off_by_no_more_than_the_bound_has(void **state) {
    (void)state;
    for (int f = 0; f < N_FORMATS; f++) {
        const double u = mpno_format_unit(formats[f]);
        double growth = 1 + u, worst_root = 0;
        for (int64_t n = 2; n <= 4096; n *= 2) {
            double off = 0;
            for (int64_t i = 0; i < n; i++) {
                /* multiples of a quarter turn have parts 0 and 1 */
                const double angle = 2 * PI * (double)i / (double)n,
                             re = 4 * i % n ? cos(angle) : 0, im = 4 * i % n ? sin(angle) : 0;
                off = fmax(off, hypot(mpno_format_round(re, formats[f]) - re,
                                      mpno_format_round(im, formats[f]) - im));
            }
            growth *= (1 + u) * (1 + off);
            worst_root = fmax(worst_root, off);
            assert_true(mpno_butterflies_of(1, &n, formats[f]).growth >= growth - 1);
        }
        assert_true(worst_root <= u / sqrt(2) && worst_root >= 0.6 * u / sqrt(2));
    }
    const int64_t odd[] = {8, 12};
    assert_true(isinf(mpno_butterflies_of(2, odd, MPNO_F16).growth));
}

int main(void) {
    rng = mpno_rng_make(8, MPNO_STREAM_TEST, 60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_rounding_moves_by_half_a_step),
        cmocka_unit_test(no_coefficient_exceeds_the_floor),
        cmocka_unit_test(a_search_reaches_the_floor_at_every_frequency),
        cmocka_unit_test(near_every_field_is_one_that_reaches_the_floor),
        cmocka_unit_test(truncation_keeps_what_it_promises),
        cmocka_unit_test(truncation_promises_no_more),
        cmocka_unit_test(stochastic_rounding_spreads_over_all_modes),
        cmocka_unit_test(stored_coefficients_are_off_by_both_roundings),
        cmocka_unit_test(roots_are_off_by_no_more_than_the_bound_has),
        cmocka_unit_test_setup_teardown(butterflies_stay_below_their_bound, make_context,
                                        end_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
