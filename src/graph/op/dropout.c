/* SPDX-License-Identifier: MIT
 * y = x with a share attr.rate of its values dropped and the others divided by 1 - rate, in
 * training; which ones is a function of the step's seed, attr.id, sample and place, so that no mask
 * is kept and the backward pass draws it again. Gradient: the same op on dy. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const int64_t points = mpno_graph_grid(call->graph, call->node->in[0])->points;
    const mpno_drop drop = {
        .seed = call->drop_seed,
        .first = (uint64_t)(((call->before + call->sample) * points + call->first) * channels),
        .id = call->node->attr.id,
        .rate = call->node->attr.rate,
    };
    call->fields->dropout(call->out[0].data, call->in[0].data, call->rows * channels, &drop);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_dropout, 1, grad_out, &node.attr, node.in[0],
                                   &grad_in[0]);
}

const mpno_op mpno_op_dropout = {
    .name = "dropout",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .linear_in_first = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .flops = 12, /* ten rounds of two multiplications give four numbers */
};
