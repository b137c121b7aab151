/* SPDX-License-Identifier: MIT
 * Ranges of sums over a sample and of what is normalised or clipped by them (S11, S12). With n
 * values of mean m and variance v, no value is further from m than sqrt((n - 1) v): the others can
 * at best share its deviation evenly. So a norm bounds what nothing before it bounds. */
#include <math.h>

#include "certify/range/range.h"
#include "core/memory.h"
#include "number/format.h"

mpno_status mpno_range_sample_sums(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; c < y->channels; c++)
        y->most[c] = mpno_range_points(w->graph, node->in[0]) * mpno_range_mean(x, c);
    return MPNO_OK;
}

mpno_status mpno_range_spread_sums(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; c < y->channels; c++)
        y->most[c] = y->rms[c] = x->most[c] * (1 + 2 * mpno_range_unit(w));
    return MPNO_OK;
}

mpno_status mpno_range_average_samples(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; c < y->channels; c++) y->most[c] = x->most[c];
    return MPNO_OK;
}

mpno_status mpno_range_running_moments(mpno_range_walk *w, const mpno_node *node) {
    mpno_range *y = mpno_range_out(w, node);
    const double n = mpno_range_points(w->graph, node->in[0]);
    double *mean, *variance;
    MPNO_TRY(mpno_range_magnitudes(w, node, 1, &mean));
    const mpno_status status = mpno_range_magnitudes(w, node, 2, &variance);
    for (int64_t c = 0; status == MPNO_OK && 2 * c < y->channels; c++) {
        y->most[2 * c] = n * mean[c];
        y->most[2 * c + 1] = n * (variance[c] + mean[c] * mean[c]);
    }
    mpno_free(w->ctx, mean);
    if (status == MPNO_OK) mpno_free(w->ctx, variance);
    return status;
}

/* y = g x + h with g = m[c], h = m[C + c]. */
mpno_status mpno_range_modulate(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0), *m = mpno_range_in(w, node, 1);
    mpno_range *y = mpno_range_out(w, node);
    const double up = 1 + 4 * mpno_range_unit(w);
    for (int64_t c = 0; c < y->channels; c++) {
        const double g = m->most[c], h = node->attr.no_shift ? 0 : m->most[y->channels + c];
        y->most[c] = up * (g * x->most[c] + h);
        y->rms[c] = up * (g * x->rms[c] + h);
    }
    return MPNO_OK;
}

/* ---- what is made twice ---- */

/* Largest slope of an op of one field in that field, from largest to largest. */
static mpno_status slope(const mpno_range_walk *w, const mpno_node *node, double *out) {
    const mpno_op *op = node->op;
    const bool one = op == &mpno_op_stage || op == &mpno_op_times_i || op == &mpno_op_tanh ||
                     op == &mpno_op_learned_tanh || op == &mpno_op_squash || op == &mpno_op_bias ||
                     op == &mpno_op_add || op == &mpno_op_grid_embed || op == &mpno_op_sigma_clip;
    double *factors;
    *out = one ? 1 : op == &mpno_op_gelu ? 1.13 : INFINITY;
    if (op == &mpno_op_scale) *out = fabs(node->attr.scale);
    if (op != &mpno_op_gate && op != &mpno_op_linear) return MPNO_OK;
    const mpno_weight *weight = &w->graph->weights[w->graph->edges[node->in[1]].param];
    const int64_t per_output = op == &mpno_op_linear ? weight->cols : 1,
                  outputs = (int64_t)mpno_weight_count(weight) / per_output;
    MPNO_TRY(mpno_range_magnitudes(w, node, 1, &factors));
    *out = 0;
    for (int64_t o = 0; o < outputs; o++) {
        double sum = 0;
        for (int64_t i = 0; i < per_output; i++) sum += factors[o * per_output + i];
        *out = fmax(*out, sum);
    }
    mpno_free(w->ctx, factors);
    return MPNO_OK;
}

/* How far a field that one program makes and another loads, or makes again, may be from itself: one
 * of them may have it, or what it is made of, rounded (S1). Whole ops are run once and their
 * results read as they are stored. */
