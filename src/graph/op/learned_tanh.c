/* SPDX-License-Identifier: MIT
 * y = a tanh(x / a): x [rows][C], a one number. |y| <= |a|, slope 1 at 0 whatever a is.
 * Gradients: dx = dy tanh'(u), da = sum of dy (tanh u - u tanh'(u)), u = x / a. */
#include <math.h>

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

/* Statement B4: slope at most 1. Roundings: 1 / a (in f64, then to the arithmetic), x / a, tanh 4,
 * a tanh. Those of x / a move tanh no more than a factor on tanh would, as |tanh (1 + d) v| lies
 * between |tanh v| and (1 + d) |tanh v|. What underflow takes before the last product is multiplied
 * by a; INFINITY for an a whose inverse may itself underflow or overflow. */
static double bound(const mpno_bound_call *call) {
    const double a = call->in[1].most;
    if (!(a > 0x1p-100 && a < 0x1p100)) return INFINITY;
    return call->in[0].error +
           mpno_bound_rounding(call, 7 + mpno_bound_wide(call, 1), call->out.norm) +
           a * mpno_bound_rounding(call, 5, 0);
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
