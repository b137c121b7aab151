/* SPDX-License-Identifier: MIT
 * dprediction of loss_scale times the sum of the losses: prediction, target [batch][points][C],
 * losses [batch][C][1 + terms]
 * (loss) -> [batch][points][C]. */
#include <stdatomic.h>

#include "core/parallel.h"
#include "graph/graph.h"

typedef struct sample_call {
    const mpno_op_call *call;
    atomic_bool nonfinite;
} sample_call;

static void one_sample(void *argument, int64_t sample, int thread) {
    sample_call *s = argument;
    const mpno_op_call *call = s->call;
    const int64_t channels = call->in[0].channels;
    const size_t offset =
        (size_t)(sample * mpno_graph_grid(call->graph, call->node->in[0])->points * channels) *
        mpno_format_bytes(call->in[0].format);
    (void)thread;
    const int64_t stride = 1 + call->node->attr.objective->n_terms;
    if (call->fields->loss_grad(
            call->node->attr.objective, (char *)call->out[0].data + offset,
            (char *)call->in[0].data + offset, (char *)call->in[1].data + offset,
            (const double *)call->in[2].data + sample * stride * channels, call->loss_scale,
            mpno_graph_grid(call->graph, call->node->in[0]), channels))
        atomic_store_explicit(&s->nonfinite, true, memory_order_relaxed);
}

static void forward(mpno_op_call *call) {
    sample_call s = {.call = call};
    mpno_parallel(call->n_threads, call->batch, one_sample, &s);
    call->nonfinite[0] = s.nonfinite;
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    return mpno_op_loss.cost(graph, node, batch);
}

const mpno_op mpno_op_loss_grad = {
    .name = "loss_grad",
    .class = MPNO_OP_WHOLE,
    .shape = mpno_shape_like_first,
    .forward = forward,
    .cost = cost,
};
