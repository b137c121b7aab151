/* SPDX-License-Identifier: MIT
 * dg[c] += sum of x dy over the rows of a tile, f64: x, dy [rows][C] -> the gradient of vector
 * operand 2 (for its shape; never read). Where that is one number, the sum over the channels too.
 */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t channels = call->out[0].channels;
    call->kernels->dot_rows(call->out[0].data, call->in[0].data, call->in[1].data,
                            call->rows * call->in[0].channels / channels, channels);
}

const mpno_op mpno_op_dot_points = {
    .name = "dot_points",
    .class = MPNO_OP_REDUCE,
    .f64_sums = true,
    .linear_in_first = true,
    .shape = mpno_shape_weight_gradient,
    .forward = forward,
    .cost = mpno_cost_elementwise,
};
