/* SPDX-License-Identifier: MIT
 * The field of its columns, x[n] = sum_j T[n][j] c[j] along each line of the last axis
 * (transform/columns): c [lines][2][K][C] -> x [points][C], any part of a line. Gradient:
 * line_forward, the adjoint. Error: that of a product of inner length 2 K. */
#include "graph/op/columns_sums.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *columns = &graph->edges[node->in[0]];
    MPNO_CHECK(graph->ctx,
               columns->kind == MPNO_EDGE_COLUMNS && columns->modes == node->attr.columns->keep,
               MPNO_E_SHAPE, "line_inverse: %s are not the columns of its transform",
               columns->name);
    out->kind = MPNO_EDGE_FIELD;
    out->channels = columns->channels;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const mpno_columns *columns = call->node->attr.columns;
    const int64_t channels = call->in[0].channels;
    const size_t element = mpno_format_bytes(call->kernels->arithmetic);
    char *room = (char *)call->scratch + mpno_line_bytes(call->graph, call->node, element);
    for (int64_t done = 0, count; done < call->rows; done += count) {
        const int64_t at = call->first + done, line = at / columns->n, n = at % columns->n;
        count = columns->n - n < call->rows - done ? columns->n - n : call->rows - done;
        const bool made = n > 0 && mpno_columns_keep_parts(columns); /* with the part before */
        const void *c = made ? NULL : mpno_line_load(call, &call->in[0], 0, line, call->scratch);
        mpno_columns_give(columns, n, count, c, channels,
                          (char *)call->out[0].data + (size_t)(done * channels) * element, room);
    }
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_line_forward, 1, grad_out, &node.attr,
                                   node.in[0], &grad_in[0]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    return mpno_op_line_forward.cost(graph, node, batch);
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t rows,
                      size_t type_bytes, int n_threads) {
    return mpno_op_line_forward.scratch(graph, node, rows, type_bytes, n_threads);
}

static bool keeps_scratch(const mpno_node *node) {
    return mpno_columns_keep_parts(node->attr.columns);
}

/* Statement B8. */
static double bound(const mpno_bound_call *call) {
    return mpno_columns_bound(call, true);
}

const mpno_op mpno_op_line_inverse = {
    .name = "line_inverse",
    .class = MPNO_OP_TILE,
    .cheap = true, /* from few modes: the columns are kept, the field is made again */
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch = scratch,
    .keeps_scratch = keeps_scratch,
    .bound = bound,
};
