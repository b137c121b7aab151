/* SPDX-License-Identifier: MIT
 * y = f(x), f the function attr.squash (mpno_squash): stabilisers of one value besides tanh.
 * Gradient: dx = dy f'(x) (squash_grad). By the C library where f is no arithmetic: no vector
 * kernels, unlike tanh (times: docs/reference/policies.md). */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    call->fields->squash(call->out[0].data, call->in[0].data, call->node->attr.squash,
                         call->rows * call->in[0].channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    return mpno_backward_of_function(graph, index, &mpno_op_squash_grad, grad_out, wanted, grad_in);
}

/* Statement B4: slopes at most 1; in f64 the C library's functions (exp 1 ulp, asinh 2 ulp, glibc
 * manual) and two operations, then rounded to the arithmetic. Relative to the result for the
 * sigmoid as well: 1 / (1 + e) has the relative error of 1 + e, and 1 is exact. */
static double bound(const mpno_bound_call *call) {
    return call->in[0].error +
           mpno_bound_rounding(call, 1 + mpno_bound_wide(call, 5), call->out.norm);
}

const mpno_op mpno_op_squash = {
    .name = "squash",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .flops = 20,
    .bound = bound,
};
