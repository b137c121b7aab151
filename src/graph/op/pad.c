/* SPDX-License-Identifier: MIT
 * y = x on the larger grid attr.grid, zero around it: attr.margin points in front on each axis.
 * x [batch][points][C] -> y alike. Gradient: crop. Exact but for the store. Source: neuraloperator
 * DomainPadding. */
#include <math.h>

#include <string.h>

#include "graph/op/margins.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    MPNO_TRY(mpno_margins_fit(graph, node, x->grid, node->attr.grid));
    out->kind = MPNO_EDGE_FIELD;
    out->grid = node->attr.grid;
    out->channels = x->channels;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const mpno_graph *graph = call->graph;
    const mpno_grid *large = &graph->grids[call->node->attr.grid];
    memset(call->out[0].data, 0,
           (size_t)(call->batch * large->points * call->out[0].channels) *
               mpno_format_bytes(call->out[0].format));
    if (call->out[0].codec != NULL)
        mpno_codec_clear(call->out[0].codec, call->batch * large->points);
    mpno_margins_copy(call, mpno_graph_grid(graph, call->node->in[0]), large, false);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    mpno_attr attr = node.attr;
    if (!wanted[0]) return MPNO_OK;
    attr.grid = graph->edges[node.in[0]].grid;
    return mpno_graph_add_gradient(graph, &mpno_op_crop, 1, grad_out, &attr, node.in[0],
                                   &grad_in[0]);
}

/* Statement B1: the same sum over more points. */
static double bound(const mpno_bound_call *call) {
    const mpno_node *n = call->node;
    return call->in[0].error * sqrt((double)mpno_graph_grid(call->graph, n->in[0])->points /
                                    (double)mpno_graph_grid(call->graph, n->out[0])->points);
}

const mpno_op mpno_op_pad = {
    .name = "pad",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .scratch = mpno_margins_scratch,
    .bound = bound,
};
