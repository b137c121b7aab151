/* SPDX-License-Identifier: MIT
 * sums[2c] = sum of x, sums[2c+1] = sum of x^2 over the points of each sample, f64: x [rows][C] ->
 * [batch][2C]. What a norm needs to know before it can start. Its gradient is part of normalize_dx,
 * which differentiates both at once. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    call->kernels->sum_squares(call->out[0].data, call->in[0].data, call->rows,
                               call->in[0].channels);
}

const mpno_op mpno_op_moments = {
    .name = "moments",
    .class = MPNO_OP_REDUCE,
    .f64_sums = true,
    .shape = mpno_shape_sample_sums,
    .forward = forward,
    .cost = mpno_cost_elementwise,
    .bound = mpno_bound_none,
};
