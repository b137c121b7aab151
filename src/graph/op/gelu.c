/* SPDX-License-Identifier: MIT
 * y = x/2 (1 + erf(x / sqrt 2)), the exact GELU.
 * Gradient: dx = dy gelu'(x) (gelu_grad). */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t n = call->rows * call->in[0].channels;
    if (call->products != NULL) {
        call->products->gelu(call->out[0].data, call->in[0].data, n);
    } else {
        call->kernels->gelu(call->out[0].data, call->in[0].data, n);
    }
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const int x = graph->nodes[index].in[0], in[] = {grad_out[0], x};
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_gelu_grad, 2, in, NULL, x, &grad_in[0]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    /* about 20 flops a value: two polynomials and a division (kernel/tmpl) */
    return (mpno_op_cost){20.0 * mpno_cost_elementwise(graph, node, batch).flops, false};
}

const mpno_op mpno_op_gelu = {
    .name = "gelu",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .bound = mpno_bound_unknown,
};
