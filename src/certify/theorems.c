/* SPDX-License-Identifier: MIT
 * See theorems.h. Phases are whole numbers mod n, roots come from a table that is right to half a
 * unit, sums are compensated: what f64 adds to a measured distance is bounded by the errors of the
 * samples. */
#include "certify/theorems.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "certify/frequency.h"
#include "certify/upwards.h"
#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/fft.h"
#include "transform/fft/roots.h"

static const double PI = 3.14159265358979323846;

/* ---- bounds ---- */

/* sin(pi k / n) / (pi k / n) */
static double sinc(int64_t n, int64_t k) {
    const double angle = PI * (double)llabs(k) / (double)n;
    return k == 0 ? 1 : sin(angle) / angle;
}

/* T1: local is the mean of |v(x) - v(nearest point)|, `coefficient` bounds |v^_k|. */
static double from_cells(int64_t n, int64_t k, double local, double coefficient) {
    const double s = sinc(n, k);
    return mpno_up((local + (1 - s) * fmin(1, coefficient)) / s, 16);
}

double mpno_disc_hoelder(int64_t n, int64_t k, double constant, double exponent) {
    const double local = constant * pow(2 * (double)n, -exponent) / (1 + exponent);
    return from_cells(n, k, local,
                      k == 0 ? 1 : constant / 2 * pow(2 * (double)llabs(k), -exponent));
}

double mpno_disc_variation(int64_t n, int64_t k, double variation) {
    return from_cells(n, k, variation / (2 * (double)n),
                      k == 0 ? 1 : variation / (2 * PI * (double)llabs(k)));
}

double mpno_disc_bent(int64_t n, int64_t k, double variation) {
    const double share = variation / (4 * PI * PI);
    if (k == 0) return mpno_up(share * PI * PI / 3 / (double)(n * n), 10);
    /* (pi / n)^2 / sin^2 - 1 / k^2: what the difference loses is added */
    const double angle = PI * (double)llabs(k) / (double)n, ratio = angle / sin(angle);
    const double square = (double)(k * k);
    return mpno_up(share * (ratio * ratio - 1 + 32 * 0x1p-52) / square, 8);
}

double mpno_disc_analytic(int ndim, int64_t n, const int64_t *k, double constant, double ratio) {
    /* product of (p_j + a_j) - product of p_j, p_j that of |k_j| and a_j of its aliases */
    double rest = 0, own = 1;
    for (int d = 0; d < ndim; d++) {
        const double at = (double)llabs(k[d]), period = (double)n;
        const double p = pow(ratio, at), a = (pow(ratio, period - at) + pow(ratio, period + at)) /
                                             (1 - pow(ratio, period));
        rest = rest * (p + a) + own * a; /* own: of the axes so far */
        own *= p;
    }
    return mpno_up(constant * rest, 40) + 0x1p-1000; /* powers that were too small for f64 */
}

/* ---- functions ---- */

enum { TERMS = 30 };
static const double corner = 0.3, decay = 0.6;

static double amplitudes(void) {
    double sum = 0;
    for (int j = 0; j < TERMS; j++) sum += pow(2, -0.5 * j);
    return sum;
}

static const struct {
    const char *name, *of_class;
} functions[MPNO_N_THEOREM_FUNCTIONS] = {
    [MPNO_THEOREM_ANALYTIC] = {"analytic", "analytic"},
    [MPNO_THEOREM_HAT] = {"hat", "Lipschitz"},
    [MPNO_THEOREM_HOELDER] = {"hoelder", "Hoelder 1/2"},
    [MPNO_THEOREM_SAWTOOTH] = {"sawtooth", "bounded variation"},
};

const char *mpno_theorem_name(mpno_theorem_function function) {
    return functions[function].name;
}

const char *mpno_theorem_class(mpno_theorem_function function) {
    return functions[function].of_class;
}

bool mpno_theorem_parse(const char *name, mpno_theorem_function *out) {
    for (int f = 0; f < MPNO_N_THEOREM_FUNCTIONS; f++)
        if (strcmp(functions[f].name, name) == 0) {
            *out = (mpno_theorem_function)f;
            return true;
        }
    return false;
}

/* At i / n; roots: cosines of the grid. */
static double value(mpno_theorem_function function, int64_t i, int64_t n, const double *cosine) {
    const double x = (double)i / (double)n;
    switch (function) {
        case MPNO_THEOREM_ANALYTIC:
            return (1 - decay) * (1 - decay) / (1 + decay * decay - 2 * decay * cosine[i]);
        case MPNO_THEOREM_HAT:
            return x < corner ? x / corner : (1 - x) / (1 - corner);
        case MPNO_THEOREM_HOELDER: {
            double sum = 0;
            for (int j = TERMS - 1; j >= 0; j--) sum += pow(2, -0.5 * j) * cosine[(i << j) % n];
            return 0.5 + 0.5 * sum / amplitudes();
        }
        default:
            return x;
    }
}

