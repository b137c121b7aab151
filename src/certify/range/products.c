/* SPDX-License-Identifier: MIT
 * Ranges of linear maps between channels: 1x1 products and convolutions (S5). */
#include <math.h>

#include "certify/range/range.h"
#include "core/memory.h"
#include "number/format.h"

/* Of a product of inner length n: sums of n + 2 terms, once more for what is evaluated here, and
 * operands of either side that are rounded to bf16 on their way in. A native bf16 unit takes
 * subnormal operands for 0, which makes no sum larger. */
static double product_factor(const mpno_range_walk *w, const mpno_node *node, double n) {
    const mpno_arithmetic a = mpno_policy_arithmetic(&w->policy, node->op->name, node->layer);
    const double rounded = a.multiply == MPNO_BF16 || w->assume_bf16 ? 1 + ldexp(1, -8) : 1;
    return (1 + 4 * (n + 2) * mpno_range_unit(w)) * rounded * rounded;
}

/* W x of one number: the larger and the smaller end. */
static void term(double weight, const mpno_range *x, int64_t i, bool gaps, double *low,
                 double *high) {
    const double a = weight * x->low[i], b = weight * x->high[i];
    const double least = fmin(a, b), most = fmax(a, b);
    *low += gaps ? fmin(least, 0) : least;
    *high += gaps ? fmax(most, 0) : most;
}

/* y[o] = sum over b and i of W[b][o][i] x[i], plus the bias. gaps: x may be missing. */
static mpno_status map_channels(mpno_range_walk *w, const mpno_node *node, bool bias, bool gaps) {
    const mpno_weight *weight = &w->graph->weights[w->graph->edges[node->in[1]].param];
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double up = product_factor(w, node, (double)(weight->blocks * weight->cols));
    double *m, *slack, *b = NULL;
    MPNO_TRY(mpno_range_values(w, node, 1, &m, &slack));
    const mpno_status status = bias ? mpno_range_values(w, node, 2, &b, NULL) : MPNO_OK;
    for (int64_t o = 0; status == MPNO_OK && o < weight->rows; o++) {
        const double add = b != NULL ? b[o] : 0;
        double low = add, high = add, rms = fabs(add), most = fabs(add), off = 0;
        for (int64_t k = 0; k < weight->blocks; k++)
            for (int64_t i = 0; i < weight->cols; i++) {
                const int64_t at = (k * weight->rows + o) * weight->cols + i;
                const double size = fabs(m[at]) + slack[at];
                term(m[at], x, i, gaps, &low, &high);
                most += size * x->most[i], rms += size * x->rms[i];
                off += slack[at] * x->most[i];
            }
        off += (up - 1) * most + mpno_range_guard(w, most);
        mpno_range_set(y, o, low - off, high + off, up * rms);
    }
    mpno_free(w->ctx, m);
    mpno_free(w->ctx, b);
    return status;
}

mpno_status mpno_range_linear(mpno_range_walk *w, const mpno_node *node) {
    return map_channels(w, node, node->n_in > 2 && node->in[2] >= 0, false);
}

/* Each offset moves a field with zeros behind it, which makes no rms larger. */
mpno_status mpno_range_convolve(mpno_range_walk *w, const mpno_node *node) {
    return map_channels(w, node, false, true);
}
