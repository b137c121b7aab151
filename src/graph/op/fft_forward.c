/* SPDX-License-Identifier: MIT
 * X = forward transform of x, kept modes only (transform/fft/fft.h): x [batch][points][C] -> X
 * [modes][batch][2][C]. attr: fft, scale, weighting. Gradient: dx = inverse transform of dX with
 * the same scale and weighting, its adjoint. */
#include "graph/op/transform.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    MPNO_TRY(mpno_transform_fits(graph, node->attr.fft, x->grid));
    out->kind = MPNO_EDGE_SPECTRUM;
    out->channels = x->channels;
    out->modes = mpno_fft_modes(node->attr.fft);
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const mpno_fft_call fft = mpno_transform_call(call, &call->in[0], &call->out[0]);
    call->nonfinite[0] =
        mpno_fft_forward(call->node->attr.fft, &fft, call->in[0].data, call->out[0].data);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    mpno_attr attr = node.attr;
    if (!wanted[0]) return MPNO_OK;
    attr.grid = graph->edges[node.in[0]].grid;
    return mpno_graph_add_gradient(graph, &mpno_op_fft_inverse, 1, grad_out, &attr, node.in[0],
                                   &grad_in[0]);
}

/* Statement B7. */
static double bound(const mpno_bound_call *call) {
    return mpno_transform_bound(call, false);
}

const mpno_op mpno_op_fft_forward = {
    .name = "fft_forward",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_transform_cost,
    .scratch = mpno_transform_scratch,
    .bound = bound,
};
