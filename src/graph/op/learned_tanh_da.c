/* SPDX-License-Identifier: MIT
 * dy/da of y = a tanh(x / a) at each value: tanh u - u tanh'(u), u = x / a: x [rows][C], a one
 * number. dot_points with dy makes the gradient of a from it. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t n = call->rows * call->in[0].channels;
    void *u = call->scratch, *rise = call->out[0].data;
    call->fields->scale(u, call->in[0].data, 1 / call->fields->value(call->in[1].data), n);
    call->kernels->tanh(rise, u, n);
    call->kernels->tanh_grad(u, u, u, n);
    call->kernels->negate(u, u, n);
    call->kernels->add(rise, rise, u, n);
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t rows,
                      size_t type_bytes, int n_threads) {
    (void)n_threads;
    return (size_t)(rows * graph->edges[node->in[0]].channels) * type_bytes;
}

const mpno_op mpno_op_learned_tanh_da = {
    .name = "learned_tanh_da",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .cost = mpno_cost_elementwise,
    .flops = 50,
    .scratch = scratch,
};
