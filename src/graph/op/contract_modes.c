/* SPDX-License-Identifier: MIT
 * Panels of the contraction ops, see contract_modes.h. */
#include "graph/op/contract_modes.h"

#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"

/* The layout of a thread's scratch from `base` (may be NULL) on; gives its bytes. */
static size_t lay_out(char *base, int64_t batch, int64_t inputs, int64_t outputs, size_t element,
                      mpno_mode_rooms *rooms) {
    const size_t wide = (size_t)(inputs > outputs ? inputs : outputs) * (size_t)batch * element;
    const size_t spectrum = mpno_aligned(2 * wide),
                 weight = mpno_aligned(2 * (size_t)(inputs * outputs) * element);
    const size_t turned = 2 * spectrum, matrix = 3 * spectrum;
    if (base != NULL)
        *rooms = (mpno_mode_rooms){base,          base + spectrum, base + turned,
                                   base + turned, base + matrix,   base + matrix + weight};
    return matrix + 2 * weight;
}

mpno_mode_rooms mpno_mode_rooms_of(const mpno_mode_call *m, int thread) {
    mpno_mode_rooms rooms;
    lay_out((char *)m->call->scratch + (size_t)thread * m->thread_bytes, m->batch, m->inputs,
            m->outputs, m->element, &rooms);
    return rooms;
}

mpno_mode_panel mpno_mode_spectrum(const mpno_mode_call *m, const mpno_operand *operand,
                                   int64_t mode, void *room) {
    const int64_t count = m->batch * 2 * operand->channels;
    char *data =
        (char *)operand->data + (size_t)(mode * count) * mpno_format_bytes(operand->format);
    if (operand->format != m->call->kernels->arithmetic) {
        m->call->kernels->load(room, data, operand->format, count);
        data = room;
    }
    return (mpno_mode_panel){data, data + (size_t)operand->channels * m->element,
                             2 * operand->channels};
}

mpno_mode_panel mpno_mode_weight(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                                 void *room) {
    const int64_t plane = m->inputs * m->outputs, block = m->call->node->attr.mode_rows[mode];
    char *data =
        (char *)operand->data + (size_t)(block * 2 * plane) * mpno_format_bytes(operand->format);
    if (operand->format != m->call->kernels->arithmetic) {
        m->call->kernels->load(room, data, operand->format, 2 * plane);
        data = room;
    }
    return (mpno_mode_panel){data, data + (size_t)plane * m->element, m->outputs};
}

void mpno_mode_negate(const mpno_mode_call *m, const mpno_mode_panel *panel, int64_t cols,
                      void *room) {
    for (int64_t b = 0; b < m->batch; b++)
        m->call->kernels->negate((char *)room + (size_t)(b * cols) * m->element,
                                 (char *)panel->im + (size_t)(b * panel->ld) * m->element, cols);
}

void mpno_mode_turn(const mpno_mode_call *m, const mpno_mode_panel *panel, int64_t cols,
                    void *room) {
    const size_t row = (size_t)cols * m->element;
    for (int64_t b = 0; b < m->batch; b++) {
        char *to = (char *)room + (size_t)(2 * b) * row;
        const size_t from = (size_t)(b * panel->ld) * m->element;
        m->call->kernels->negate(to, (char *)panel->im + from, cols);
        memcpy(to + row, (char *)panel->re + from, row);
    }
}

void mpno_mode_store(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                     void *panel, int thread) {
    const int64_t count = m->batch * 2 * operand->channels;
    char *data =
        (char *)operand->data + (size_t)(mode * count) * mpno_format_bytes(operand->format);
    m->nonfinite[thread] |=
        (unsigned char)m->call->kernels->store(data, operand->format, panel, count);
}

void mpno_mode_run(mpno_op_call *call, int64_t inputs, int64_t outputs, int64_t modes,
                   void (*body)(void *argument, int64_t mode, int thread)) {
    mpno_mode_call m = {.call = call,
                        .batch = call->batch,
                        .inputs = inputs,
                        .outputs = outputs,
                        .element = mpno_format_bytes(call->kernels->arithmetic)};
    m.thread_bytes = lay_out(NULL, call->batch, inputs, outputs, m.element, NULL);
    m.nonfinite = (unsigned char *)call->scratch + (size_t)call->n_threads * m.thread_bytes;
    for (int t = 0; t < call->n_threads; t++) m.nonfinite[t] = 0;
    mpno_parallel(call->n_threads, modes, body, &m);
    for (int t = 0; t < call->n_threads; t++) call->nonfinite[0] |= m.nonfinite[t] != 0;
}

static const mpno_weight *weight_of(const mpno_graph *graph, const mpno_node *node) {
    return &graph->weights[graph->edges[node->in[node->n_in - 1]].param];
}

mpno_op_cost mpno_mode_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_weight *w = weight_of(graph, node);
    const double modes = (double)graph->edges[node->in[0]].modes;
    return (mpno_op_cost){8.0 * modes * (double)(batch * w->rows * w->cols), true};
}

size_t mpno_mode_total_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                               size_t type_bytes, int n_threads) {
    const mpno_weight *w = weight_of(graph, node);
    return (size_t)n_threads * (lay_out(NULL, batch, w->rows, w->cols, type_bytes, NULL) + 1);
}
