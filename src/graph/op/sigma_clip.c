/* SPDX-License-Identifier: MIT
 * y = min(max(x, m - 2 s), m + 2 s), m and s mean and (biased) deviation of all points and channels
 * of a sample; with sums averaged over the batch (attr.batch) of all its samples, as the authors of
 * the paper have it: then a sample's result depends on the others. Operands x [rows][C], sums [2C]
 * (moments). Gradient: sigma_clip_dx, from the sums of dy beyond the limits (sigma_clip_sums). */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const mpno_sigma sigma = call->fields->sigma_of(
        call->in[1].data, mpno_graph_grid(call->graph, call->node->in[0])->points, channels);
    call->fields->sigma_clip(call->out[0].data, call->in[0].data, &sigma, call->rows * channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int x = node.in[0], sums = node.in[1], beyond[] = {grad_out[0], x, sums};
    int grads;
    if (!wanted[0]) return MPNO_OK;
    MPNO_TRY(
        mpno_graph_add_gradient(graph, &mpno_op_sigma_clip_sums, 3, beyond, NULL, sums, &grads));
    if (node.attr.batch)
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_average_samples, 1, &grads, NULL, sums,
                                         &grads));
    const int dx[] = {grad_out[0], x, sums, grads};
    return mpno_graph_add_gradient(graph, &mpno_op_sigma_clip_dx, 4, dx, NULL, x, &grad_in[0]);
}

const mpno_op mpno_op_sigma_clip = {
    .name = "sigma_clip",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .elementwise = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .flops = 2,
    .bound = mpno_bound_unknown,
};
