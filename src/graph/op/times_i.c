/* SPDX-License-Identifier: MIT
 * y = i x (attr.adjoint: -i x) of a complex field, whose rows are real and imaginary in turn.
 * Gradient: the other sign. Exact. */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    MPNO_CHECK(graph->ctx, mpno_graph_grid(graph, node->in[0])->planes == 2, MPNO_E_SHAPE,
               "times_i: %s is not a complex field", graph->edges[node->in[0]].name);
    return mpno_shape_like_first(graph, node, out);
}

static void forward(mpno_op_call *call) {
    call->fields->times_i(call->out[0].data, call->in[0].data, call->rows, call->in[0].channels,
                          call->node->attr.adjoint ? -1 : 1);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    mpno_attr attr = node.attr;
    if (!wanted[0]) return MPNO_OK;
    attr.adjoint = !attr.adjoint;
    return mpno_graph_add_gradient(graph, &mpno_op_times_i, 1, grad_out, &attr, node.in[0],
                                   &grad_in[0]);
}

const mpno_op mpno_op_times_i = {
    .name = "times_i",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .bound = mpno_bound_same,
};
