/* SPDX-License-Identifier: MIT
 * y = x + b, one number per channel: x [rows][C], b [C]; attr.real_only: of a complex field only
 * the real rows. Gradients: dx = dy, db = sum of dy over the points. */
#include "graph/graph.h"

static void add_to_real(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const size_t bytes = (size_t)channels * mpno_format_bytes(call->kernels->arithmetic);
    for (int64_t r = 0; r < call->rows; r++)
        call->kernels->channel_affine((char *)call->out[0].data + (size_t)r * bytes,
                                      (char *)call->in[0].data + (size_t)r * bytes, NULL,
                                      r % 2 == 0 ? call->in[1].data : NULL, 1, channels);
}

static void forward(mpno_op_call *call) {
    if (call->node->attr.real_only) {
        add_to_real(call);
        return;
    }
    call->kernels->channel_affine(call->out[0].data, call->in[0].data, NULL, call->in[1].data,
                                  call->rows, call->in[0].channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const int b = graph->nodes[index].in[1], in[] = {grad_out[0], b};
    const mpno_attr attr = graph->nodes[index].attr;
    grad_in[0] = grad_out[0];
    if (!wanted[1]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_sum_points, 2, in, &attr, b, &grad_in[1]);
}

const mpno_op mpno_op_bias = {
    .name = "bias",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .bound = mpno_bound_rounded_once,
};
