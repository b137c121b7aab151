/* SPDX-License-Identifier: MIT
 * dx of sigma_clip: dy where x lies within its limits, and what moves them. Operands dy, x
 * [rows][C], sums, grads [2C] (moments, sigma_clip_sums). */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const mpno_sigma sigma = call->fields->sigma_of(
        call->in[2].data, mpno_graph_grid(call->graph, call->node->in[0])->points, channels);
    call->fields->sigma_clip_dx(call->out[0].data, call->in[0].data, call->in[1].data,
                                call->in[3].data, &sigma, call->rows * channels, channels);
}

const mpno_op mpno_op_sigma_clip_dx = {
    .name = "sigma_clip_dx",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .cost = mpno_cost_elementwise,
    .flops = 4,
};