static void one_coefficient(mpno_theorem_function function, int64_t k, double out[2]) {
    const double turn = 2 * PI * (double)k;
    out[0] = k == 0 ? 0.5 : 0; /* the mean of all but the first */
    out[1] = 0;
    switch (function) {
        case MPNO_THEOREM_ANALYTIC:
            out[0] = (1 - decay) / (1 + decay) * pow(decay, (double)llabs(k));
            break;
        case MPNO_THEOREM_HAT: /* (1 - exp(-2 pi i k c)) / ((2 pi i k)^2 c (1 - c)) */
            if (k == 0) break;
            out[0] = -2 * pow(sin(turn * corner / 2), 2) / (turn * turn * corner * (1 - corner));
            out[1] = -sin(turn * corner) / (turn * turn * corner * (1 - corner));
            break;
        case MPNO_THEOREM_HOELDER:
            for (int j = 0; j < TERMS; j++)
                if (llabs(k) == (int64_t)1 << j) out[0] = pow(2, -0.5 * j) / (4 * amplitudes());
            break;
        default:
            if (k != 0) out[1] = 1 / turn;
    }
}

void mpno_theorem_coefficient(mpno_theorem_function function, int ndim, const int64_t *k,
                              double out[2]) {
    out[0] = 1;
    out[1] = 0;
    for (int d = 0; d < ndim; d++) {
        double c[2];
        one_coefficient(function, k[d], c);
        const double re = out[0] * c[0] - out[1] * c[1];
        out[1] = out[0] * c[1] + out[1] * c[0];
        out[0] = re;
    }
}

/* Constants of one factor: Lipschitz (NAN: none). */
static double lipschitz(mpno_theorem_function function) {
    if (function == MPNO_THEOREM_ANALYTIC) return 4 * PI * decay / (1 - decay * decay);
    return function == MPNO_THEOREM_HAT ? 1 / corner : (double)NAN;
}

static void fill_bounds(mpno_theorem_function function, int ndim, int64_t n, const int64_t *k,
                        mpno_disc *out) {
    const double l = lipschitz(function), axes = sqrt((double)ndim);
    double square = 0;
    out->of_class = out->bound = 0;
    for (int d = 0; d < ndim; d++) {
        double of_class = 0, bound = 0;
        square += (double)(k[d] * k[d]);
        if (function == MPNO_THEOREM_HAT) {
            of_class = mpno_disc_hoelder(n, k[d], l, 1);
            bound = fmin(of_class, mpno_disc_bent(n, k[d], 2 / (corner * (1 - corner))));
        } else if (function == MPNO_THEOREM_HOELDER) {
            const double constant = 2 * sqrt(PI) / (1 - sqrt(0.5)) / amplitudes();
            bound = of_class = mpno_disc_hoelder(n, k[d], constant, 0.5);
        } else if (function == MPNO_THEOREM_SAWTOOTH) {
            bound = of_class = mpno_disc_variation(n, k[d], 2);
        }
        out->of_class += of_class;
        out->bound += bound;
    }
    if (function == MPNO_THEOREM_ANALYTIC)
        out->of_class = out->bound =
            mpno_disc_analytic(ndim, n, k, pow((1 - decay) / (1 + decay), ndim), decay);
    out->paper = axes * (sqrt(square) + axes * l) / (double)n;
}

/* ---- a grid ---- */

struct mpno_theorem_grid {
    mpno_ctx *ctx;
    mpno_theorem_function function;
    int ndim;
    int64_t n, points;
    double *values;        /* [points], owned */
    double *cosine, *sine; /* [n], owned: of 2 pi j / n */
};

void mpno_theorem_grid_destroy(mpno_theorem_grid **grid) {
    mpno_theorem_grid *g = *grid;
    if (g == NULL) return;
    mpno_free(g->ctx, g->values);
    mpno_free(g->ctx, g->cosine);
    mpno_free(g->ctx, g->sine);
    mpno_free(g->ctx, g);
    *grid = NULL;
}

static mpno_status fill_grid(mpno_theorem_grid *g) {
    double *factor;
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)g->n, sizeof *g->cosine, &g->cosine));
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)g->n, sizeof *g->sine, &g->sine));
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)g->points, sizeof *g->values, &g->values));
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)g->n, sizeof *factor, &factor));
    for (int64_t j = 0; j < g->n; j++) {
        long double cosine, sine;
        mpno_root(j, g->n, &cosine, &sine);
        g->cosine[j] = (double)cosine;
        g->sine[j] = (double)sine;
    }
    for (int64_t i = 0; i < g->n; i++) factor[i] = value(g->function, i, g->n, g->cosine);
    for (int64_t p = 0; p < g->points; p++) {
        g->values[p] = 1;
        for (int64_t d = 0, rest = p; d < g->ndim; d++, rest /= g->n)
            g->values[p] *= factor[rest % g->n];
    }
    mpno_free(g->ctx, factor);
    return MPNO_OK;
}

