/* SPDX-License-Identifier: MIT
 * db[c] += sum of dy over the rows of a tile, f64: dy [rows][C] -> the gradient of vector operand 1
 * (for its shape; never read). attr.real_only: the real rows of a complex field alone. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const size_t bytes = (size_t)channels * mpno_format_bytes(call->kernels->arithmetic);
    if (!call->node->attr.real_only) {
        call->kernels->sum_rows(call->out[0].data, call->in[0].data, call->rows, channels);
        return;
    }
    for (int64_t r = 0; r < call->rows; r += 2)
        call->kernels->sum_rows(call->out[0].data, (char *)call->in[0].data + (size_t)r * bytes, 1,
                                channels);
}

const mpno_op mpno_op_sum_points = {
    .name = "sum_points",
    .class = MPNO_OP_REDUCE,
    .f64_sums = true,
    .linear_in_first = true,
    .shape = mpno_shape_weight_gradient,
    .forward = forward,
    .cost = mpno_cost_elementwise,
};
