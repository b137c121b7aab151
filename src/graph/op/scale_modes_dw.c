/* SPDX-License-Identifier: MIT
 * dW[r(k)][c] = sum_b conj(X[k][b][c]) dY[k][b][c], zero in blocks that no kept mode uses: X, dY
 * [modes][batch][2][C], operand 2 the weight (for its shape; never read) -> dW [blocks][2][1][C].
 */
#include <string.h>

#include "graph/op/contract_modes.h"

static void one_mode(const mpno_mode_call *m, int64_t mode, int thread) {
    const mpno_mode_rooms room = mpno_mode_rooms_of(m, thread);
    const mpno_planes x = mpno_mode_spectrum(m, &m->call->in[0], mode, room.first),
                      dy = mpno_mode_spectrum(m, &m->call->in[1], mode, room.second),
                      dw = mpno_mode_weight(m, &m->call->out[0], mode, NULL);
    double *chain = m->call->chain[0];
    if (chain != NULL) chain += m->call->node->attr.mode_rows[mode] * 2 * m->outputs;
    m->call->fields->mode_scale_dw(room.weight, x.data, dy.data, m->batch, m->outputs, chain);
    m->nonfinite[thread] |= (unsigned char)m->call->kernels->store(dw.data, m->call->out[0].format,
                                                                   room.weight, 2 * m->outputs);
}

static void forward(mpno_op_call *call) {
    const mpno_graph *graph = call->graph;
    const mpno_weight *w = &graph->weights[graph->edges[call->node->out[0]].param];
    if (call->before == 0)
        memset(call->out[0].data, 0, mpno_weight_count(w) * mpno_format_bytes(call->out[0].format));
    mpno_mode_run(call, 1, w->cols, graph->edges[call->node->in[0]].modes, one_mode);
}

const mpno_op mpno_op_scale_modes_dw = {
    .name = "scale_modes_dw",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = mpno_shape_weight_gradient,
    .forward = forward,
    .cost = mpno_mode_cost,
    .scratch = mpno_mode_total_scratch,
};
