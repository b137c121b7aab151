/* SPDX-License-Identifier: MIT
 * y = tanh(x): the stabiliser before a forward transform, |y| <= 1 (paper, section 4.3).
 * Gradient: dx = dy tanh'(x) (tanh_grad). */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t n = call->rows * call->in[0].channels;
    if (call->products != NULL) {
        call->products->tanh(call->out[0].data, call->in[0].data, n);
    } else {
        call->kernels->tanh(call->out[0].data, call->in[0].data, n);
    }
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    return mpno_backward_of_function(graph, index, &mpno_op_tanh_grad, grad_out, wanted, grad_in);
}

/* Statement B4: slope at most 1, and |tanh(x) - computed| <= 4 u |tanh(x)|: f32 as kernels.def has
 * it; f64: the C library's, 2 ulp (glibc manual), an ulp at most 2 u. */
static double bound(const mpno_bound_call *call) {
    return call->in[0].error + mpno_bound_rounding(call, 4, call->out.norm);
}

const mpno_op mpno_op_tanh = {
    .name = "tanh",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .flops = 20, /* two polynomials and a division (kernel/tmpl) */
    .bound = bound,
};