mpno_status mpno_theorem_grid_create(mpno_ctx *ctx, mpno_theorem_function function, int ndim,
                                     int64_t n, mpno_theorem_grid **out) {
    mpno_theorem_grid *g;
    *out = NULL;
    MPNO_CHECK(ctx, ndim >= 1 && ndim <= MPNO_THEOREM_AXES, MPNO_E_ARGUMENT,
               "a grid of %d axes: expected 1 to %d", ndim, MPNO_THEOREM_AXES);
    MPNO_CHECK(ctx, n >= 2 && pow((double)n, ndim) < 0x1p31 && n < 1 << 24, MPNO_E_ARGUMENT,
               "a grid of %lld points on each of %d axes: expected 2 or more, and less than 2^31 "
               "points together and 2^24 on an axis",
               (long long)n, ndim);
    MPNO_TRY(mpno_alloc(ctx, sizeof *g, &g));
    *g = (mpno_theorem_grid){.ctx = ctx, .function = function, .ndim = ndim, .n = n, .points = 1};
    for (int d = 0; d < ndim; d++) g->points *= n;
    const mpno_status status = fill_grid(g);
    if (status == MPNO_OK)
        *out = g;
    else
        mpno_theorem_grid_destroy(&g);
    return status;
}

/* Neumaier's sum: what is lost at each addition is added up beside it. */
typedef struct sum {
    double total, lost;
} sum;

static void add(sum *s, double x) {
    const double t = s->total + x;
    s->lost += fabs(s->total) >= fabs(x) ? s->total - t + x : x - t + s->total;
    s->total = t;
}

/* k.x in parts of a turn, times n, at the first point of each line of the last axis; k mod n. */
static int64_t phase_of_line(const mpno_theorem_grid *g, const int64_t *k, int64_t line) {
    int64_t phase = 0;
    for (int d = g->ndim - 2; d >= 0; d--, line /= g->n)
        phase += (k[d] % g->n + g->n) % g->n * (line % g->n) % g->n;
    return phase % g->n;
}

/* Mean over the points of samples times conj(root); each of them: samples, cosines, sines. `minus`
 * (may be NULL) is subtracted product by product. */
static void mean_product(const mpno_theorem_grid *g, const int64_t *k, const double *const with[3],
                         const double *const minus[3], double out[2]) {
    const int64_t n = g->n, step = (k[g->ndim - 1] % n + n) % n;
    sum re = {0}, im = {0};
    for (int64_t line = 0; line < g->points / n; line++) {
        int64_t at = phase_of_line(g, k, line);
        for (int64_t p = line * n; p < (line + 1) * n; p++) {
            double a = with[0][p] * with[1][at], b = -with[0][p] * with[2][at];
            if (minus != NULL) {
                a -= minus[0][p] * minus[1][at];
                b += minus[0][p] * minus[2][at];
            }
            add(&re, a);
            add(&im, b);
            at = at + step < n ? at + step : at + step - n;
        }
    }
    out[0] = (re.total + re.lost) / (double)g->points;
    out[1] = (im.total + im.lost) / (double)g->points;
}

mpno_disc mpno_theorem_disc(const mpno_theorem_grid *g, const int64_t *k) {
    /* of samples at most 1: a factor is off by 64 2^-53 (30 terms and their sum, a quotient), a
     * product of d by d times that; roots, products and the sum by less than 8 2^-53 more, and
     * closed forms by 64 2^-53 a factor */
    mpno_disc out = {.own = (136.0 * g->ndim) * 0x1p-53};
    const double *const with[3] = {g->values, g->cosine, g->sine};
    mean_product(g, k, with, NULL, out.sampled);
    mpno_theorem_coefficient(g->function, g->ndim, k, out.exact);
    out.measured = hypot(out.sampled[0] - out.exact[0], out.sampled[1] - out.exact[1]);
    fill_bounds(g->function, g->ndim, g->n, k, &out);
    return out;
}

/* ---- rounding ---- */

