/* SPDX-License-Identifier: MIT
 * The columns of a field: the kept frequencies of each line along its last axis,
 * c[j] = sum_n T[n][j] x[n] (transform/columns): x [points][C] -> c [lines][2][K][C]. A tile may
 * hold a part of a line, whose parts come in order. Gradient: line_inverse, the adjoint.
 * Error: that of a product with 2 K rows. */
#include "graph/op/columns_sums.h"

static void forward(mpno_op_call *call) {
    const mpno_columns *columns = call->node->attr.columns;
    const int64_t channels = call->in[0].channels;
    const size_t element = mpno_format_bytes(call->kernels->arithmetic);
    char *room = (char *)call->scratch + mpno_line_bytes(call->graph, call->node, element);
    for (int64_t done = 0, count; done < call->rows; done += count) {
        const int64_t at = call->first + done, line = at / columns->n, n = at % columns->n;
        void *c = mpno_line_place(call, &call->out[0], 0, line, call->scratch);
        count = columns->n - n < call->rows - done ? columns->n - n : call->rows - done;
        mpno_columns_take(columns, n, count,
                          (char *)call->in[0].data + (size_t)(done * channels) * element, channels,
                          c, room);
        if (n + count == columns->n && mpno_line_store(call, &call->out[0], 0, line, c))
            call->nonfinite[0] = true;
    }
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_line_inverse, 1, grad_out, &node.attr,
                                   node.in[0], &grad_in[0]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const double lines =
        (double)(batch * node->attr.columns->lines * graph->edges[node->in[0]].channels);
    return (mpno_op_cost){lines * mpno_columns_line_flops(node->attr.columns), false};
}

/* A line that comes in parts adds up. */
static bool keeps_scratch(const mpno_node *node) {
    return node->attr.columns->part < node->attr.columns->n;
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t rows,
                      size_t type_bytes, int n_threads) {
    (void)rows, (void)n_threads;
    return mpno_line_bytes(graph, node, type_bytes) +
           mpno_columns_part_bytes(node->attr.columns, graph->edges[node->in[0]].channels);
}

/* Statement B8. */
static double bound(const mpno_bound_call *call) {
    return mpno_columns_bound(call, false);
}

const mpno_op mpno_op_line_forward = {
    .name = "line_forward",
    .class = MPNO_OP_REDUCE,
    .linear_in_first = true,
    .shape = mpno_shape_columns,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch = scratch,
    .keeps_scratch = keeps_scratch,
    .bound = bound,
};
