/* SPDX-License-Identifier: MIT
 * Y[k][b][o] = sum_i X[k][b][i] W[r(k)][i][o], complex: X [modes][batch][2][I], W [blocks][2][I][O]
 * -> Y [modes][batch][2][O]; r = attr.mode_rows, or 0 for all modes where that is NULL. Gradients
 * (dL/dRe + i dL/dIm): dX = dY W^H (contract_dx), dW = X^H dY (contract_dw). */
#include <math.h>

#include "graph/op/contract_modes.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    const mpno_weight *w = &graph->weights[graph->edges[node->in[1]].param];
    MPNO_CHECK(graph->ctx, w->is_complex && w->rows == x->channels, MPNO_E_SHAPE,
               "contract: the spectral weight takes %lld channels, %s has %lld", (long long)w->rows,
               x->name, (long long)x->channels);
    out->kind = MPNO_EDGE_SPECTRUM;
    out->channels = w->cols;
    out->modes = x->modes;
    return MPNO_OK;
}

static void one_mode(const mpno_mode_call *m, int64_t mode, int thread) {
    const mpno_mode_rooms room = mpno_mode_rooms_of(m, thread);
    const mpno_planes x = mpno_mode_spectrum(m, &m->call->in[0], mode, room.first),
                      w = mpno_mode_weight(m, &m->call->in[1], mode, room.weight),
                      y = mpno_mode_place(m, &m->call->out[0], mode, room.second);
    const int bad = m->call->kernels->gemm_complex(m->batch, m->outputs, m->inputs, &x, &w, &y, 0);
    mpno_mode_store(m, &m->call->out[0], mode, y.data, bad, thread);
}

static void forward(mpno_op_call *call) {
    mpno_mode_run(call, call->in[0].channels, call->out[0].channels,
                  call->graph->edges[call->node->in[0]].modes, one_mode);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int dx[] = {grad_out[0], node.in[1]}, dw[] = {node.in[0], grad_out[0], node.in[1]};
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_contract_dx, 2, dx, &node.attr, node.in[0],
                                         &grad_in[0]));
    if (wanted[1])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_contract_dw, 3, dw, &node.attr, node.in[1],
                                         &grad_in[1]));
    return MPNO_OK;
}

/* Statement B9: sigma of the blocks passes on; a chain of 2 I products in each part of a number. A
 * weight that was made from factors is off by its own error. */
static double bound(const mpno_bound_call *call) {
    const mpno_bound *x = &call->in[0], *w = &call->in[1];
    const double inputs = (double)call->graph->edges[call->node->in[0]].channels;
    return (w->norm + w->error) * x->error + w->error * x->norm +
           mpno_bound_rounding_or_captured(call, 2 * inputs, sqrt(2) * w->frobenius * x->norm);
}

const mpno_op mpno_op_contract = {
    .name = "contract",
    .class = MPNO_OP_WHOLE,
    .cheap = true, /* may be made again: see repeat.h */
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_mode_cost,
    .scratch = mpno_mode_total_scratch,
    .bound = bound,
};
