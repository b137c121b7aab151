/* SPDX-License-Identifier: MIT
 * W = sum over rank indices of the product of factors: a spectral weight, or a part of one, from
 * the factors of its decomposition (CP, Tucker, tensor train), by attr.contraction. Operands:
 * complex weights [2][numbers]; W: mpno_graph.weights[attr.weight], [blocks][2][rows][cols].
 * Gradients of all factors: rebuild_dw. */
#include <math.h>

#include "graph/op/rebuild.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_contraction *c = node->attr.contraction;
    MPNO_CHECK(graph->ctx, c->problem.n_operands == node->n_in, MPNO_E_SHAPE,
               "rebuild: the contraction takes %d factors, found %d", c->problem.n_operands,
               node->n_in);
    out->kind = MPNO_EDGE_BLOCKS;
    out->param = node->attr.weight;
    out->channels = graph->weights[out->param].cols;
    return MPNO_OK;
}

static void forward(mpno_op_call *call) {
    const mpno_contraction *c = call->node->attr.contraction;
    const mpno_contract_run run = mpno_rebuild_run(call);
    const mpno_operand *out = &call->out[0];
    const int64_t count = (int64_t)mpno_weight_count(
        &call->graph->weights[call->graph->edges[call->node->out[0]].param]);
    const bool wide = out->format == call->kernels->arithmetic;
    const void *factors[MPNO_OP_MAX_IN];
    void *result =
        wide ? out->data
             : (char *)call->scratch +
                   mpno_contraction_scratch(c, mpno_format_bytes(run.kernels->arithmetic), false);
    for (int i = 0; i < call->node->n_in; i++) factors[i] = call->in[i].data;
    mpno_contraction_run(c, &run, factors, result);
    /* also where nothing is rounded: it tells whether all values are finite */
    call->nonfinite[0] = call->kernels->store(out->data, out->format, result, count);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    int in[MPNO_OP_MAX_IN] = {grad_out[0]}, first;
    (void)wanted; /* factors are trained together */
    for (int i = 0; i < node.n_in; i++) in[1 + i] = node.in[i];
    MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_rebuild_dw, 1 + node.n_in, in, &node.attr,
                                     node.in[0], &first));
    for (int i = 0; i < node.n_in; i++) grad_in[i] = first + i;
    return MPNO_OK;
}

mpno_contract_run mpno_rebuild_run(const mpno_op_call *call) {
    return (mpno_contract_run){.kernels = call->kernels,
                               .fields = call->fields,
                               .n_threads = call->n_threads,
                               .scratch = call->scratch};
}

mpno_op_cost mpno_rebuild_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_contraction *c = node->attr.contraction;
    const double flops = mpno_contract_cost_of(&c->problem, &c->path).flops;
    (void)graph, (void)batch;
    return (mpno_op_cost){node->op == &mpno_op_rebuild ? flops : 3 * flops, true};
}

/* Room for the result too, which may have to be rounded. */
static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    (void)batch, (void)n_threads;
    return mpno_contraction_scratch(node->attr.contraction, type_bytes, false) +
           mpno_weight_count(&graph->weights[node->attr.weight]) * type_bytes;
}

/* Statement B10: a step that sums up n products is a chain of 2 n roundings in each part of a
 * result (mpno_contract_cost.error counts 2 n + 1); the sum of the magnitudes of all products has a
 * Frobenius norm of at most the product of those of the factors. What underflows in a step is
 * multiplied by the other factors. */
static double bound(const mpno_bound_call *call) {
    const mpno_contraction *c = call->node->attr.contraction;
    const double terms =
        sqrt(2) * (mpno_contract_cost_of(&c->problem, &c->path).error - c->path.n_steps);
    double size = 1, others = 1;
    for (int i = 0; i < call->node->n_in; i++) {
        size *= call->in[i].frobenius;
        others *= 1 + call->in[i].frobenius;
    }
    return mpno_bound_rounding(call, terms, size) + others * mpno_bound_rounding(call, terms, 0);
}

const mpno_op mpno_op_rebuild = {
    .name = "rebuild",
    .class = MPNO_OP_WHOLE,
    .cheap = true, /* as attr.again says */
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_rebuild_cost,
    .scratch = scratch,
    .bound = bound,
};
