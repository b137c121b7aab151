/* SPDX-License-Identifier: MIT
 * The sums that normalize expects, from a running mean and variance instead of the field: operands
 * x (for its grid; never read), mean [C], variance [C] -> [batch][2C], f64. Not differentiated:
 * running statistics are not trained. */
#include "graph/graph.h"

static void forward(mpno_op_call *call) {
    call->fields->moments_of(call->out[0].data, call->in[1].data, call->in[2].data, call->batch,
                             mpno_graph_grid(call->graph, call->node->in[0])->points,
                             call->in[0].channels);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    return (mpno_op_cost){4.0 * (double)(batch * graph->edges[node->in[0]].channels), false};
}

const mpno_op mpno_op_running_moments = {
    .name = "running_moments",
    .class = MPNO_OP_WHOLE,
    .shape = mpno_shape_sample_sums,
    .forward = forward,
    .cost = cost,
    .bound = mpno_bound_none,
};
