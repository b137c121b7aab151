/* SPDX-License-Identifier: MIT
 * Rows of a spectrum [modes][batch][2][channels] in the arithmetic type: one sample's of some
 * modes, for sums over modes that must be taken sample by sample. */
#ifndef MPNO_GRAPH_OP_MODE_PANEL_H
#define MPNO_GRAPH_OP_MODE_PANEL_H

#include "graph/graph.h"

/* Modes mode .. mode + n - 1 of a sample, a row each: in their place, or converted in `room`,
 * [n][2][channels]. */
static inline mpno_planes mpno_mode_panel(const mpno_op_call *call, const mpno_operand *operand,
                                          int64_t mode, int64_t n, int64_t sample, void *room) {
    const int64_t row = 2 * operand->channels, stride = call->batch * row;
    const size_t stored = mpno_format_bytes(operand->format),
                 element = mpno_format_bytes(call->kernels->arithmetic);
    char *from = (char *)operand->data + (size_t)(mode * stride + sample * row) * stored;
    mpno_planes panel = {.data = from, .row = stride, .step = 1, .plane = operand->channels};
    if (operand->format == call->kernels->arithmetic) return panel;
    for (int64_t k = 0; k < n; k++)
        mpno_operand_load(call->kernels, operand, (char *)room + (size_t)(k * row) * element,
                          from + (size_t)(k * stride) * stored, row);
    panel.data = room, panel.row = row;
    return panel;
}

#endif
