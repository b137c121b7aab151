/* SPDX-License-Identifier: MIT
 * Every sample's sums become the mean over the batch: [batch][n] -> [batch][n], f64. Stands between
 * moments (or the sums of a gradient) and a norm whose statistics are those of the batch. Its
 * gradient is part of normalize_dx. */
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    out->kind = MPNO_EDGE_SUMS;
    out->role = MPNO_ROLE_SUMS;
    out->channels = graph->edges[node->in[0]].channels;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    call->fields->average_samples(call->out[0].data, call->in[0].data, call->batch,
                                  call->in[0].channels);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    return (mpno_op_cost){(double)(batch * graph->edges[node->in[0]].channels), false};
}

const mpno_op mpno_op_average_samples = {
    .name = "average_samples",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .cost = cost,
};
