/* SPDX-License-Identifier: MIT
 * normalize of the field that columns stand for: y = gamma (x - mean_g) / sqrt(var_g + eps) + beta,
 * x = T c along each line. Operands c [lines][2][K][C], sums [2C] (columns_moments), gamma [C],
 * beta [C] (or left out); attr.columns, the others as normalize. Neither x nor its gradient is ever
 * stored: dc by normalize_columns_dx, gamma and beta by normalize_dw, both from the columns of dy
 * (line_forward) and normalize_columns_sums. */
#include "core/memory.h"
#include "graph/op/columns_sums.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    MPNO_TRY(mpno_op_normalize.shape(graph, node, out));
    return mpno_op_line_inverse.shape(graph, node, out);
}

static size_t line_scratch(const mpno_graph *graph, const mpno_node *node, size_t type_bytes) {
    return mpno_aligned(mpno_op_line_inverse.scratch(graph, node, 0, type_bytes, 1));
}

static void forward(mpno_op_call *call) {
    const int64_t channels = call->in[0].channels;
    const mpno_norm_shape norm = {mpno_graph_grid(call->graph, call->node->in[0])->points, channels,
                                  call->node->attr.groups, call->node->attr.eps, false};
    const size_t vector = (size_t)channels * mpno_format_bytes(call->kernels->arithmetic);
    /* Behind what the inverse keeps from part to part of a line. */
    char *scale =
        (char *)call->scratch + line_scratch(call->graph, call->node, vector / (size_t)channels);
    char *shift = scale + vector;
    mpno_op_line_inverse.forward(call);
    call->fields->norm_coefficients(scale, shift, call->in[1].data, call->in[2].data,
                                    call->in[3].data, &norm);
    call->kernels->channel_affine(call->out[0].data, call->out[0].data, scale, shift, call->rows,
                                  channels);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int x = node.in[0], sums = node.in[1], gamma = node.in[2], beta = node.in[3];
    int dy, grads, averaged;
    MPNO_TRY(
        mpno_graph_add_gradient(graph, &mpno_op_line_forward, 1, grad_out, &node.attr, x, &dy));
    const int for_sums[] = {dy, x};
    MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_normalize_columns_sums, 2, for_sums,
                                     &node.attr, sums, &grads));
    averaged = grads;
    if (node.attr.batch)
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_average_samples, 1, &grads, NULL, sums,
                                         &averaged));
    const int dx[] = {dy, x, sums, averaged, gamma}, dw[] = {sums, grads, gamma, beta};
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_normalize_columns_dx, 5, dx, &node.attr, x,
                                         &grad_in[0]));
    if (!wanted[2]) return MPNO_OK;
    MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_normalize_dw, 4, dw, &node.attr, gamma,
                                     &grad_in[2]));
    grad_in[3] = grad_in[2] + 1;
    return MPNO_OK;
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    mpno_op_cost all = mpno_op_line_inverse.cost(graph, node, batch);
    all.flops += mpno_op_normalize.cost(graph, node, batch).flops;
    return all;
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t rows,
                      size_t type_bytes, int n_threads) {
    return line_scratch(graph, node, type_bytes) +
           mpno_op_normalize.scratch(graph, node, rows, type_bytes, n_threads);
}

static bool keeps_scratch(const mpno_node *node) {
    return mpno_op_line_inverse.keeps_scratch(node);
}

/* Statements B8 and B6: the field of the columns, then normalize. */
static double bound(const mpno_bound_call *call) {
    const mpno_columns *columns = call->node->attr.columns;
    const double norm = mpno_columns_gain(columns, true) * call->in[0].norm,
                 terms = (double)mpno_lines_ranges(columns) +
                         2.0 * (double)(MPNO_COLUMNS_LINES * columns->keep);
    return mpno_bound_normalized(call, mpno_columns_bound(call, true), norm, terms);
}

const mpno_op mpno_op_line_normalize = {
    .name = "line_normalize",
    .class = MPNO_OP_TILE,
    .cheap = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .flops = 2, /* of the norm's part */
    .scratch = scratch,
    .keeps_scratch = keeps_scratch,
    .bound = bound,
};
