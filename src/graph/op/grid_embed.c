/* SPDX-License-Identifier: MIT
 * y = (x, c_1, .., c_d): the coordinates of the grid point, c = start + (stop - start) i / N
 * (attr.box, far end excluded), as further channels. x [rows][C] -> y [rows][C + d]. Gradient: the
 * first C channels of dy. Error: the coordinates carry one rounding. Source: neuraloperator
 * GridEmbeddingND. */
#include <math.h>

#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    out->kind = MPNO_EDGE_FIELD;
    out->channels = graph->edges[node->in[0]].channels + mpno_graph_grid(graph, node->in[0])->ndim;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    call->fields->grid_embed(call->out[0].data, call->in[0].data, call->first, call->rows,
                             call->in[0].channels, mpno_graph_grid(call->graph, call->node->in[0]),
                             &call->node->attr.box);
}

static mpno_status backward(mpno_graph *graph, int node, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const int x = graph->nodes[node].in[0];
    const mpno_attr attr = {.channels = graph->edges[x].channels};
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_take_channels, 1, grad_out, &attr, x,
                                   &grad_in[0]);
}

/* Statement B1. A coordinate is rounded once to the arithmetic; before, in f64, its share, the
 * width of the box, their product and the sum with the start. */
static double bound(const mpno_bound_call *call) {
    const mpno_box *box = &call->node->attr.box;
    const int ndim = mpno_graph_grid(call->graph, call->node->in[0])->ndim;
    double ends = 0, widths = 0;
    for (int d = 0; d < ndim; d++) {
        const double end = fmax(fabs(box->start[d]), fabs(box->stop[d])),
                     width = fabs(box->start[d]) + fabs(box->stop[d]);
        ends += end * end, widths += width * width;
    }
    return call->in[0].error + mpno_bound_rounding(call, 1, sqrt(ends)) +
           mpno_bound_rounding(call, mpno_bound_wide(call, 4), sqrt(widths));
}

const mpno_op mpno_op_grid_embed = {
    .name = "grid_embed",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .bound = bound,
};
