/* SPDX-License-Identifier: MIT
 * Per sample and channel the loss (attr.loss; definitions in mpno/loss.h) and the factor of its
 * gradient, f64: prediction, target [batch][points][C] -> [batch][C][2]. The gradient (loss_grad)
 * is seeded with the call's loss scale. */
#include "core/parallel.h"
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    MPNO_TRY(mpno_shape_like_first(graph, node, out));
    out->kind = MPNO_EDGE_SUMS;
    out->role = MPNO_ROLE_SUMS;
    out->channels *= 2;
    return MPNO_OK;
}

static void one_sample(void *argument, int64_t sample, int thread) {
    const mpno_op_call *call = argument;
    const int64_t channels = call->in[0].channels;
    const size_t offset =
        (size_t)(sample * mpno_graph_grid(call->graph, call->node->in[0])->points * channels) *
        mpno_format_bytes(call->in[0].format);
    (void)thread;
    call->fields->loss(call->node->attr.loss, (double *)call->out[0].data + sample * 2 * channels,
                       (char *)call->in[0].data + offset, (char *)call->in[1].data + offset,
                       mpno_graph_grid(call->graph, call->node->in[0]), channels);
}

static void forward(mpno_op_call *call) {
    mpno_parallel(call->n_threads, call->batch, one_sample, call);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int in[] = {node.in[0], node.in[1], grad_out[0]};
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, &mpno_op_loss_grad, 3, in, &node.attr, node.in[0],
                                   &grad_in[0]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const double per_value = node->attr.loss == MPNO_LOSS_H1
                                 ? 4.0 + 6.0 * mpno_graph_grid(graph, node->in[0])->ndim
                                 : 4.0;
    return (mpno_op_cost){per_value * mpno_cost_elementwise(graph, node, batch).flops, false};
}

const mpno_op mpno_op_loss = {
    .name = "loss",
    .class = MPNO_OP_WHOLE,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .bound = mpno_bound_unknown,
};