static mpno_status drift(const mpno_range_walk *w, int edge, double *out) {
    const mpno_edge *e = &w->graph->edges[edge];
    const double most = mpno_range_most(w, edge);
    *out = 0;
    if (e->producer < 0) return MPNO_OK;
    const mpno_node *node = &w->graph->nodes[e->producer];
    if (node->op->class == MPNO_OP_WHOLE) return MPNO_OK;
    if (w->stored[edge]) {
        const mpno_range_rounding r = mpno_range_rounding_of(w, edge, most);
        *out = r.saturates ? 2 * most : r.u * most + r.eta;
        return MPNO_OK;
    }
    double sum = 0, times = 0;
    for (int i = 0; i < node->n_in; i++) {
        double one = 0;
        const bool field = node->in[i] >= 0 && w->graph->edges[node->in[i]].kind == MPNO_EDGE_FIELD;
        if (field) MPNO_TRY(drift(w, node->in[i], &one));
        sum += one;
    }
    if (sum > 0) MPNO_TRY(slope(w, node, &times));
    *out = fmin(sum > 0 ? times * sum : 0, 2 * most);
    return MPNO_OK;
}

/* ---- clipping ---- */

/* f64 sums of n values: mean and mean square are off by n 2^-53 of themselves, in any order. */
static double sums_error(double n) {
    return 4 * n * ldexp(1, -53);
}

/* A limit m -+ 2 s lies between the clipped value and the mean m, and |m| + 2 s <= sqrt(5 q), q the
 * mean of all squares. */
mpno_status mpno_range_sigma_clip(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double up = 1 + 4 * mpno_range_unit(w), channels = (double)x->channels,
                 n = mpno_range_points(w->graph, node->in[0]) * channels *
                     (node->attr.batch ? (double)w->capacity : 1);
    double mean = 0, squares = 0, low = 0, high = 0;
    for (int64_t c = 0; c < x->channels; c++) {
        mean += mpno_range_mean(x, c) / channels, squares += x->rms[c] * x->rms[c] / channels;
        low += x->low[c] / channels, high += x->high[c] / channels;
    }
    const double off = (sums_error(n) + 4 * mpno_range_unit(w)) * mean;
    mean *= 1 + sums_error(n);
    const double limit = sqrt(5 * squares) + 2 * sqrt(2 * sums_error(n) * squares);
    for (int64_t c = 0; c < x->channels; c++) {
        y->low[c] = fmin(x->low[c], low - off), y->high[c] = fmax(x->high[c], high + off);
        y->most[c] = up * fmin(fmax(x->most[c], mean), limit);
        y->rms[c] = up * sqrt(x->rms[c] * x->rms[c] + mean * mean);
    }
    return MPNO_OK;
}

/* ---- norms ---- */

/* y = f x + beta - f m, f = gamma r, with m and r known: those of running statistics, found again
 * as sums and differences in f64. */
static void fixed_channel(mpno_range_walk *w, const mpno_node *node, const mpno_range *x, int64_t c,
                          double gamma, double beta, double mean, double variance) {
    const double u = mpno_range_unit(w), lost = ldexp(1, -49) * (variance + mean * mean);
    const double f = gamma / sqrt(fmax(variance - lost, 0) + node->attr.eps),
                 least = gamma / sqrt(variance + lost + node->attr.eps), add = beta - f * mean;
    const double size = fabs(f) * (x->most[c] + fabs(mean)) + fabs(beta),
                 off = 16 * u * size + fabs(f - least) * (x->most[c] + fabs(mean));
    const double a = f * x->low[c], b = f * x->high[c];
    mpno_range_set(mpno_range_out(w, node), c, fmin(a, b) + add - off, fmax(a, b) + add + off,
                   fabs(f) * x->rms[c] + fabs(add) + off);
}

static mpno_status fixed(mpno_range_walk *w, const mpno_node *node, const mpno_range *x,
                         const double *gamma, const double *beta) {
    const mpno_node *from = &w->graph->nodes[w->graph->edges[node->in[1]].producer];
    double *mean, *variance;
    if (from->op != &mpno_op_running_moments || node->attr.groups != x->channels) return MPNO_OK;
    MPNO_TRY(mpno_range_values(w, from, 1, &mean, NULL));
    const mpno_status status = mpno_range_values(w, from, 2, &variance, NULL);
    for (int64_t c = 0; status == MPNO_OK && c < x->channels; c++)
        fixed_channel(w, node, x, c, gamma[c], beta[c], mean[c], variance[c]);
    mpno_free(w->ctx, mean);
    if (status == MPNO_OK) mpno_free(w->ctx, variance);
    return status;
}

