/* SPDX-License-Identifier: MIT
 * Y[k][b][o] = sum_i X[k][b][i] W[r(k)][i][o], complex: X [modes][batch][2][I], W [blocks][2][I][O]
 * -> Y [modes][batch][2][O]; r = attr.mode_rows. Gradients (dL/dRe + i dL/dIm): dX = dY W^H
 * (contract_dx), dW = X^H dY (contract_dw). */
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

static void one_mode(void *argument, int64_t mode, int thread) {
    const mpno_mode_call *m = argument;
    const mpno_kernels *k = m->call->kernels;
    const int64_t b = m->batch, ni = m->inputs, no = m->outputs;
    const mpno_mode_rooms room = mpno_mode_rooms_of(m, thread);
    const mpno_mode_panel x = mpno_mode_spectrum(m, &m->call->in[0], mode, room.first);
    const mpno_mode_panel w = mpno_mode_weight(m, &m->call->in[1], mode, room.weight);
    char *y_im = room.second + (size_t)no * m->element;
    mpno_mode_negate(m, &x, ni, room.negated);
    k->gemm(b, no, ni, x.re, x.ld, w.re, w.ld, room.second, 2 * no, 0);
    k->gemm(b, no, ni, room.negated, ni, w.im, w.ld, room.second, 2 * no, 1);
    k->gemm(b, no, ni, x.re, x.ld, w.im, w.ld, y_im, 2 * no, 0);
    k->gemm(b, no, ni, x.im, x.ld, w.re, w.ld, y_im, 2 * no, 1);
    mpno_mode_store(m, &m->call->out[0], mode, room.second, thread);
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

const mpno_op mpno_op_contract = {
    .name = "contract",
    .class = MPNO_OP_WHOLE,
    .cheap = true, /* may be made again: see repeat.h */
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_mode_cost,
    .bound = mpno_bound_unknown,
    .scratch = mpno_mode_total_scratch,
};
