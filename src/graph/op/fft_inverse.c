/* SPDX-License-Identifier: MIT
 * x = inverse transform of the kept modes X (transform/fft/fft.h): X [modes][batch][2][C] -> x
 * [batch][points][C]. attr: fft, scale, weighting, grid (of x). Gradient: dX = forward transform of
 * dx with the same scale and weighting, its adjoint; dx is staged first, in the format of the
 * transform's output. */
#include "graph/op/transform.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    MPNO_CHECK(graph->ctx,
               x->kind == MPNO_EDGE_SPECTRUM && mpno_fft_modes(node->attr.fft) == x->modes,
               MPNO_E_SHAPE, "the transform keeps %lld modes, its operand has %lld",
               (long long)mpno_fft_modes(node->attr.fft), (long long)x->modes);
    MPNO_TRY(mpno_transform_fits(graph, node->attr.fft, node->attr.grid));
    out->kind = MPNO_EDGE_FIELD;
    out->grid = node->attr.grid;
    out->channels = x->channels;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const mpno_fft_call fft = mpno_transform_call(call, &call->out[0], &call->in[0]);
    call->nonfinite[0] =
        mpno_fft_inverse(call->node->attr.fft, &fft, call->in[0].data, call->out[0].data);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    int staged;
    if (!wanted[0]) return MPNO_OK;
    MPNO_TRY(
        mpno_graph_add_gradient(graph, &mpno_op_stage, 1, grad_out, NULL, node.out[0], &staged));
    return mpno_graph_add_gradient(graph, &mpno_op_fft_forward, 1, &staged, &node.attr, node.in[0],
                                   &grad_in[0]);
}

/* Statement B7. */
static double bound(const mpno_bound_call *call) {
    return mpno_transform_bound(call, true);
}

const mpno_op mpno_op_fft_inverse = {
    .name = "fft_inverse",
    .class = MPNO_OP_WHOLE,
    .cheap = true, /* from few modes: the spectrum is kept, the field recomputed */
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_transform_cost,
    .scratch = mpno_transform_scratch,
    .bound = bound,
};
