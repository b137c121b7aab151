/* SPDX-License-Identifier: MIT
 * dW[r(k)][i][o] = sum_b conj(X[k][b][i]) dY[k][b][o], zero in blocks that no kept mode uses: X
 * [modes][batch][2][I], dY [modes][batch][2][O], operand 2 the weight (for its shape; never read)
 * -> dW [blocks][2][I][O]. */
#include <string.h>

#include "graph/op/contract_modes.h"

static void one_mode(void *argument, int64_t mode, int thread) {
    const mpno_mode_call *m = argument;
    const mpno_kernels *k = m->call->kernels;
    const int64_t b = m->batch, ni = m->inputs, no = m->outputs;
    const mpno_mode_rooms room = mpno_mode_rooms_of(m, thread);
    char *re = room.weight, *im = re + (size_t)(ni * no) * m->element;
    const mpno_mode_panel x = mpno_mode_spectrum(m, &m->call->in[0], mode, room.first);
    const mpno_mode_panel dy = mpno_mode_spectrum(m, &m->call->in[1], mode, room.second);
    const mpno_mode_panel dw = mpno_mode_weight(m, &m->call->out[0], mode, NULL);
    mpno_mode_negate(m, &x, ni, room.negated);
    memset(re, 0, (size_t)(2 * ni * no) * m->element);
    k->gemm_tn(b, no, ni, x.re, x.ld, dy.re, dy.ld, re, no);
    k->gemm_tn(b, no, ni, x.im, x.ld, dy.im, dy.ld, re, no);
    k->gemm_tn(b, no, ni, x.re, x.ld, dy.im, dy.ld, im, no);
    k->gemm_tn(b, no, ni, room.negated, ni, dy.re, dy.ld, im, no);
    /* The store tells whether all is finite. */
    m->nonfinite[thread] |= (unsigned char)k->store(dw.re, m->call->out[0].format, re, 2 * ni * no);
}

static void forward(mpno_op_call *call) {
    const mpno_graph *graph = call->graph;
    const mpno_weight *w = &graph->weights[graph->edges[call->node->out[0]].param];
    const int64_t modes = graph->edges[call->node->in[0]].modes;
    if (modes < w->blocks) /* the modes meet different blocks: all of them when there are as many */
        memset(call->out[0].data, 0, mpno_weight_count(w) * mpno_format_bytes(call->out[0].format));
    mpno_mode_run(call, w->rows, w->cols, modes, one_mode);
}

const mpno_op mpno_op_contract_dw = {
    .name = "contract_dw",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = mpno_shape_weight_gradient,
    .forward = forward,
    .cost = mpno_mode_cost,
    .bound = mpno_bound_unknown,
    .scratch = mpno_mode_total_scratch,
};
