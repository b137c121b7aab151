/* SPDX-License-Identifier: MIT
 * s[c] = sum of x over the points of each sample, f64: x [rows][C] -> [batch][C]. On a grid of one
 * point it hands a vector per sample to ops that take it beside a field (modulate). Gradient: ds at
 * every point (spread_sums). */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    out->kind = MPNO_EDGE_SUMS;
    out->role = MPNO_ROLE_SUMS;
    out->channels = graph->edges[node->in[0]].channels;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    call->kernels->sum_rows(call->out[0].data, call->in[0].data, call->rows, call->in[0].channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const int x = graph->nodes[index].in[0];
    const mpno_attr attr = {.grid = graph->edges[x].grid};
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_spread_sums, 1, grad_out, &attr, x, &grad_in[0]);
}

/* Statement B2: a sum over the points, in f64. */
static double bound(const mpno_bound_call *call) {
    const double points = (double)mpno_graph_grid(call->graph, call->node->in[0])->points;
    const double terms = mpno_bound_wide(call, mpno_bound_sum_terms(points));
    return points * (call->in[0].error + mpno_bound_rounding(call, terms, call->in[0].norm));
}

const mpno_op mpno_op_sample_sums = {
    .name = "sample_sums",
    .class = MPNO_OP_REDUCE,
    .f64_sums = true,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .bound = bound,
};
