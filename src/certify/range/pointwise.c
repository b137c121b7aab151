/* SPDX-License-Identifier: MIT
 * Ranges of ops that look at one point at a time (S3, S4). */
#include <math.h>

#include "certify/range/range.h"
#include "core/memory.h"
#include "number/format.h"

static void copy(mpno_range *y, int64_t to, const mpno_range *x, int64_t c) {
    y->most[to] = x->most[c], y->rms[to] = x->rms[c];
    y->low[to] = x->low[c], y->high[to] = x->high[c];
}

mpno_status mpno_range_same(mpno_range_walk *w, const mpno_node *node) {
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; c < y->channels; c++) copy(y, c, mpno_range_in(w, node, 0), c);
    return MPNO_OK;
}

mpno_status mpno_range_take_channels(mpno_range_walk *w, const mpno_node *node) {
    return mpno_range_same(w, node);
}

/* (re, im) -> (-im, re): each part has been either. */
mpno_status mpno_range_times_i(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; c < y->channels; c++)
        mpno_range_set(y, c, -x->most[c], x->most[c], x->rms[c]);
    return MPNO_OK;
}

/* The coordinates start + (stop - start) i / n, of real rows only. */
mpno_status mpno_range_grid_embed(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const mpno_grid *grid = mpno_graph_grid(w->graph, node->in[0]);
    const mpno_box *box = &node->attr.box;
    const double u = 4 * mpno_range_unit(w);
    for (int64_t c = 0; c < x->channels; c++) copy(y, c, x, c);
    for (int d = 0; d < grid->ndim; d++) {
        double squares = 0, low = grid->planes > 1 ? 0 : INFINITY, high = -low;
        for (int64_t i = 0; i < grid->size[d]; i++) {
            const double at =
                box->start[d] + (box->stop[d] - box->start[d]) * (double)i / (double)grid->size[d];
            low = fmin(low, at - u * fabs(at)), high = fmax(high, at + u * fabs(at));
            squares += at * at;
        }
        mpno_range_set(y, x->channels + d, low, high,
                       (1 + u) * sqrt(squares / (double)grid->size[d]));
    }
    return MPNO_OK;
}

/* Minkowski: the rms of a sum is at most the sum of the rms. */
mpno_status mpno_range_add(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *a = mpno_range_in(w, node, 0), *b = mpno_range_in(w, node, 1);
    mpno_range *y = mpno_range_out(w, node);
    const double u = 4 * mpno_range_unit(w);
    for (int64_t c = 0; c < y->channels; c++) {
        const double off = u * (a->most[c] + b->most[c]);
        mpno_range_set(y, c, a->low[c] + b->low[c] - off, a->high[c] + b->high[c] + off,
                       (1 + u) * (a->rms[c] + b->rms[c]));
    }
    return MPNO_OK;
}

/* Of complex fields real_only leaves one part without. */
mpno_status mpno_range_bias(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const bool some = node->attr.real_only;
    const double u = 4 * mpno_range_unit(w);
    double *b, *slack;
    MPNO_TRY(mpno_range_values(w, node, 1, &b, &slack));
    for (int64_t c = 0; c < y->channels; c++) {
        const double off = slack[c] + u * (x->most[c] + fabs(b[c]));
        mpno_range_set(y, c, x->low[c] + (some ? fmin(b[c], 0) : b[c]) - off,
                       x->high[c] + (some ? fmax(b[c], 0) : b[c]) + off,
                       x->rms[c] + fabs(b[c]) + off);
    }
    mpno_free(w->ctx, b);
    return MPNO_OK;
}

/* y = f x, f within slack of a factor. */
static void scaled(mpno_range_walk *w, const mpno_node *node, int64_t c, double f, double slack) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    const double a = f * x->low[c], b = f * x->high[c],
                 off = (slack + 4 * mpno_range_unit(w) * fabs(f)) * x->most[c];
    mpno_range_set(mpno_range_out(w, node), c, fmin(a, b) - off, fmax(a, b) + off,
                   (fabs(f) * (1 + 4 * mpno_range_unit(w)) + slack) * x->rms[c]);
}

mpno_status mpno_range_gate(mpno_range_walk *w, const mpno_node *node) {
    double *g, *slack;
    MPNO_TRY(mpno_range_values(w, node, 1, &g, &slack));
    for (int64_t c = 0; c < mpno_range_out(w, node)->channels; c++)
        scaled(w, node, c, g[c], slack[c]);
    mpno_free(w->ctx, g);
    return MPNO_OK;
}

