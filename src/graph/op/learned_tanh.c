/* SPDX-License-Identifier: MIT
 * y = a tanh(x / a): x [rows][C], a one number. |y| <= |a|, slope 1 at 0 whatever a is.
 * Gradients: dx = dy tanh'(u), da = sum of dy (tanh u - u tanh'(u)), u = x / a. */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_weight *a = &graph->weights[graph->edges[node->in[1]].param];
    MPNO_CHECK(graph->ctx, mpno_weight_count(a) == 1, MPNO_E_SHAPE,
               "the gain of a tanh is one number, not %zu", mpno_weight_count(a));
    return mpno_shape_like_first(graph, node, out);
}

static void forward(mpno_op_call *call) {
    const int64_t n = call->rows * call->in[0].channels;
    const double a = call->fields->value(call->in[1].data);
    void *y = call->out[0].data;
    call->fields->scale(y, call->in[0].data, 1 / a, n);
    call->kernels->tanh(y, y, n);
    call->fields->scale(y, y, a, n);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const int x = graph->nodes[index].in[0], a = graph->nodes[index].in[1];
    const int in[] = {grad_out[0], x, a};
    int rise;
    if (wanted[0])
        MPNO_TRY(
            mpno_graph_add_gradient(graph, &mpno_op_learned_tanh_dx, 3, in, NULL, x, &grad_in[0]));
    if (!wanted[1]) return MPNO_OK;
    MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_learned_tanh_da, 2, in + 1, NULL, x, &rise));
    const int both[] = {rise, grad_out[0], a};
    return mpno_graph_add_gradient(graph, &mpno_op_dot_points, 3, both, NULL, a, &grad_in[1]);
}

/* Statement B4: slope at most 1. The rounding of x / a moves tanh by at most u |tanh|, since
 * |v| / cosh^2 v <= |tanh v|. */
static double bound(const mpno_bound_call *call) {
    return call->in[0].error + mpno_bound_rounding(call, 12, call->out.norm);
}

const mpno_op mpno_op_learned_tanh = {
    .name = "learned_tanh",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .flops = 22,
    .bound = bound,
};
