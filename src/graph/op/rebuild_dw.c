/* SPDX-License-Identifier: MIT
 * Gradients of all factors of rebuild: dF_j = dW contracted with the conjugates of the other
 * factors, zero where the contraction leaves elements out. Operands: dW, then the factors. A batch
 * that comes in parts has in dW the sum so far, so that the last part leaves the gradients of all.
 */
#include <string.h>

#include "graph/op/rebuild.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    for (int i = 1; i < node->n_in; i++) mpno_shape_gradient_of(graph, node->in[i], &out[i - 1]);
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const mpno_contract_run run = mpno_rebuild_run(call);
    const int n = call->node->n_in - 1;
    const void *factors[MPNO_OP_MAX_IN];
    void *gradients[MPNO_OP_MAX_IN];
    int64_t count[MPNO_OP_MAX_IN];
    for (int i = 0; i < n; i++) {
        factors[i] = call->in[1 + i].data;
        gradients[i] = call->out[i].data;
        count[i] = (int64_t)mpno_weight_count(
            &call->graph->weights[call->graph->edges[call->node->out[i]].param]);
        if (gradients[i] == NULL) continue; /* not asked for */
        memset(gradients[i], 0, (size_t)count[i] * mpno_format_bytes(call->kernels->arithmetic));
    }
    mpno_contraction_gradients(call->node->attr.contraction, &run, factors, call->in[0].data,
                               gradients);
    for (int i = 0; i < n; i++)
        call->nonfinite[i] =
            gradients[i] != NULL &&
            call->kernels->store(gradients[i], call->kernels->arithmetic, gradients[i], count[i]);
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    (void)graph, (void)batch, (void)n_threads;
    return mpno_contraction_scratch(node->attr.contraction, type_bytes, true);
}

const mpno_op mpno_op_rebuild_dw = {
    .name = "rebuild_dw",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .own_chain = true,
    .shape = shape,
    .forward = forward,
    .cost = mpno_rebuild_cost,
    .scratch = scratch,
};
