/* SPDX-License-Identifier: MIT
 * y = x/2 (1 + erf(x / sqrt 2)), the exact GELU.
 * Gradient: dx = dy gelu'(x) (gelu_grad). */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t n = call->rows * call->in[0].channels;
    if (call->products != NULL) {
        call->products->gelu(call->out[0].data, call->in[0].data, n);
    } else {
        call->kernels->gelu(call->out[0].data, call->in[0].data, n);
    }
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    return mpno_backward_of_function(graph, index, &mpno_op_gelu_grad, grad_out, wanted, grad_in);
}

/* Statement B4: |gelu'| <= 1.1290 (at x = sqrt 2), and |gelu(x) - computed| <= c u |x|. f32: c of
 * kernels.def, which is checked for every float. f64: the C library's erf 1 ulp, erfc 5 ulp (glibc
 * manual), z off by 1.5 u where |z erf'(z)| <= 0.484, and the roundings of a sum and products: at
 * most 3.5 u |x| right of 0, 6 u |x| left of it. */
static double bound(const mpno_bound_call *call) {
    const double c = call->arithmetic == MPNO_F32 ? 2 : 7;
    return 1.1290 * call->in[0].error + mpno_bound_rounding_or_captured(call, c, call->in[0].norm);
}

const mpno_op mpno_op_gelu = {
    .name = "gelu",
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
