/* SPDX-License-Identifier: MIT
 * dx = dy tanh'(x): operands dy, x [rows][C]. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t n = call->rows * call->in[0].channels;
    if (call->products != NULL) {
        call->products->tanh_grad(call->out[0].data, call->in[1].data, call->in[0].data, n);
    } else {
        call->kernels->tanh_grad(call->out[0].data, call->in[1].data, call->in[0].data, n);
    }
}

const mpno_op mpno_op_tanh_grad = {
    .name = "tanh_grad",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .linear_in_first = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .cost = mpno_cost_elementwise,
    .flops = 25,
};
