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

static void one_mode(const mpno_mode_call *m, int64_t mode, int thread) {
    const mpno_kernels *k = m->call->kernels;
    const int64_t ni = m->inputs, no = m->outputs;
    const mpno_mode_rooms room = mpno_mode_rooms_of(m, thread);
    const mpno_planes dy = mpno_mode_spectrum(m, &m->call->in[0], mode, room.first),
                      w = mpno_mode_weight(m, &m->call->in[1], mode, room.weight),
                      dx = mpno_mode_place(m, &m->call->out[0], mode, room.second);
    const mpno_planes turned = {
        .data = room.transposed, .row = ni, .step = 1, .plane = ni * no, .next = w.next};
    for (int plane = 0; plane < 2; plane++) {
        const size_t at = (size_t)(plane * ni * no) * m->element;
        k->transpose(room.transposed + at, ni, (char *)w.data + at, no, ni, no);
    }
    const mpno_planes a = mpno_mode_exchanged(m, &dy), c = mpno_mode_exchanged(m, &dx);
    const int bad = k->gemm_complex(m->batch, ni, no, &a, &turned, &c, 0);
    mpno_mode_store(m, &m->call->out[0], mode, dx.data, bad, thread);
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
    .scratch = mpno_mode_total_scratch,
};
