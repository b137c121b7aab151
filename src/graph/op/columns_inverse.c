/* SPDX-License-Identifier: MIT
 * c = inverse transform of a spectrum over all axes but the last (transform/columns), plus a number
 * per channel added to the field that the columns stand for: X [modes][batch][2][C], b [C] or left
 * out -> c [batch][lines][2][K][C] on attr.grid. Gradients: columns_forward, the adjoint;
 * columns_sum. */
#include <math.h>

#include "graph/op/columns_sums.h"
#include "graph/op/transform.h"

static void forward(mpno_op_call *call) {
    const mpno_columns *columns = call->node->attr.columns;
    const double by_mean = 1 / columns->mean; /* of the lines that a constant field has */
    mpno_columns_call inverse = mpno_columns_call_of(call, &call->out[0], &call->in[0]);
    if (call->in[1].data != NULL) {
        const size_t vector =
            (size_t)call->out[0].channels * mpno_format_bytes(columns->arithmetic);
        call->fields->apply_matrix(call->scratch, call->in[1].data, &by_mean, 0, 1, 1, 1,
                                   call->out[0].channels);
        inverse.mean = call->scratch;
        inverse.scratch = (char *)call->scratch + mpno_aligned(vector);
    }
    call->nonfinite[0] =
        mpno_columns_inverse(columns, &inverse, call->in[0].data, call->out[0].data);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int sum[] = {grad_out[0], node.in[1]};
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_columns_forward, 1, grad_out, &node.attr,
                                         node.in[0], &grad_in[0]));
    if (!wanted[1]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_columns_sum, 2, sum, &node.attr, node.in[1],
                                   &grad_in[1]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    return mpno_op_columns_forward.cost(graph, node, batch);
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    return mpno_op_columns_forward.scratch(graph, node, batch, type_bytes, n_threads) +
           mpno_aligned((size_t)graph->edges[node->in[0]].channels * type_bytes);
}

/* Statement B7, for the axes but the last; the number of a channel is added to one frequency of
 * each line. */
static double bound(const mpno_bound_call *call) {
    const mpno_columns *c = call->node->attr.columns;
    const double bias = call->in[1].frobenius / fabs(c->mean);
    const double growth = mpno_columns_rest_growth(c, true) + 2;
    return call->in[0].error + mpno_bound_rounding(call, growth, call->in[0].norm + bias) +
           mpno_transform_underflow(call, growth, (double)c->lines, 1);
}

const mpno_op mpno_op_columns_inverse = {
    .name = "columns_inverse",
    .class = MPNO_OP_WHOLE,
    .cheap = true, /* may be made again: see repeat.h */
    .linear_in_first = true,
    .shape = mpno_shape_columns,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch = scratch,
    .bound = bound,
};
