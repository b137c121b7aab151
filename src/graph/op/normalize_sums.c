/* SPDX-License-Identifier: MIT
 * grads[c] = sum of dy, grads[C + c] = sum of dy x over the points of each sample, f64: dy, x
 * [rows][C] -> [batch][2C]. All that the gradient of a norm needs to know about the whole field. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    double *sums = call->out[0].data;
    call->kernels->sum_rows(sums, call->in[0].data, call->rows, channels);
    call->kernels->dot_rows(sums + channels, call->in[0].data, call->in[1].data, call->rows,
                            channels);
}

const mpno_op mpno_op_normalize_sums = {
    .name = "normalize_sums",
    .class = MPNO_OP_REDUCE,
    .f64_sums = true,
    .linear_in_first = true,
    .shape = mpno_shape_sample_sums,
    .forward = forward,
    .cost = mpno_cost_elementwise,
};