/* What is known of a group: values whose statistics are taken together, the mean of their means,
 * and of their squares. */
typedef struct group {
    double n, mean, squares;
} group;

static group group_of(const mpno_range_walk *w, const mpno_node *node, const mpno_range *x,
                      int64_t first, int64_t width) {
    group g = {.n = mpno_range_points(w->graph, node->in[0]) * (double)width *
                    (node->attr.batch ? (double)w->capacity : 1)};
    for (int64_t c = first; c < first + width; c++) {
        g.mean += mpno_range_mean(x, c) / (double)width;
        g.squares += x->rms[c] * x->rms[c] / (double)width;
    }
    return g;
}

/* |x - m| / sqrt(v + eps) of one channel, and its rms: by the number of values, or by their size
 * where eps alone keeps the root from 0. The computed variance misses up to `lost` of the true one,
 * which matters where eps does not cover it. */
static void ratios(const mpno_node *node, const mpno_range *x, int64_t c, const group *g,
                   double points, double off, double *most, double *rms) {
    const double root = sqrt(node->attr.eps), lost = 2 * sums_error(g->n) * g->squares,
                 up = sqrt(fmax(1, lost / node->attr.eps)),
                 mean = node->attr.uncentred ? 0 : g->mean * (1 + sums_error(g->n)),
                 values = node->attr.uncentred ? g->n : g->n - 1,
                 more = (sums_error(g->n) * g->mean + off) / root;
    *most = fmin(sqrt(values) * up, (x->most[c] + mean) / root) + more;
    *rms = fmin(sqrt(g->n / points) * up, (x->rms[c] + mean) / root) + more;
}

/* fl(a x + b), a = gamma r, b = beta - m a, all rounded: 8 u of |gamma| (|x - m| r + 2 |m| r) and
 * of |beta|. */
static void by_group(mpno_range_walk *w, const mpno_node *node, const mpno_range *x, double off,
                     const double *gamma, const double *beta) {
    mpno_range *y = mpno_range_out(w, node);
    const int64_t width = x->channels / node->attr.groups;
    const double u = mpno_range_unit(w), points = mpno_range_points(w->graph, node->in[0]),
                 root = sqrt(node->attr.eps);
    for (int64_t first = 0; first < x->channels; first += width) {
        const group g = group_of(w, node, x, first, width);
        const double shift = node->attr.uncentred ? 0 : 2 * g.mean / sqrt(node->attr.eps);
        for (int64_t c = first; c < first + width; c++) {
            double most, rms;
            ratios(node, x, c, &g, points, off, &most, &rms);
            const double by = fabs(gamma[c]),
                         error = 8 * u * (by * (most + shift) + fabs(beta[c])) +
                                 mpno_range_guard(w, by * (x->most[c] + g.mean) * 2 / root);
            mpno_range_set(y, c, beta[c] - by * most - error, beta[c] + by * most + error,
                           by * rms + fabs(beta[c]) + error);
        }
    }
}

/* A vector operand, of the arithmetic format; `otherwise` where it was left out. */
static mpno_status vector(const mpno_range_walk *w, const mpno_node *node, int i, int64_t n,
                          double otherwise, double **out) {
    if (node->in[i] >= 0) return mpno_range_values(w, node, i, out, NULL);
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)n, sizeof(double), out));
    for (int64_t c = 0; c < n; c++) (*out)[c] = otherwise;
    return MPNO_OK;
}

mpno_status mpno_range_normalized(mpno_range_walk *w, const mpno_node *node, const mpno_range *x,
                                  double off) {
    double *gamma, *beta = NULL;
    MPNO_TRY(vector(w, node, 2, x->channels, 1, &gamma));
    mpno_status status = vector(w, node, 3, x->channels, 0, &beta);
    if (status == MPNO_OK && node->attr.fixed)
        status = fixed(w, node, x, gamma, beta);
    else if (status == MPNO_OK)
        by_group(w, node, x, off, gamma, beta);
    mpno_free(w->ctx, gamma);
    mpno_free(w->ctx, beta);
    return status;
}

mpno_status mpno_range_normalize(mpno_range_walk *w, const mpno_node *node) {
    double off = 0;
    if (!node->attr.fixed) MPNO_TRY(drift(w, node->in[0], &off));
    return mpno_range_normalized(w, node, mpno_range_in(w, node, 0), off);
}
