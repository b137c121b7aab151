/* SPDX-License-Identifier: MIT
 * dW += dy' x over the rows of a tile: dy [rows][O], x [rows][I] -> dW [O][I]. Operand 2 is the
 * weight itself (for its shape; never read). Summed over tiles and samples in a fixed order after
 * the program. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    const int64_t o = call->in[0].channels, i = call->in[1].channels;
    const void *dy = call->in[0].data, *x = call->in[1].data;
    if (call->products != NULL) {
        call->products->gemm_tn(call->rows, i, o, dy, o, x, i, call->out[0].data, i);
    } else {
        call->kernels->gemm_tn(call->rows, i, o, dy, o, x, i, call->out[0].data, i);
    }
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_weight *w = &graph->weights[graph->edges[node->in[2]].param];
    const int64_t rows = batch * mpno_graph_grid(graph, node->in[0])->points;
    return (mpno_op_cost){2.0 * (double)(rows * w->rows * w->cols), true};
}

const mpno_op mpno_op_linear_dw = {
    .name = "linear_dw",
    .class = MPNO_OP_REDUCE,
    .linear_in_first = true,
    .shape = mpno_shape_weight_gradient,
    .forward = forward,
    .cost = cost,
};