mpno_status mpno_range_scale(mpno_range_walk *w, const mpno_node *node) {
    for (int64_t c = 0; c < mpno_range_out(w, node)->channels; c++)
        scaled(w, node, c, node->attr.scale, 0);
    return MPNO_OK;
}

static double gelu(double x) {
    return x > -INFINITY ? 0.5 * x * erfc(-x / sqrt(2)) : 0;
}

/* What kernels of gelu and tanh may be off by, relative to x and to the result: 2^-18 where they
 * work for bf16, a few u elsewhere (kernel/bf16_kernels.h, kernel/tmpl/functions_f32.h). */
static double function_error(const mpno_range_walk *w) {
    return 0x1p-17 + 16 * mpno_range_unit(w);
}

/* gelu falls to its least value, -0.169972 at -0.751792, and rises from there: on an interval it is
 * largest at an end. |gelu(x)| <= |x|. */
mpno_status mpno_range_gelu(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double u = function_error(w);
    for (int64_t c = 0; c < y->channels; c++) {
        const double low = gelu(x->low[c]), high = gelu(x->high[c]), off = u * x->most[c];
        const bool falls = x->low[c] + 0.75 < 0, rises = x->high[c] + 0.752 > 0;
        mpno_range_set(y, c, (falls && rises ? -0.16998 : fmin(low, high)) - off,
                       fmax(low, high) + off, (1 + u) * x->rms[c]);
    }
    return MPNO_OK;
}

static double within(double x, double limit) {
    return fmax(-limit, fmin(x, limit));
}

/* Of odd functions that grow, with no slope above 1: f at both ends; the rms is at most that of x.
 * Never above `limit`, to which rounding is monotone. u: what the kernel may be off by, relative.
 */
static void squashed(mpno_range_walk *w, const mpno_node *node, double (*f)(double), double limit,
                     double u) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; c < y->channels; c++) {
        const double low = f(x->low[c]), high = f(x->high[c]);
        mpno_range_set(y, c, within(low - u * fabs(low), limit),
                       within(high + u * fabs(high), limit), (1 + u) * x->rms[c]);
    }
}

static double same(double x) {
    return x;
}
static double positive(double x) {
    return fmax(x, 0);
}
static double softsign(double x) {
    return isinf(x) ? copysign(1, x) : x / (1 + fabs(x));
}

mpno_status mpno_range_tanh(mpno_range_walk *w, const mpno_node *node) {
    squashed(w, node, tanh, 1, function_error(w));
    return MPNO_OK;
}

/* 1/2 at 0: all that is known of the rms is the largest value. */
static void sigmoid(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double up = 1 + 16 * mpno_range_unit(w);
    for (int64_t c = 0; c < y->channels; c++) {
        const double high = fmin(1, up / (1 + exp(-x->high[c])));
        mpno_range_set(y, c, 0, high, high);
    }
}

mpno_status mpno_range_squash(mpno_range_walk *w, const mpno_node *node) {
    const double u = 16 * mpno_range_unit(w);
    switch (node->attr.squash) {
        case MPNO_SQUASH_CLIP:
            squashed(w, node, same, 1, u);
            break;
        case MPNO_SQUASH_RELU:
            squashed(w, node, positive, INFINITY, u);
            break;
        case MPNO_SQUASH_SOFTSIGN:
            squashed(w, node, softsign, 1, u);
            break;
        case MPNO_SQUASH_ARCSINH:
            squashed(w, node, asinh, INFINITY, u);
            break;
        case MPNO_SQUASH_SIGMOID:
            sigmoid(w, node);
            break;
    }
    return MPNO_OK;
}

/* a tanh(x / a): at most |a| tanh(s / |a|), rounded up; slope at most 1; the sign is that of x. */
mpno_status mpno_range_learned_tanh(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double up = 1 + 16 * mpno_range_unit(w);
    double *a;
    MPNO_TRY(mpno_range_magnitudes(w, node, 1, &a));
    for (int64_t c = 0; a[0] > 0 && c < y->channels; c++)
        mpno_range_set(y, c, up * a[0] * tanh(fmin(x->low[c], 0) / a[0]),
                       up * a[0] * tanh(fmax(x->high[c], 0) / a[0]), up * x->rms[c]);
    mpno_free(w->ctx, a);
    return MPNO_OK;
}
