/* SPDX-License-Identifier: MIT
 * dx = dy W: dy [rows][O], W [O][I] -> dx [rows][I]. The gradient of linear with respect to its
 * input. */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    out->kind = MPNO_EDGE_FIELD;
    out->channels = graph->weights[graph->edges[node->in[1]].param].cols;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const int64_t n = call->out[0].channels, k = call->in[0].channels;
    const void *x = call->in[0].data, *w = call->in[1].data;
    if (call->products != NULL) {
        call->products->gemm(call->rows, n, k, x, k, w, NULL, call->out[0].data, n);
    } else {
        call->kernels->gemm_packed(call->rows, n, k, x, k, w, NULL, call->out[0].data, n);
    }
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    return mpno_op_linear.cost(graph, node, batch);
}

const mpno_op mpno_op_linear_dx = {
    .name = "linear_dx",
    .class = MPNO_OP_TILE,
    .linear_in_first = true,
    .packed = 1u << 1,
    .shape = shape,
    .forward = forward,
    .cost = cost,
};
