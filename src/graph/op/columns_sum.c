/* SPDX-License-Identifier: MIT
 * db[c] = sum of dy over all points and samples, where operand 0 are the columns T'dy: the gradient
 * of the vector operand 1 (for its shape; never read) that columns_inverse adds. */
#include "graph/op/columns_sums.h"

static void forward(mpno_op_call *call) {
    const mpno_columns *c = call->node->attr.columns;
    const mpno_columns_products products = {.other = 0, .weight = {1 / c->mean}};
    const int64_t channels = call->in[0].channels;
    const mpno_field_kernels *wide = mpno_field_kernels_get(MPNO_F64);
    double *samples =
        (double *)((char *)call->scratch +
                   mpno_columns_products_scratch(call->graph, call->node, call->batch,
                                                 mpno_format_bytes(call->kernels->arithmetic),
                                                 call->n_threads));
    mpno_columns_products_run(call, &products, samples);
    (void)wide->reduce(samples, samples, call->batch, 1, channels, 2 * channels, call->chain[0]);
    call->nonfinite[0] = call->fields->narrow(call->out[0].data, samples, channels);
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    return mpno_columns_products_scratch(graph, node, batch, type_bytes, n_threads) +
           (size_t)(batch * 2 * graph->edges[node->in[0]].channels) * sizeof(double);
}

const mpno_op mpno_op_columns_sum = {
    .name = "columns_sum",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = mpno_shape_weight_gradient,
    .forward = forward,
    .cost = mpno_columns_cost,
    .scratch = scratch,
};
