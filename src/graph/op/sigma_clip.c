/* SPDX-License-Identifier: MIT
 * y = min(max(x, m - 2 s), m + 2 s), m and s mean and (biased) deviation of all points and channels
 * of a sample; with sums averaged over the batch (attr.batch) of all its samples, as the authors of
 * the paper have it: then a sample's result depends on the others. Operands x [rows][C], sums [2C]
 * (moments). Gradient: sigma_clip_dx, from the sums of dy beyond the limits (sigma_clip_sums). */
#include <math.h>

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

/* Statement B5: Lipschitz constant 1.5 (model/stabilizer/two_sigma_clip.c); limits are off by those
 * of the mean and of twice the deviation. A batch's statistics have no bound of one sample. */
static double bound(const mpno_bound_call *call) {
    const mpno_edge *edge = &call->graph->edges[call->node->in[0]];
    const double channels = (double)edge->channels, *sums = call->values[1];
    const double points = (double)mpno_graph_grid(call->graph, call->node->in[0])->points;
    double sum = 0, squares = 0;
    if (call->node->attr.batch) return INFINITY;
    for (int64_t c = 0; c < edge->channels; c++) sum += sums[2 * c], squares += sums[2 * c + 1];
    const double n = points * channels, square = squares / n;
    const double terms = mpno_bound_sum_terms(points) + channels + 4;
    const double off = 3 * terms * 0x1p-53 * square, variance = square - sum / n * (sum / n);
    /* sqrt is increasing with falling slope: it moves by most from the least it may have been */
    const double least = variance > off ? variance - off : 0;
    const double limits =
        terms * 0x1p-53 * sqrt(square) + 2 * (sqrt(least + 2 * off) - sqrt(least));
    return 1.5 * call->in[0].error + sqrt(channels) * limits +
           mpno_bound_rounding(call, 1 + mpno_bound_wide(call, 3),
                               sqrt(channels) * (fabs(sum / n) + 2 * sqrt(square)));
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
    .bound = bound,
};
