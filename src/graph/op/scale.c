/* SPDX-License-Identifier: MIT
 * y = attr.scale x. Gradient: dx = attr.scale dy. */
#include <math.h>

#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    call->fields->scale(call->out[0].data, call->in[0].data, call->node->attr.scale,
                        call->rows * call->in[0].channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_scale, 1, grad_out, &node.attr, node.in[0],
                                   &grad_in[0]);
}

/* Statement B2: the factor may itself be rounded, to a number below the normal range as well. */
static double bound(const mpno_bound_call *call) {
    return fabs(call->node->attr.scale) * call->in[0].error +
           mpno_bound_rounding(call, 2, call->out.norm) + call->eta * call->in[0].norm;
}

const mpno_op mpno_op_scale = {
    .name = "scale",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .linear_in_first = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .bound = bound,
};
