/* SPDX-License-Identifier: MIT
 * dW[r(k)][i][o] = sum_b conj(X[k][b][i]) dY[k][b][o], zero in blocks that no kept mode uses: X
 * [modes][batch][2][I], dY [modes][batch][2][O], operand 2 the weight (for its shape; never read)
 * -> dW [blocks][2][I][O], of the arithmetic type. In real numbers two products over the rows
 * (re, im) of all samples: Re dW = (Xr, Xi)' (Yr, Yi), Im dW = (-Xi, Xr)' (Yr, Yi); each element is
 * one chain in the order of the samples, which a later part of the batch continues. */
#include <string.h>

#include "graph/op/contract_modes.h"

static void one_mode(void *argument, int64_t mode, int thread) {
    const mpno_mode_call *m = argument;
    const mpno_kernels *k = m->call->kernels;
    const int64_t rows = 2 * m->batch, ni = m->inputs, no = m->outputs;
    const mpno_mode_rooms room = mpno_mode_rooms_of(m, thread);
    char *re = room.weight, *im = re + (size_t)(ni * no) * m->element;
    const mpno_mode_panel x = mpno_mode_spectrum(m, &m->call->in[0], mode, room.first);
    const mpno_mode_panel dy = mpno_mode_spectrum(m, &m->call->in[1], mode, room.second);
    const mpno_mode_panel dw = mpno_mode_weight(m, &m->call->out[0], mode, NULL);
    mpno_mode_turn(m, &x, ni, room.turned);
    if (m->call->before == 0)
        memset(re, 0, (size_t)(2 * ni * no) * m->element);
    else
        memcpy(re, dw.re, (size_t)(2 * ni * no) * m->element);
    k->gemm_tn(rows, no, ni, x.re, ni, dy.re, no, re, no);
    k->gemm_tn(rows, no, ni, room.turned, ni, dy.re, no, im, no);
    /* The store tells whether all is finite. */
    m->nonfinite[thread] |= (unsigned char)k->store(dw.re, m->call->out[0].format, re, 2 * ni * no);
}

static void forward(mpno_op_call *call) {
    const mpno_graph *graph = call->graph;
    const mpno_weight *w = &graph->weights[graph->edges[call->node->out[0]].param];
    const int64_t modes = graph->edges[call->node->in[0]].modes;
    if (modes < w->blocks && call->before == 0) /* each mode meets a block of its own */
        memset(call->out[0].data, 0, mpno_weight_count(w) * mpno_format_bytes(call->out[0].format));
    mpno_mode_run(call, w->rows, w->cols, modes, one_mode);
}

const mpno_op mpno_op_contract_dw = {
    .name = "contract_dw",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .own_chain = true,
    .shape = mpno_shape_weight_gradient,
    .forward = forward,
    .cost = mpno_mode_cost,
    .bound = mpno_bound_unknown,
    .scratch = mpno_mode_total_scratch,
};
