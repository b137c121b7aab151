/* SPDX-License-Identifier: MIT
 * y = a + b. Gradient: dy to both. Bound: magnitudes and errors add, plus one rounding of the sum.
 */
#include <math.h>

#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const mpno_operand *a = &call->in[0], *b = &call->in[1];
    call->kernels->add_stored(call->out[0].data, a->data, a->format, b->data, b->format,
                              call->rows * a->channels);
}

static mpno_status backward(mpno_graph *graph, int node, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    (void)graph, (void)node, (void)wanted;
    grad_in[0] = grad_in[1] = grad_out[0];
    return MPNO_OK;
}

/* |fl(a^ + b^) - (a + b)| <= ea + eb + u |a^ + b^|, |a^| <= ma + ea. nextafter: these few f64
 * operations round upwards. */
/* Statement B2: errors add up; one rounding. */
static double bound(const mpno_bound_call *call) {
    return call->in[0].error + call->in[1].error + mpno_bound_rounding(call, 1, call->out.norm);
}

const mpno_op mpno_op_add = {
    .name = "add",
    .class = MPNO_OP_TILE,
    .stored = 1u << 0 | 1u << 1,
    .cheap = true,
    .elementwise = true,
    .linear_in_first = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .bound = bound,
};
