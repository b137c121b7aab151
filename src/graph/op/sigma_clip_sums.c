/* SPDX-License-Identifier: MIT
 * grads[c] = sum of dy where x is below its limit, grads[C + c] = where it is above, over the
 * points of each sample, f64: dy, x [rows][C], sums [2C] (moments) -> [batch][2C]. What the limits
 * of sigma_clip are owed. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const mpno_sigma sigma = call->fields->sigma_of(
        call->in[2].data, mpno_graph_grid(call->graph, call->node->in[0])->points, channels);
    call->fields->sigma_clip_sums(call->out[0].data, call->in[0].data, call->in[1].data, &sigma,
                                  call->rows, channels);
}

const mpno_op mpno_op_sigma_clip_sums = {
    .name = "sigma_clip_sums",
    .class = MPNO_OP_REDUCE,
    .f64_sums = true,
    .shape = mpno_shape_sample_sums,
    .forward = forward,
    .cost = mpno_cost_elementwise,
};
