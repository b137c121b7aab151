/* SPDX-License-Identifier: MIT
 * What bounds of single ops pass on too much of: pairs of ops whose product has a smaller norm than
 * the product of their norms, or the sum of two paths a smaller norm than the sum. */
#ifndef MPNO_CERTIFY_SAVINGS_H
#define MPNO_CERTIFY_SAVINGS_H

#include "model/model.h"

/* Of a node: its result's error is less by `less` times the error of `edge`; edge -1: no saving. */
typedef struct mpno_saving {
    double less;
    int edge;
} mpno_saving;

/* weights: of the edges of parameters, norms as graph/bound.h has them; savings: [n_nodes].
 * Statements B12 and B13 of docs/theory/certificates.md. */
MPNO_WARN_UNUSED mpno_status mpno_savings_find(const mpno_graph *graph, const mpno_model *model,
                                               const mpno_bound *weights, mpno_saving *savings);
/* Of one node, as the second of two linear maps with GELU between them (B12) alone. */
MPNO_WARN_UNUSED mpno_status mpno_savings_of_linears(const mpno_graph *graph,
                                                     const mpno_model *model,
                                                     const mpno_bound *weights,
                                                     const mpno_node *node, mpno_saving *saving);

#endif
