/* SPDX-License-Identifier: MIT
 * dW[r(k)][i][o] = sum_b conj(X[k][b][i]) dY[k][b][o], zero in blocks that no kept mode uses: X
 * [modes][batch][2][I], dY [modes][batch][2][O], operand 2 the weight (for its shape; never read)
 * -> dW [blocks][2][I][O], of the arithmetic type. Each element is one chain in the order of the
 * samples, which a later part of the batch continues. */
#include <string.h>

#include "graph/op/contract_modes.h"

static void one_mode(const mpno_mode_call *m, int64_t mode, int thread) {
    const mpno_mode_rooms room = mpno_mode_rooms_of(m, thread);
    mpno_planes x = mpno_mode_spectrum(m, &m->call->in[0], mode, room.first);
    const mpno_planes dy = mpno_mode_spectrum(m, &m->call->in[1], mode, room.second),
                      dw = mpno_mode_weight(m, &m->call->out[0], mode, NULL);
    const mpno_planes b = mpno_mode_exchanged(m, &dy), c = mpno_mode_exchanged(m, &dw);
    x.step = x.row, x.row = 1; /* the transpose: samples are the inner index */
    m->nonfinite[thread] |= (unsigned char)m->call->kernels->gemm_complex(
        m->inputs, m->outputs, m->batch, &x, &b, &c, m->call->before > 0);
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
