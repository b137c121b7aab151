/* SPDX-License-Identifier: MIT
 * y = the first attr.channels channels of x. x [rows][C] -> y [rows][attr.channels]. The gradient
 * of grid_embed; exact. */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    MPNO_CHECK(graph->ctx, node->attr.channels <= graph->edges[node->in[0]].channels, MPNO_E_SHAPE,
               "take_channels: %lld of %lld channels", (long long)node->attr.channels,
               (long long)graph->edges[node->in[0]].channels);
    out->kind = MPNO_EDGE_FIELD;
    out->channels = node->attr.channels;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    call->fields->take_channels(call->out[0].data, call->in[0].data, call->rows,
                                call->in[0].channels, call->node->attr.channels);
}

const mpno_op mpno_op_take_channels = {
    .name = "take_channels",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .cost = mpno_cost_elementwise,
    .bound = mpno_bound_same,
};
