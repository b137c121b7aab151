/* SPDX-License-Identifier: MIT
 * Ranges of linear maps between channels: 1x1 products and convolutions (S5). */
#include <math.h>

#include "certify/range/range.h"
#include "core/memory.h"
#include "number/format.h"

/* Of a product of inner length n: sums of n + 2 terms, and operands of either side that are rounded
 * to bf16 on their way in. A native bf16 unit takes subnormal operands for 0, which makes no sum
 * larger. */
static double product_factor(const mpno_range_walk *w, const mpno_node *node, double n) {
    const mpno_arithmetic a = mpno_policy_arithmetic(&w->policy, node->op->name, node->layer);
    const double rounded = a.multiply == MPNO_BF16 || w->assume_bf16 ? 1 + ldexp(1, -8) : 1;
    return (1 + 2 * (n + 2) * mpno_range_unit(w)) * rounded * rounded;
}

/* y[o] = sum over b and i of |W[b][o][i]| x[i], plus the bias. */
static mpno_status map_channels(mpno_range_walk *w, const mpno_node *node, int bias) {
    const mpno_weight *weight = &w->graph->weights[w->graph->edges[node->in[1]].param];
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double up = product_factor(w, node, (double)(weight->blocks * weight->cols));
    double *m, *b = NULL;
    MPNO_TRY(mpno_range_magnitudes(w, node, 1, &m));
    const mpno_status status = bias ? mpno_range_magnitudes(w, node, 2, &b) : MPNO_OK;
    for (int64_t o = 0; status == MPNO_OK && o < weight->rows; o++) {
        double most = 0, rms = 0;
        for (int64_t k = 0; k < weight->blocks; k++)
            for (int64_t i = 0; i < weight->cols; i++) {
                const double a = m[(k * weight->rows + o) * weight->cols + i];
                most += a * x->most[i], rms += a * x->rms[i];
            }
        const double add = b != NULL ? b[o] : 0;
        y->most[o] = up * (most + add);
        y->rms[o] = up * (rms + add);
    }
    mpno_free(w->ctx, m);
    mpno_free(w->ctx, b);
    return status;
}

mpno_status mpno_range_linear(mpno_range_walk *w, const mpno_node *node) {
    return map_channels(w, node, node->n_in > 2 && node->in[2] >= 0);
}

/* Each offset moves a field with zeros behind it, which makes no rms larger. */
mpno_status mpno_range_convolve(mpno_range_walk *w, const mpno_node *node) {
    return map_channels(w, node, 0);
}
