/* SPDX-License-Identifier: MIT
 * dx = rstd (gamma dy - mean(gamma dy) - xhat mean(gamma dy xhat)) of normalize, the means over the
 * group: operands dy, x [rows][C], sums, grads [2C] (moments, normalize_sums), gamma [C] or left
 * out. One p x + q dy + r a channel; attr.fixed: the statistics do not depend on x, p = r = 0. */
#include "graph/graph.h"

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t rows,
                      size_t type_bytes, int n_threads) {
    (void)rows, (void)n_threads;
    return 3 * (size_t)graph->edges[node->in[0]].channels * type_bytes;
}

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const size_t bytes = (size_t)channels * mpno_format_bytes(call->kernels->arithmetic);
    const mpno_norm_shape norm = {mpno_graph_grid(call->graph, call->node->in[0])->points, channels,
                                  call->node->attr.groups, call->node->attr.eps,
                                  call->node->attr.uncentred};
    char *p = call->scratch, *q = p + bytes, *r = q + bytes;
    call->fields->norm_grad_coefficients(p, q, r, call->in[2].data, call->in[3].data,
                                         call->in[4].data, &norm);
    const mpno_operand *dy = &call->in[0], *x = &call->in[1];
    if (call->node->attr.fixed) {
        call->kernels->affine_stored(call->out[0].data, dy->data, dy->format, q, NULL, call->rows,
                                     channels);
    } else {
        call->kernels->combine_stored(call->out[0].data, x->data, x->format, p, dy->data,
                                      dy->format, q, r, call->rows, channels);
    }
}

const mpno_op mpno_op_normalize_dx = {
    .name = "normalize_dx",
    .class = MPNO_OP_TILE,
    .stored = 1u << 0 | 1u << 1,
    .cheap = true,
    .elementwise = true,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .cost = mpno_cost_elementwise,
    .flops = 4,
    .scratch = scratch,
};
