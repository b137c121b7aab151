/* SPDX-License-Identifier: MIT
 * y = x W' + b, a 1x1 convolution: x [rows][I], W [O][I], b [O] or left out -> y [rows][O].
 * Gradients: dx = dy W (linear_dx), dW = dy' x (linear_dw), db = sum of dy over the points
 * (sum_points). */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    const mpno_weight *w = &graph->weights[graph->edges[node->in[1]].param];
    MPNO_CHECK(graph->ctx, w->cols == x->channels, MPNO_E_SHAPE,
               "linear: the weight takes %lld channels, %s has %lld", (long long)w->cols, x->name,
               (long long)x->channels);
    out->kind = MPNO_EDGE_FIELD;
    out->channels = w->rows;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const int64_t n = call->out[0].channels, k = call->in[0].channels;
    const void *x = call->in[0].data, *w = call->in[1].data;
    if (call->products != NULL) {
        call->products->gemm(call->rows, n, k, x, k, w, call->in[2].data, call->out[0].data, n);
    } else {
        call->kernels->gemm_packed(call->rows, n, k, x, k, w, call->in[2].data, call->out[0].data,
                                   n);
    }
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int dx[] = {grad_out[0], node.in[1]}, dw[] = {grad_out[0], node.in[0], node.in[1]};
    const int db[] = {grad_out[0], node.in[2]};
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_linear_dx, 2, dx, NULL, node.in[0],
                                         &grad_in[0]));
    if (wanted[1])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_linear_dw, 3, dw, NULL, node.in[1],
                                         &grad_in[1]));
    if (wanted[2])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_sum_points, 2, db, NULL, node.in[2],
                                         &grad_in[2]));
    return MPNO_OK;
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_weight *w = &graph->weights[graph->edges[node->in[1]].param];
    const int64_t rows = batch * mpno_graph_grid(graph, node->in[0])->points;
    return (mpno_op_cost){2.0 * (double)(rows * w->rows * w->cols), true};
}

/* Statement B3: sigma(W) passes on; a chain of I multiply-adds, and one with the bias. */
static double bound(const mpno_bound_call *call) {
    const mpno_bound *x = &call->in[0], *w = &call->in[1], *b = &call->in[2];
    const mpno_edge *edge = &call->graph->edges[call->node->in[0]];
    const double terms = (double)edge->channels + (call->node->in[2] >= 0 ? 1 : 0);
    return w->norm * x->error +
           mpno_bound_rounding_or_captured(call, terms, w->frobenius * x->norm + b->frobenius);
}

const mpno_op mpno_op_linear = {
    .name = "linear",
    .class = MPNO_OP_TILE,
    .linear_in_first = true,
    .transposed = 1u << 1, /* rows of x times [I][O] */
    .packed = 1u << 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .bound = bound,
};
