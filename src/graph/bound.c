/* SPDX-License-Identifier: MIT
 * What bounds of ops share, see bound.h. */
#include "graph/bound.h"

#include <math.h>

#include "graph/graph.h"
#include "graph/lower.h"

/* Sums are f64 whatever the arithmetic (mpno_op.f64_sums). */
#define SUM_UNIT 0x1p-53

/* Numbers of the result at a place of its norm: gives the norm of a tensor whose numbers are all 1.
 */
static double ones(const mpno_bound_call *call) {
    const mpno_edge *out = &call->graph->edges[call->node->out[0]];
    switch (out->kind) {
        case MPNO_EDGE_SPECTRUM: /* two parts, weights up to 2 */
        case MPNO_EDGE_COLUMNS:
            return sqrt(4.0 * (double)(out->modes * out->channels));
        case MPNO_EDGE_PARAM:
        case MPNO_EDGE_PARAM_GRAD:
        case MPNO_EDGE_BLOCKS:
            return sqrt((double)mpno_weight_count(&call->graph->weights[out->param]));
        default:
            return sqrt((double)out->channels);
    }
}

/* gamma_k = k u / (1 - k u) bounds (1 + d_1) .. (1 + d_k) - 1 (Higham, "Accuracy and Stability of
 * Numerical Algorithms", lemma 3.1); underflow adds up beside it. */
double mpno_bound_rounding(const mpno_bound_call *call, double terms, double size) {
    const double share = terms * call->unit;
    if (!(share < 0.5)) return INFINITY;
    return share / (1 - share) * size + terms * call->eta * ones(call);
}

double mpno_bound_wide(const mpno_bound_call *call, double terms) {
    return terms * SUM_UNIT / call->unit;
}

double mpno_bound_rounding_or_captured(const mpno_bound_call *call, double terms, double size) {
    return call->captured >= 0 ? call->captured : mpno_bound_rounding(call, terms, size);
}

double mpno_bound_sum_terms(double rows) {
    const double chunks = ceil(rows / MPNO_CHUNK_ROWS);
    return fmin(rows, MPNO_CHUNK_ROWS) + chunks;
}

double mpno_bound_same(const mpno_bound_call *call) {
    return call->in[0].error;
}

double mpno_bound_rounded_once(const mpno_bound_call *call) {
    return call->in[0].error + mpno_bound_rounding(call, 1, call->out.norm);
}

double mpno_bound_none(const mpno_bound_call *call) {
    (void)call;
    return 0;
}

/* A group of normalize. */
typedef struct group {
    double mean, square; /* of x and of x^2 */
    double gamma, beta;  /* largest magnitudes */
    double deviation;    /* least that it may be */
    double mean_off, variance_off;
} group;

static group group_of(const mpno_bound_call *call, int64_t first, int64_t width, double terms) {
    const mpno_attr *attr = &call->node->attr;
    const double *sums = call->values[1], *gamma = call->values[2], *beta = call->values[3];
    const double n = (double)mpno_graph_grid(call->graph, call->node->in[0])->points *
                     (double)width,
                 share = (terms + (double)width + 6) * SUM_UNIT;
    group g = {.gamma = gamma == NULL};
    for (int64_t c = first; c < first + width; c++) { /* as the kernel does */
        g.mean += sums[2 * c];
        g.square += sums[2 * c + 1];
        if (gamma != NULL) g.gamma = fmax(g.gamma, fabs(gamma[c]));
        if (beta != NULL) g.beta = fmax(g.beta, fabs(beta[c]));
    }
    g.mean = attr->uncentred ? 0 : g.mean / n;
    g.square /= n;
    g.mean_off = attr->uncentred ? 0 : share * sqrt(g.square);
    g.variance_off = 3 * share * g.square;
    const double variance = g.square - g.mean * g.mean - g.variance_off;
    g.deviation = sqrt((variance > 0 ? variance : 0) + attr->eps);
    return g;
}

double mpno_bound_normalized(const mpno_bound_call *call, double x_error, double x_norm,
                             double terms) {
    const mpno_attr *attr = &call->node->attr;
    const int64_t channels = call->graph->edges[call->node->in[0]].channels,
                  width = channels / attr->groups;
    const double spread = sqrt((double)width), one = x_error / spread; /* in one group alone */
    double slope = 0, off = 0, size = 0;
    if (attr->batch) return INFINITY;
    for (int64_t first = 0; first < channels; first += width) {
        const group g = group_of(call, first, width, terms);
        const double least = attr->fixed ? g.deviation : g.deviation - one;
        if (!(least > 1e-3 * g.deviation)) return INFINITY; /* less is what the bounds are off by */
        const double values = attr->fixed ? x_norm / spread : sqrt(g.square),
                     centred = attr->fixed ? values + fabs(g.mean) : g.deviation;
        const double moved =
            g.variance_off * centred / (2 * g.deviation * g.deviation) + g.mean_off;
        const double by_sums = g.gamma * moved / g.deviation,
                     sized = g.gamma * (values + fabs(g.mean)) / g.deviation + g.beta;
        slope = fmax(slope, g.gamma / least);
        off += (double)width * by_sums * by_sums;
        size += (double)width * sized * sized;
    }
    /* 1.001: what the bounds of the sums themselves are off by, far below 1e-6. Of the f64 numbers
     * factor and shift, five roundings each; to the arithmetic one, and two of what they make. A
     * factor that underflows is off by eta. */
    return slope * x_error + 1.001 * sqrt(off) + call->eta * x_norm +
           mpno_bound_rounding(call, 3 + mpno_bound_wide(call, 5), 1.001 * sqrt(size));
}
