/* SPDX-License-Identifier: MIT
 * X = transform of columns over all axes but the last (transform/columns): c
 * [batch][lines][2][K][C]
 * -> X [modes][batch][2][C]. Gradient: columns_inverse, the adjoint. */
#include "graph/op/columns_sums.h"
#include "graph/op/transform.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    out->kind = MPNO_EDGE_SPECTRUM;
    out->channels = graph->edges[node->in[0]].channels;
    out->modes = node->attr.columns->modes;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const mpno_columns_call columns = mpno_columns_call_of(call, &call->in[0], &call->out[0]);
    call->nonfinite[0] = mpno_columns_forward(call->node->attr.columns, &columns, call->in[0].data,
                                              call->out[0].data);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    mpno_attr attr = node.attr;
    if (!wanted[0]) return MPNO_OK;
    attr.grid = graph->edges[node.in[0]].grid;
    return mpno_graph_add_gradient(graph, &mpno_op_columns_inverse, 1, grad_out, &attr, node.in[0],
                                   &grad_in[0]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const double lines = (double)(batch * graph->edges[node->in[0]].channels);
    return (mpno_op_cost){lines * mpno_columns_rest_flops(node->attr.columns), false};
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    (void)batch, (void)type_bytes;
    return mpno_columns_scratch_bytes(node->attr.columns, graph->edges[node->in[0]].channels,
                                      n_threads);
}

/* Statement B7, for the axes but the last. */
static double bound(const mpno_bound_call *call) {
    const mpno_columns *c = call->node->attr.columns;
    const double gain = (double)c->lines, growth = mpno_columns_rest_growth(c, false);
    return gain * call->in[0].error + mpno_bound_rounding(call, growth, gain * call->in[0].norm) +
           mpno_transform_underflow(call, growth, gain, 1);
}

const mpno_op mpno_op_columns_forward = {
    .name = "columns_forward",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch = scratch,
    .bound = bound,
};
