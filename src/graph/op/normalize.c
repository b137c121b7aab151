/* SPDX-License-Identifier: MIT
 * y = gamma (x - mean_g) / sqrt(var_g + eps) + beta: operands x [rows][C], sums [2C] (moments),
 * gamma [C], beta [C] (or left out), attr.groups, attr.eps. Group norm; with groups = C and no
 * weights instance norm; with sums averaged over the batch (attr.batch) batch norm; with sums that
 * do not come from x (attr.fixed) batch norm in use; with attr.uncentred RMS norm, whose mean is
 * not taken away. Applied as one affine map a channel. Gradients: dx by normalize_dx, gamma and
 * beta by normalize_dw, both from the sums of dy and dy x (normalize_sums). Source: Wu & He, "Group
 * normalization" (ECCV 2018); biased variance and eps 1e-5 as PyTorch. */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    MPNO_CHECK(graph->ctx, node->attr.groups > 0 && x->channels % node->attr.groups == 0,
               MPNO_E_SHAPE, "norm_groups is %lld; it must divide the %lld channels",
               (long long)node->attr.groups, (long long)x->channels);
    out->kind = MPNO_EDGE_FIELD;
    out->channels = x->channels;
    return MPNO_OK;
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t rows,
                      size_t type_bytes, int n_threads) {
    (void)rows, (void)n_threads;
    return 2 * (size_t)graph->edges[node->in[0]].channels * type_bytes;
}

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const mpno_norm_shape norm = {mpno_graph_grid(call->graph, call->node->in[0])->points, channels,
                                  call->node->attr.groups, call->node->attr.eps,
                                  call->node->attr.uncentred};
    void *scale = call->scratch;
    void *shift = (char *)scale + (size_t)channels * mpno_format_bytes(call->kernels->arithmetic);
    call->fields->norm_coefficients(scale, shift, call->in[1].data, call->in[2].data,
                                    call->in[3].data, &norm);
    const mpno_operand *x = &call->in[0];
    call->kernels->affine_stored(call->out[0].data, x->data, x->format, scale, shift, call->rows,
                                 channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int x = node.in[0], sums = node.in[1], gamma = node.in[2], beta = node.in[3],
              dy = grad_out[0];
    const int for_sums[] = {dy, x};
    int grads, averaged;
    MPNO_TRY(
        mpno_graph_add_gradient(graph, &mpno_op_normalize_sums, 2, for_sums, NULL, sums, &grads));
    averaged = grads;
    if (node.attr.batch)
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_average_samples, 1, &grads, NULL, sums,
                                         &averaged));
    const int dx[] = {dy, x, sums, averaged, gamma}, dw[] = {sums, grads, gamma, beta};
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_normalize_dx, 5, dx, &node.attr, x,
                                         &grad_in[0]));
    if (wanted[2]) {
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_normalize_dw, 4, dw, &node.attr, gamma,
                                         &grad_in[2]));
        grad_in[3] = grad_in[2] + 1;
    }
    return MPNO_OK;
}

/* Statement B6. */
static double bound(const mpno_bound_call *call) {
    const double points = (double)mpno_graph_grid(call->graph, call->node->in[0])->points;
    return mpno_bound_normalized(call, call->in[0].error, call->in[0].norm,
                                 mpno_bound_sum_terms(points));
}

const mpno_op mpno_op_normalize = {
    .name = "normalize",
    .class = MPNO_OP_TILE,
    .stored = 1u << 0,
    .cheap = true,
    .elementwise = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_cost_elementwise,
    .flops = 2,
    .scratch = scratch,
    .bound = bound,
};
