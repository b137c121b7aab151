/* SPDX-License-Identifier: MIT
 * RKC on finite volumes: see reaction.h. Fields are [2][N1][N2]; a row of cells at a time, so that
 * a stage reads and writes each field once. */
#include "pde/reaction.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"

struct mpno_reaction {
    mpno_reaction_opts opts;
    int64_t cells;
    double *now, *first, *stage[2]; /* owned, like all: [2][N1][N2]; first: rate of now */
    double *row;                    /* rates of a row: [2][N2] */
    double step;                    /* that comes next; 0: none was chosen yet */
};

mpno_status mpno_reaction_create(mpno_ctx *ctx, const mpno_reaction_opts *opts,
                                 mpno_reaction **out) {
    mpno_reaction *r = NULL;
    *out = NULL;
    for (int t = 0; t < 2; t++) {
        MPNO_CHECK(ctx, opts->size[t] >= 2 && opts->size[t] <= 65536, MPNO_E_ARGUMENT,
                   "a reaction in %lld cells, expected 2 to 65536", (long long)opts->size[t]);
    }
    MPNO_TRY(mpno_alloc(ctx, sizeof *r, &r));
    r->opts = *opts;
    r->cells = opts->size[0] * opts->size[1];
    double **const arrays[] = {&r->now, &r->first, &r->stage[0], &r->stage[1]};
    mpno_status status =
        mpno_alloc_array(ctx, (size_t)(2 * opts->size[1]), sizeof(double), &r->row);
    for (size_t i = 0; status == MPNO_OK && i < sizeof arrays / sizeof *arrays; i++) {
        status = mpno_alloc_array(ctx, (size_t)(2 * r->cells), sizeof(double), arrays[i]);
    }
    if (status != MPNO_OK) mpno_reaction_destroy(ctx, &r);
    *out = r;
    return status;
}

void mpno_reaction_destroy(mpno_ctx *ctx, mpno_reaction **pointer) {
    mpno_reaction *r = *pointer;
    if (!r) return;
    mpno_free(ctx, r->now);
    mpno_free(ctx, r->first);
    mpno_free(ctx, r->stage[0]);
    mpno_free(ctx, r->stage[1]);
    mpno_free(ctx, r->row);
    mpno_free(ctx, r);
    *pointer = NULL;
}

double *mpno_reaction_values(mpno_reaction *r) {
    return r->now;
}

/* ---- the right-hand side ---- */

/* D Laplacian of a row between two others; a, b: D / h^2 across and along. */
static void diffuse(int64_t n, double a, double b, const double *restrict before,
                    const double *restrict row, const double *restrict after,
                    double *restrict out) {
    for (int64_t j = 0; j < n; j++) out[j] = a * (before[j] - 2 * row[j] + after[j]);
    out[0] += b * (row[1] - row[0]);
    for (int64_t j = 1; j < n - 1; j++) out[j] += b * (row[j - 1] - 2 * row[j] + row[j + 1]);
    out[n - 1] += b * (row[n - 2] - row[n - 1]);
}

static void react(int64_t n, double k, const double *restrict u, const double *restrict v,
                  double *restrict du, double *restrict dv) {
    for (int64_t j = 0; j < n; j++) {
        du[j] += u[j] - u[j] * u[j] * u[j] - k - v[j];
        dv[j] += u[j] - v[j];
    }
}

/* The rates of row i of y into r->row. */
static void rate_of_row(const mpno_reaction *r, int64_t i, const double *y) {
    const mpno_reaction_opts *o = &r->opts;
    const int64_t rows = o->size[0], n = o->size[1];
    const double h1 = o->length[0] / (double)rows, h2 = o->length[1] / (double)n;
    for (int s = 0; s < 2; s++) {
        const double *row = y + s * r->cells + i * n;
        const double d = o->diffusion[s];
        diffuse(n, d / (h1 * h1), d / (h2 * h2), i > 0 ? row - n : row, row,
                i + 1 < rows ? row + n : row, r->row + s * n);
    }
    react(n, o->k, y + i * n, y + r->cells + i * n, r->row, r->row + n);
}

static void rate(const mpno_reaction *r, const double *y, double *out) {
    const int64_t n = r->opts.size[1];
    for (int64_t i = 0; i < r->opts.size[0]; i++) {
        rate_of_row(r, i, y);
        for (int s = 0; s < 2; s++) {
            memcpy(out + s * r->cells + i * n, r->row + s * n, (size_t)n * sizeof *out);
        }
    }
}

/* A bound of the eigenvalues of the right-hand side's derivative. */
static double stiffness(const mpno_reaction *r) {
    const mpno_reaction_opts *o = &r->opts;
    double most = 0, sum = 0;
    for (int t = 0; t < 2; t++) {
        const double h = o->length[t] / (double)o->size[t];
        sum += 4 / (h * h);
    }
    for (int64_t i = 0; i < r->cells; i++) most = fmax(most, fabs(r->now[i]));
    return fmax(o->diffusion[0], o->diffusion[1]) * sum + 3 * most * most + 2;
}

void mpno_reaction_start(mpno_reaction *r) {
    rate(r, r->now, r->first);
    r->step = 0;
}

/* ---- one step ---- */

/* Factors of a stage: out = keep y + mu last + nu before + rate f(last) + first f(y). */
typedef struct stage_factors {
    double keep, mu, nu, rate, first;
} stage_factors;

