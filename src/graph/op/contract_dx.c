/* SPDX-License-Identifier: MIT
 * dX[k][b][i] = sum_o dY[k][b][o] conj(W[r(k)][i][o]): dY [modes][batch][2][O], W [blocks][2][I][O]
 * -> dX [modes][batch][2][I]. */
#include "graph/op/contract_modes.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *dy = &graph->edges[node->in[0]];
    out->kind = MPNO_EDGE_SPECTRUM;
    out->channels = graph->weights[graph->edges[node->in[1]].param].rows;
    out->modes = dy->modes;
    return MPNO_OK;
}

static void one_mode(void *argument, int64_t mode, int thread) {
    const mpno_mode_call *m = argument;
    const mpno_kernels *k = m->call->kernels;
    const int64_t b = m->batch, ni = m->inputs, no = m->outputs;
    const mpno_mode_rooms room = mpno_mode_rooms_of(m, thread);
    char *re = room.transposed, *im = re + (size_t)(ni * no) * m->element; /* [O][I] each */
    const mpno_mode_panel dy = mpno_mode_spectrum(m, &m->call->in[0], mode, room.first);
    const mpno_mode_panel w = mpno_mode_weight(m, &m->call->in[1], mode, room.weight);
    char *dx_im = room.second + (size_t)ni * m->element;
    m->call->fields->transpose(re, w.re, ni, no);
    m->call->fields->transpose(im, w.im, ni, no);
    k->gemm(b, ni, no, dy.re, dy.ld, re, ni, room.second, 2 * ni, 0);
    k->gemm(b, ni, no, dy.im, dy.ld, im, ni, room.second, 2 * ni, 1);
    k->gemm(b, ni, no, dy.im, dy.ld, re, ni, dx_im, 2 * ni, 0);
    k->negate(im, im, ni * no);
    k->gemm(b, ni, no, dy.re, dy.ld, im, ni, dx_im, 2 * ni, 1);
    mpno_mode_store(m, &m->call->out[0], mode, room.second, thread);
}

static void forward(mpno_op_call *call) {
    mpno_mode_run(call, call->out[0].channels, call->in[0].channels,
                  call->graph->edges[call->node->in[0]].modes, one_mode);
}

const mpno_op mpno_op_contract_dx = {
    .name = "contract_dx",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .cost = mpno_mode_cost,
    .bound = mpno_bound_unknown,
    .scratch = mpno_mode_total_scratch,
};
