/* SPDX-License-Identifier: MIT
 * y = g x, one factor per channel (soft gating): x [rows][C], g [C]. Gradients: dx = g dy, dg = sum
 * of x dy over the points. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    call->kernels->channel_affine(call->out[0].data, call->in[0].data, call->in[1].data, NULL,
                                  call->rows, call->in[0].channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const int x = graph->nodes[index].in[0], g = graph->nodes[index].in[1];
    const int dx[] = {grad_out[0], g}, dg[] = {x, grad_out[0], g};
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_gate, 2, dx, NULL, x, &grad_in[0]));
    if (wanted[1])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_dot_points, 3, dg, NULL, g, &grad_in[1]));
    return MPNO_OK;
}

/* Statement B2. */
static double bound(const mpno_bound_call *call) {
    return call->in[1].most * call->in[0].error + mpno_bound_rounding(call, 1, call->out.norm);
}

const mpno_op mpno_op_gate = {
    .name = "gate",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .linear_in_first = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .bound = bound,
};
