/* SPDX-License-Identifier: MIT
 * Ranges of ops that look at one point at a time (S3, S4). */
#include <math.h>

#include "certify/range/range.h"
#include "core/memory.h"
#include "number/format.h"

mpno_status mpno_range_same(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; c < y->channels; c++) y->most[c] = x->most[c], y->rms[c] = x->rms[c];
    return MPNO_OK;
}

mpno_status mpno_range_take_channels(mpno_range_walk *w, const mpno_node *node) {
    return mpno_range_same(w, node);
}

/* The coordinates start + (stop - start) i / n, of real rows only. */
mpno_status mpno_range_grid_embed(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const mpno_grid *grid = mpno_graph_grid(w->graph, node->in[0]);
    const mpno_box *box = &node->attr.box;
    const double up = 1 + 4 * mpno_range_unit(w);
    for (int64_t c = 0; c < x->channels; c++) y->most[c] = x->most[c], y->rms[c] = x->rms[c];
    for (int d = 0; d < grid->ndim; d++) {
        const int64_t c = x->channels + d;
        double squares = 0;
        y->most[c] = 0;
        for (int64_t i = 0; i < grid->size[d]; i++) {
            const double at =
                box->start[d] + (box->stop[d] - box->start[d]) * (double)i / (double)grid->size[d];
            y->most[c] = fmax(y->most[c], up * fabs(at));
            squares += at * at;
        }
        y->rms[c] = up * sqrt(squares / (double)grid->size[d]);
    }
    return MPNO_OK;
}

/* Minkowski: the rms of a sum is at most the sum of the rms. */
mpno_status mpno_range_add(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *a = mpno_range_in(w, node, 0), *b = mpno_range_in(w, node, 1);
    mpno_range *y = mpno_range_out(w, node);
    const double up = 1 + 2 * mpno_range_unit(w);
    for (int64_t c = 0; c < y->channels; c++) {
        y->most[c] = up * (a->most[c] + b->most[c]);
        y->rms[c] = up * (a->rms[c] + b->rms[c]);
    }
    return MPNO_OK;
}

mpno_status mpno_range_bias(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double up = 1 + 2 * mpno_range_unit(w);
    double *b;
    MPNO_TRY(mpno_range_magnitudes(w, node, 1, &b));
    for (int64_t c = 0; c < y->channels; c++) {
        y->most[c] = up * (x->most[c] + b[c]);
        y->rms[c] = up * (x->rms[c] + b[c]);
    }
    mpno_free(w->ctx, b);
    return MPNO_OK;
}

static void scaled(mpno_range_walk *w, const mpno_node *node, const double *factors,
                   double factor) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; c < y->channels; c++) {
        const double f = (factors != NULL ? factors[c] : factor) * (1 + 4 * mpno_range_unit(w));
        y->most[c] = f * x->most[c];
        y->rms[c] = f * x->rms[c];
    }
}

mpno_status mpno_range_gate(mpno_range_walk *w, const mpno_node *node) {
    double *g;
    MPNO_TRY(mpno_range_magnitudes(w, node, 1, &g));
    scaled(w, node, g, 0);
    mpno_free(w->ctx, g);
    return MPNO_OK;
}

mpno_status mpno_range_scale(mpno_range_walk *w, const mpno_node *node) {
    scaled(w, node, NULL, fabs(node->attr.scale));
    return MPNO_OK;
}

/* |gelu(x)| = |x| Phi(x) <= s Phi(s) for |x| <= s, and at most |x|. Kernels: 2^-18 |x| off where
 * they work for bf16, a few u |x| elsewhere (kernel/bf16_kernels.h, kernel/tmpl/functions_f32.h).
 */
mpno_status mpno_range_gelu(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double off = ldexp(1, -17) + 16 * mpno_range_unit(w);
    for (int64_t c = 0; c < y->channels; c++) {
        const double s = x->most[c], share = 0.5 * erfc(-s / sqrt(2)) * (1 + 1e-12);
        y->most[c] = s * (fmin(share, 1) + off);
        y->rms[c] = (1 + off) * x->rms[c];
    }
    return MPNO_OK;
}

/* Of functions that grow with |x|, with f(0) = 0 and no slope above 1: f(most); the rms is at most
 * that of x. Never above `limit`, to which rounding is monotone. */
static void squashed(mpno_range_walk *w, const mpno_node *node, double (*f)(double), double limit) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double up = 1 + 16 * mpno_range_unit(w);
    for (int64_t c = 0; c < y->channels; c++) {
        y->most[c] = fmin(up * f(x->most[c]), limit);
        y->rms[c] = up * x->rms[c];
    }
}

static double same(double x) {
    return x;
}
static double softsign(double x) {
    return x < INFINITY ? x / (1 + x) : 1;
}

mpno_status mpno_range_tanh(mpno_range_walk *w, const mpno_node *node) {
    squashed(w, node, tanh, 1);
    return MPNO_OK;
}

mpno_status mpno_range_squash(mpno_range_walk *w, const mpno_node *node) {
    mpno_range *y = mpno_range_out(w, node);
    switch (node->attr.squash) {
        case MPNO_SQUASH_CLIP:
            squashed(w, node, same, 1);
            break;
        case MPNO_SQUASH_RELU:
            squashed(w, node, same, INFINITY);
            break;
        case MPNO_SQUASH_SOFTSIGN:
            squashed(w, node, softsign, 1);
            break;
        case MPNO_SQUASH_ARCSINH:
            squashed(w, node, asinh, INFINITY);
            break;
        case MPNO_SQUASH_SIGMOID: /* 1/2 at 0: all that is known of the rms is the largest */
            for (int64_t c = 0; c < y->channels; c++) {
                const double s = mpno_range_in(w, node, 0)->most[c];
                y->most[c] = fmin(1, (1 + 16 * mpno_range_unit(w)) / (1 + exp(-s)));
                y->rms[c] = y->most[c];
            }
            break;
    }
    return MPNO_OK;
}

/* a tanh(x / a): at most |a| tanh(s / |a|), rounded up; slope at most 1. */
mpno_status mpno_range_learned_tanh(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double up = 1 + 16 * mpno_range_unit(w);
    double *a;
    MPNO_TRY(mpno_range_magnitudes(w, node, 1, &a));
    for (int64_t c = 0; c < y->channels; c++) {
        y->most[c] = up * (a[0] > 0 ? a[0] * tanh(x->most[c] / a[0]) : INFINITY);
        y->rms[c] = up * x->rms[c];
    }
    mpno_free(w->ctx, a);
    return MPNO_OK;
}
