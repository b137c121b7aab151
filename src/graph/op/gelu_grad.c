/* SPDX-License-Identifier: MIT
 * dx = dy gelu'(x): operands dy, x [rows][C]. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t n = call->rows * call->in[0].channels;
    const void *dy = call->in[0].data, *x = call->in[1].data;
    if (call->products != NULL) {
        call->products->gelu_grad(call->out[0].data, x, dy, n);
    } else {
        call->kernels->gelu_grad(call->out[0].data, x, dy, n);
    }
}

const mpno_op mpno_op_gelu_grad = {
    .name = "gelu_grad",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .linear_in_first = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .cost = mpno_cost_elementwise,
    .flops = 25,
};