static void combine(int64_t n, const stage_factors *f, const double *restrict y,
                    const double *restrict first, const double *restrict last,
                    const double *restrict rates, double *restrict out) {
    for (int64_t j = 0; j < n; j++) {
        out[j] = f->keep * y[j] + f->mu * last[j] + f->nu * out[j] + f->rate * rates[j] +
                 f->first * first[j];
    }
}

/* The stage before the last one becomes the next. */
static void next_stage(const mpno_reaction *r, const stage_factors *f, const double *last,
                       double *out) {
    const int64_t n = r->opts.size[1];
    for (int64_t i = 0; i < r->opts.size[0]; i++) {
        rate_of_row(r, i, last);
        for (int s = 0; s < 2; s++) {
            const int64_t at = s * r->cells + i * n;
            combine(n, f, r->now + at, r->first + at, last + at, r->row + s * n, out + at);
        }
    }
}

/* Chebyshev's polynomial at w and its first two derivatives, next from the last two. */
typedef struct chebyshev {
    double t, d, d2;
} chebyshev;

static chebyshev next_chebyshev(double w, const chebyshev *last, const chebyshev *before) {
    return (chebyshev){.t = 2 * w * last->t - before->t,
                       .d = 2 * last->t + 2 * w * last->d - before->d,
                       .d2 = 4 * last->d + 2 * w * last->d2 - before->d2};
}

/* now after a step of length h in s >= 2 stages: gives the index of the stage that holds it. */
static int advance(mpno_reaction *r, double h, int s) {
    const double w0 = 1 + 2.0 / 13 / ((double)s * s);
    const chebyshev zero = {1, 0, 0}, one = {w0, 1, 0};
    chebyshev before = zero, last = one;
    for (int j = 2; j <= s; j++) {
        const chebyshev next = next_chebyshev(w0, &last, &before);
        before = last;
        last = next;
    }
    const double w1 = last.d / last.d2;
    before = zero;
    last = one;
    double b[2] = {0, 0}, a = 0; /* b of the stages before the last and last; a of the last */
    for (int j = 2; j <= s; j++) {
        const chebyshev next = next_chebyshev(w0, &last, &before);
        const double bj = next.d2 / (next.d * next.d);
        if (j == 2) {
            b[0] = b[1] = bj;
            a = 1 - bj * w0;
            memcpy(r->stage[0], r->now, (size_t)(2 * r->cells) * sizeof(double));
            for (int64_t i = 0; i < 2 * r->cells; i++) {
                r->stage[1][i] = r->now[i] + bj * w1 * h * r->first[i];
            }
        }
        const double mu = 2 * bj * w0 / b[1], nu = -bj / b[0], rates = 2 * bj * w1 / b[1];
        const stage_factors f = {1 - mu - nu, mu, nu, rates * h, -a * rates * h};
        next_stage(r, &f, r->stage[(j - 1) % 2], r->stage[j % 2]);
        a = 1 - bj * next.t;
        b[0] = b[1];
        b[1] = bj;
        before = last;
        last = next;
    }
    return s % 2;
}

/* Root mean square of 0.8 (y - y') + 0.4 h (f + f') over tolerance (1 + |y'|). */
static double estimate(const mpno_reaction *r, double h, const double *next, const double *rates) {
    double sum = 0;
    for (int64_t i = 0; i < 2 * r->cells; i++) {
        const double e = 0.8 * (r->now[i] - next[i]) + 0.4 * h * (r->first[i] + rates[i]);
        const double scaled = e / (r->opts.tolerance * (1 + fabs(next[i])));
        sum += scaled * scaled;
    }
    return sqrt(sum / (double)(2 * r->cells));
}

static bool is_finite(const mpno_reaction *r) {
    double sum = 0;
    for (int64_t i = 0; i < 2 * r->cells; i++) sum += r->now[i] * r->now[i];
    return isfinite(sum);
}

bool mpno_reaction_run(mpno_reaction *r, double duration, int *steps) {
    const bool fixed = r->opts.dt > 0;
    double left = duration;
    while (left > 0) {
        const double stiff = stiffness(r);
        if (!isfinite(stiff)) return false;
        double h = fixed ? r->opts.dt : r->step > 0 ? r->step : 0.25 / stiff;
        const bool arrives = left <= h * (1 + 1e-9);
        if (arrives) h = left;
        const int stages = 1 + (int)sqrt(1 + 1.54 * h * stiff);
        double *next = r->stage[advance(r, h, stages < 2 ? 2 : stages)];
        double *rates = next == r->stage[0] ? r->stage[1] : r->stage[0];
        rate(r, next, rates);
        const double error = fixed ? 0 : estimate(r, h, next, rates);
        (*steps)++;
        const double grow = error > 0 ? fmin(fmax(0.8 / cbrt(error), 0.1), 5) : 5;
        /* A step that was cut short to arrive says little about those that come. */
        if (error > 1 || isnan(error) || !arrives || h * grow > r->step) {
            r->step = h * (isnan(error) ? 0.1 : grow);
        }
        if (r->step < 1e-12 * duration) return false;
        if (error > 1 || isnan(error)) continue;
        double *const was_now = r->now, *const was_first = r->first;
        const bool zero = next == r->stage[0];
        r->now = next;
        r->first = rates;
        r->stage[zero ? 0 : 1] = was_now;
        r->stage[zero ? 1 : 0] = was_first;
        left = arrives ? 0 : left - h;
    }
    return is_finite(r);
}
