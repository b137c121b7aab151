/* SPDX-License-Identifier: MIT
 * x[p][c] = s[c] at every point of the grid attr.grid: s [C] of the sample, f64 -> x [rows][C]. The
 * adjoint of sample_sums, which is its gradient. */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    out->kind = MPNO_EDGE_FIELD;
    out->grid = node->attr.grid;
    out->channels = graph->edges[node->in[0]].channels;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const size_t bytes = (size_t)channels * mpno_format_bytes(call->kernels->arithmetic);
    for (int64_t r = 0; r < call->rows; r++)
        call->fields->narrow((char *)call->out[0].data + (size_t)r * bytes, call->in[0].data,
                             channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_sample_sums, 1, grad_out, NULL,
                                   graph->nodes[index].in[0], &grad_in[0]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const int64_t points = graph->grids[node->attr.grid].points;
    return (mpno_op_cost){(double)(batch * points * graph->edges[node->in[0]].channels), false};
}

const mpno_op mpno_op_spread_sums = {
    .name = "spread_sums",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
