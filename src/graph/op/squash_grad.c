/* SPDX-License-Identifier: MIT
 * dx = dy f'(x), f the function attr.squash: operands dy, x [rows][C]. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    call->fields->squash_grad(call->out[0].data, call->in[1].data, call->in[0].data,
                              call->node->attr.squash, call->rows * call->in[0].channels);
}

const mpno_op mpno_op_squash_grad = {
    .name = "squash_grad",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .linear_in_first = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .cost = mpno_cost_elementwise,
    .flops = 25,
};
