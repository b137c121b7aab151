/* SPDX-License-Identifier: MIT
 * y = the part of x on the smaller grid attr.grid, which starts attr.margin points inside on each
 * axis. x [batch][points][C] -> y alike. Gradient: pad. Exact but for the store. */
#include "graph/op/margins.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    MPNO_TRY(mpno_margins_fit(graph, node, node->attr.grid, x->grid));
    out->kind = MPNO_EDGE_FIELD;
    out->grid = node->attr.grid;
    out->channels = x->channels;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const mpno_graph *graph = call->graph;
    mpno_margins_copy(call, &graph->grids[call->node->attr.grid],
                      mpno_graph_grid(graph, call->node->in[0]), true);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    mpno_attr attr = node.attr;
    if (!wanted[0]) return MPNO_OK;
    attr.grid = graph->edges[node.in[0]].grid;
    return mpno_graph_add_gradient(graph, &mpno_op_pad, 1, grad_out, &attr, node.in[0],
                                   &grad_in[0]);
}

/* Statement B1: at most the same sum over fewer points. */
static double bound(const mpno_bound_call *call) {
    return mpno_op_pad.bound(call);
}

const mpno_op mpno_op_crop = {
    .name = "crop",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .scratch = mpno_margins_scratch,
    .bound = bound,
};
