/* SPDX-License-Identifier: MIT
 * dgamma[c] = sum of dy xhat, dbeta[c] = sum of dy over all samples, from the sums alone: operands
 * sums, grads [batch][2C], gamma, beta (for their shape; never read) -> two gradients [C]. */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    for (int i = 0; i < 2; i++) {
        out[i].kind = MPNO_EDGE_PARAM_GRAD;
        out[i].param = graph->edges[node->in[2 + i]].param;
        out[i].channels = graph->weights[out[i].param].cols;
    }
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const mpno_norm_shape norm = {mpno_graph_grid(call->graph, call->node->in[0])->points,
                                  call->out[0].channels, call->node->attr.groups,
                                  call->node->attr.eps, false};
    call->nonfinite[0] = call->fields->norm_weight_grads(
        call->out[0].data, call->out[1].data, call->in[0].data, call->in[1].data, call->batch,
        &norm, call->chain[0], call->chain[1]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    return (mpno_op_cost){6.0 * (double)(batch * graph->edges[node->in[0]].channels), false};
}

const mpno_op mpno_op_normalize_dw = {
    .name = "normalize_dw",
    .class = MPNO_OP_WHOLE,
    .shape = shape,
    .forward = forward,
    .cost = cost,
};
