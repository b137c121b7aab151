/* SPDX-License-Identifier: MIT
 * y = (x, c_1, .., c_d): the coordinates of the grid point, c = start + (stop - start) i / N
 * (attr.box, far end excluded), as further channels. x [rows][C] -> y [rows][C + d]. Gradient: the
 * first C channels of dy. Error: the coordinates carry one rounding. Source: neuraloperator
 * GridEmbeddingND. */
#include <float.h>
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

/* Statement B1. What coordinates are off by is found by forming them with 64 bits (where long
 * double has them; else three roundings of numbers of the size of the box). */
static double bound(const mpno_bound_call *call) {
    const mpno_box *box = &call->node->attr.box;
    const mpno_grid *grid = mpno_graph_grid(call->graph, call->node->in[0]);
    double square = 0;
    for (int d = 0; d < grid->ndim; d++) {
        const double size = fabs(box->start[d]) + fabs(box->stop[d]), n = (double)grid->size[d];
        const double rest = 8 * (double)LDBL_EPSILON * size;
        double sum = 0;
        for (int64_t i = 0; i < grid->size[d]; i++) {
            const double at = box->start[d] + (box->stop[d] - box->start[d]) * ((double)i / n);
            const double stored = call->arithmetic == MPNO_F32 ? (double)(float)at : at;
            const long double exact = box->start[d] + ((long double)box->stop[d] - box->start[d]) *
                                                          ((long double)i / (long double)n);
            const double off = (double)fabsl(stored - exact) + rest;
            sum += off * off;
        }
        square += sum / n;
    }
    return call->in[0].error + 1.001 * sqrt(square);
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
