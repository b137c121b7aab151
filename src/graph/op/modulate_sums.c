/* SPDX-License-Identifier: MIT
 * dm[c] = sum of x dy, dm[C + c] = sum of dy over the points of each sample, f64: x, dy [rows][C]
 * -> [batch][2C]. The gradient of modulate's factors. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    double *sums = call->out[0].data;
    call->kernels->dot_rows(sums, call->in[0].data, call->in[1].data, call->rows, channels);
    call->kernels->sum_rows(sums + channels, call->in[1].data, call->rows, channels);
}

const mpno_op mpno_op_modulate_sums = {
    .name = "modulate_sums",
    .class = MPNO_OP_REDUCE,
    .f64_sums = true,
    .shape = mpno_shape_sample_sums,
    .forward = forward,
    .cost = mpno_cost_elementwise,
};
