/* SPDX-License-Identifier: MIT
 * dx = dy tanh'(x / a): operands dy, x [rows][C], a one number. The result lies apart from both, as
 * it first holds x / a. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t n = call->rows * call->in[0].channels;
    void *u = call->out[0].data;
    call->fields->scale(u, call->in[1].data, 1 / call->fields->value(call->in[2].data), n);
    call->kernels->tanh_grad(u, u, call->in[0].data, n);
}

const mpno_op mpno_op_learned_tanh_dx = {
    .name = "learned_tanh_dx",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .linear_in_first = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .cost = mpno_cost_elementwise,
    .flops = 26,
};