/* The transform in the arithmetic of the format. */
static mpno_status run_butterflies(const mpno_theorem_grid *g, mpno_format format, float **out,
                                   bool *overflow) {
    mpno_fft_problem problem = {.kind = MPNO_FFT_COMPLEX, .arithmetic = format, .ndim = g->ndim};
    mpno_fft *fft = NULL;
    float *field;
    void *scratch = NULL;
    for (int d = 0; d < g->ndim; d++) problem.size[d] = problem.keep[d] = g->n;
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)(4 * g->points), sizeof *field, &field));
    *out = field;
    /* rounded to the format before, so that f32 holds it exactly */
    for (int64_t p = 0; p < g->points; p++)
        field[2 * g->points + 2 * p] = (float)mpno_format_round(g->values[p], format);
    MPNO_TRY(mpno_fft_create(g->ctx, &problem, &fft));
    mpno_status status = mpno_alloc_raw(g->ctx, mpno_fft_scratch_bytes(fft, 1, 1), &scratch);
    if (status == MPNO_OK) {
        const mpno_fft_call call = {.batch = 1,
                                    .channels = 1,
                                    .scale = 1.0 / (double)g->points,
                                    .field_format = MPNO_F32,
                                    .spectrum_format = MPNO_F32,
                                    .n_threads = 1,
                                    .scratch = scratch};
        *overflow = mpno_fft_forward(fft, &call, field + 2 * g->points, field) != 0;
    }
    mpno_free(g->ctx, scratch);
    mpno_fft_destroy(g->ctx, &fft);
    return status;
}

static mpno_status fill_butterflies(const mpno_theorem_grid *g, mpno_format format, double mean,
                                    int64_t n_k, const int64_t *k, mpno_prec *out) {
    const double *const with[3] = {g->values, g->cosine, g->sine};
    const int64_t sizes[MPNO_THEOREM_AXES] = {g->n, g->n, g->n};
    const mpno_butterflies b = mpno_butterflies_of(g->ndim, sizes, format);
    float *spectrum = NULL;
    bool overflow = false;
    mpno_status status = run_butterflies(g, format, &spectrum, &overflow);
    for (int64_t i = 0; i < n_k && status == MPNO_OK; i++) {
        int64_t mode = 0;
        double sampled[2], got[2];
        mean_product(g, k + i * MPNO_THEOREM_AXES, with, NULL, sampled);
        /* kept are -n/2 .. n/2 - 1 of each axis: n/2 is its own conjugate */
        for (int d = 0; d < g->ndim; d++)
            mode = mode * g->n + (k[i * MPNO_THEOREM_AXES + d] + g->n / 2) % g->n;
        for (int part = 0; part < 2; part++)
            got[part] = mpno_format_round(spectrum[2 * mode + part], format) - sampled[part];
        out[i].butterflies = overflow ? INFINITY : hypot(got[0], got[1]);
        out[i].butterflies_bound = b.growth * mean + b.underflow;
    }
    mpno_free(g->ctx, spectrum);
    return status;
}

static void fill_prec(const mpno_theorem_grid *g, mpno_format format, const double *rounded,
                      const double *roots, int64_t n_k, const int64_t *k, double mean,
                      mpno_prec *out) {
    const double *const with[3] = {g->values, g->cosine, g->sine},
                        *const samples[3] = {rounded, g->cosine, g->sine},
                        *const all[3] = {rounded, roots, roots + g->n};
    const mpno_floor floor = mpno_floor_of(g->values, g->points, format);
    const double root = mpno_format_unit(format) * sqrt(0.5);
    for (int64_t i = 0; i < n_k; i++) {
        double moved[2];
        out[i] = (mpno_prec){.butterflies = NAN, .butterflies_bound = NAN};
        mean_product(g, k + i * MPNO_THEOREM_AXES, with, samples, moved);
        out[i].samples = hypot(moved[0], moved[1]);
        out[i].samples_bound = floor.mean;
        mean_product(g, k + i * MPNO_THEOREM_AXES, with, all, moved);
        out[i].measured = hypot(moved[0], moved[1]);
        out[i].bound = mpno_up(root * mean + (1 + root) * floor.mean, 6);
    }
}

mpno_status mpno_theorem_prec(const mpno_theorem_grid *g, mpno_format format, bool butterflies,
                              int64_t n_k, const int64_t *k, mpno_prec *out) {
    double *rounded, *roots, mean = 0;
    const bool can = (format == MPNO_F16 || format == MPNO_BF16) && (g->n & (g->n - 1)) == 0;
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)(g->points + 2 * g->n), sizeof *rounded, &rounded));
    roots = rounded + g->points;
    for (int64_t p = 0; p < g->points; p++) {
        rounded[p] = mpno_format_round(g->values[p], format);
        mean += fabs(g->values[p]);
    }
    for (int64_t j = 0; j < g->n; j++) {
        roots[j] = mpno_format_round(g->cosine[j], format);
        roots[g->n + j] = mpno_format_round(g->sine[j], format);
    }
    mean = mpno_up(mean / (double)g->points, g->points + 1);
    fill_prec(g, format, rounded, roots, n_k, k, mean, out);
    mpno_free(g->ctx, rounded);
    return butterflies && can ? fill_butterflies(g, format, mean, n_k, k, out) : MPNO_OK;
}
