/* SPDX-License-Identifier: MIT
 * y = x, as a tensor of its own: hands a field to a transform in the format of the transform's
 * role, while the program that made it may keep x in another format or not at all. Exact but for
 * the store. Gradient: dx = dy. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    call->fields->take_channels(call->out[0].data, call->in[0].data, call->rows,
                                call->in[0].channels, call->in[0].channels);
}

static mpno_status backward(mpno_graph *graph, int node, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    (void)graph, (void)node, (void)wanted;
    grad_in[0] = grad_out[0];
    return MPNO_OK;
}

const mpno_op mpno_op_stage = {
    .name = "stage",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .linear_in_first = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .bound = mpno_bound_same,
};
