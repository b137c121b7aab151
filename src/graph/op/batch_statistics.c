/* SPDX-License-Identifier: MIT
 * Mean and unbiased variance of a batch from its averaged sums: operands sums [batch][2C]
 * (average_samples), running mean and variance (for their shape; never read) -> two vectors [C].
 * They stand where the gradients of the running statistics would: what these are moved by. */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    for (int i = 0; i < 2; i++) {
        out[i].kind = MPNO_EDGE_PARAM_GRAD;
        out[i].param = graph->edges[node->in[1 + i]].param;
        out[i].channels = graph->weights[out[i].param].cols;
    }
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    call->nonfinite[0] = call->fields->statistics_of(
        call->out[0].data, call->out[1].data, call->in[0].data, call->batch,
        mpno_graph_grid(call->graph, call->node->in[0])->points, call->out[0].channels);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    return (mpno_op_cost){3.0 * (double)(batch * graph->edges[node->in[0]].channels), false};
}

const mpno_op mpno_op_batch_statistics = {
    .name = "batch_statistics",
    .class = MPNO_OP_WHOLE,
    .shape = shape,
    .forward = forward,
    .cost = cost,
};
