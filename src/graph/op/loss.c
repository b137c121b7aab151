/* SPDX-License-Identifier: MIT
 * Per sample and channel the loss (attr.objective; definitions in mpno/loss.h) and for each of its
 * terms the factor of the gradient, f64: prediction, target [batch][points][C] -> [batch][C][1 +
 * terms]. The gradient (loss_grad) is seeded with the call's loss scale. */
#include <math.h>

#include "core/parallel.h"
#include "graph/graph.h"

static mpno_status check(mpno_ctx *ctx, const mpno_objective *o, const mpno_grid *grid,
                         int64_t channels) {
    MPNO_CHECK(ctx, o->n_terms >= 1 && o->n_terms <= MPNO_MAX_LOSS_TERMS, MPNO_E_ARGUMENT,
               "a loss has 1 to %d terms, not %d", MPNO_MAX_LOSS_TERMS, o->n_terms);
    for (int t = 0; t < o->n_terms; t++)
        MPNO_CHECK(ctx, isfinite(o->term[t].weight) && o->term[t].weight >= 0, MPNO_E_ARGUMENT,
                   "term %d of the loss has weight %g; it must be finite and not negative", t,
                   o->term[t].weight);
    for (int d = 0; d < grid->ndim; d++)
        MPNO_CHECK(ctx, !o->one_sided[d] || grid->size[d] >= MPNO_ONE_SIDED_POINTS, MPNO_E_SHAPE,
                   "one-sided differences along axis %d need at least %d points, the grid has "
                   "%lld: let the loss be periodic there",
                   d, MPNO_ONE_SIDED_POINTS, (long long)grid->size[d]);
    MPNO_CHECK(ctx, !o->channel_weights || (int64_t)o->n_channel_weights == channels, MPNO_E_SHAPE,
               "%zu channel weights were given for the loss of %lld channels: give one for each",
               o->n_channel_weights, (long long)channels);
    return MPNO_OK;
}

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    MPNO_TRY(mpno_shape_like_first(graph, node, out));
    const mpno_objective *objective = node->attr.objective;
    MPNO_TRY(check(graph->ctx, objective, mpno_graph_grid(graph, node->in[0]), out->channels));
    out->kind = MPNO_EDGE_SUMS;
    out->role = MPNO_ROLE_SUMS;
    out->channels *= 1 + objective->n_terms;
    return MPNO_OK;
}

static void one_sample(void *argument, int64_t sample, int thread) {
    const mpno_op_call *call = argument;
    const int64_t channels = call->in[0].channels;
    const size_t offset =
        (size_t)(sample * mpno_graph_grid(call->graph, call->node->in[0])->points * channels) *
        mpno_format_bytes(call->in[0].format);
    (void)thread;
    const mpno_objective *objective = call->node->attr.objective;
    double *out = (double *)call->out[0].data + sample * (1 + objective->n_terms) * channels;
    call->fields->loss(objective, out, (char *)call->in[0].data + offset,
                       (char *)call->in[1].data + offset,
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
    const mpno_objective *o = node->attr.objective;
    const mpno_grid *grid = mpno_graph_grid(graph, node->in[0]);
    double per_value = 0;
    for (int t = 0; t < o->n_terms; t++)
        per_value += o->term[t].kind == MPNO_LOSS_H1 ? 4.0 + 6.0 * grid->ndim : 4.0;
    return (mpno_op_cost){per_value * mpno_cost_elementwise(graph, node, batch).flops, false};
}

const mpno_op mpno_op_loss = {
    .name = "loss",
    .class = MPNO_OP_WHOLE,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
