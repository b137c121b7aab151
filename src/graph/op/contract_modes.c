/* SPDX-License-Identifier: MIT
 * Panels of the contraction ops, see contract_modes.h. */
#include "graph/op/contract_modes.h"

#include "core/memory.h"
#include "core/parallel.h"

/* Modes of a task: so many that it has about this many bytes of weights, next to which taking a
 * task costs nothing, but no more than leave some tasks for each thread. */
#define TASK_BYTES ((int64_t)1 << 17)
#define TASKS_PER_THREAD 8
/* Modes that meet the same block are so many at most at a time: one product of many rows. */
#define MODES_TOGETHER 32

/* The layout of a thread's scratch from `base` (may be NULL) on; gives its bytes. */
static size_t lay_out(char *base, int64_t batch, int64_t inputs, int64_t outputs, size_t element,
                      mpno_mode_rooms *rooms) {
    const size_t wide = (size_t)(inputs > outputs ? inputs : outputs) * (size_t)batch * element;
    const size_t spectrum = mpno_aligned(2 * wide),
                 weight = mpno_aligned(2 * (size_t)(inputs * outputs) * element);
    if (base != NULL)
        *rooms = (mpno_mode_rooms){base, base + spectrum, base + 2 * spectrum,
                                   base + 2 * spectrum + weight};
    return 2 * spectrum + 2 * weight;
}

mpno_mode_rooms mpno_mode_rooms_of(const mpno_mode_call *m, int thread) {
    mpno_mode_rooms rooms;
    lay_out((char *)m->call->scratch + (size_t)thread * m->thread_bytes, m->batch, m->inputs,
            m->outputs, m->element, &rooms);
    return rooms;
}

static char *spectrum_at(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode) {
    const int64_t count = m->batch * 2 * operand->channels;
    return (char *)operand->data + (size_t)(mode * count) * mpno_format_bytes(operand->format);
}

mpno_planes mpno_mode_place(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                            void *room) {
    const bool converted = operand->format != m->call->kernels->arithmetic;
    return (mpno_planes){.data = converted ? room : spectrum_at(m, operand, mode),
                         .row = 2 * operand->channels,
                         .step = 1,
                         .plane = operand->channels};
}

mpno_planes mpno_mode_spectrum(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                               void *room) {
    const mpno_planes planes = mpno_mode_place(m, operand, mode, room);
    if (planes.data == room)
        mpno_operand_load(m->call->kernels, operand, room, spectrum_at(m, operand, mode),
                          m->batch * 2 * operand->channels);
    return planes;
}

static char *weight_at(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode) {
    const int32_t *rows = m->call->node->attr.mode_rows;
    const int64_t count = 2 * m->inputs * m->outputs, block = rows != NULL ? rows[mode] : 0;
    return (char *)operand->data + (size_t)(block * count) * mpno_format_bytes(operand->format);
}

mpno_planes mpno_mode_weight(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                             void *room) {
    const int64_t plane = m->inputs * m->outputs;
    char *data = weight_at(m, operand, mode);
    if (operand->format != m->call->kernels->arithmetic) {
        mpno_operand_load(m->call->kernels, operand, room, data, 2 * plane);
        return (mpno_planes){.data = room, .row = m->outputs, .step = 1, .plane = plane};
    }
    return (mpno_planes){.data = data,
                         .row = m->outputs,
                         .step = 1,
                         .plane = plane,
                         .next = m->call->node->attr.mode_rows != NULL && mode + 1 < m->modes
                                     ? weight_at(m, operand, mode + 1)
                                     : NULL};
}

void mpno_mode_store(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                     const void *made, int bad, int thread) {
    char *data = spectrum_at(m, operand, mode);
    if (data != made)
        bad = mpno_operand_store(m->call->kernels, operand, data, made,
                                 m->batch * 2 * operand->channels);
    m->nonfinite[thread] |= (unsigned char)bad;
}

mpno_planes mpno_mode_exchanged(const mpno_mode_call *m, const mpno_planes *planes) {
    mpno_planes to = *planes;
    to.data = (char *)planes->data + planes->plane * (int64_t)m->element;
    to.plane = -planes->plane;
    return to;
}

static void some_modes(void *argument, int64_t task, int thread) {
    const mpno_mode_call *m = argument;
    const int64_t end = (task + 1) * m->per_task;
    for (int64_t mode = task * m->per_task; mode < end && mode < m->modes; mode++)
        m->body(m, mode, thread);
}

/* Modes that are taken as one, their samples as those of it: where all meet one block. */
static int64_t modes_together(const mpno_node *node, int64_t modes) {
    int64_t together = 1;
    for (int64_t n = 2; node->attr.mode_rows == NULL && n <= MODES_TOGETHER; n++)
        if (modes % n == 0) together = n;
    return together;
}

void mpno_mode_run(mpno_op_call *call, int64_t inputs, int64_t outputs, int64_t modes,
                   mpno_mode_body *body) {
    const int64_t together = modes_together(call->node, modes);
    modes /= together;
    mpno_mode_call m = {.call = call,
                        .body = body,
                        .batch = call->batch * together,
                        .inputs = inputs,
                        .outputs = outputs,
                        .modes = modes,
                        .element = mpno_format_bytes(call->kernels->arithmetic)};
    const int64_t wanted = TASK_BYTES / (2 * inputs * outputs * (int64_t)m.element),
                  most = modes / (TASKS_PER_THREAD * call->n_threads);
    m.per_task = wanted < most ? wanted : most;
    if (m.per_task < 1) m.per_task = 1;
    m.thread_bytes = lay_out(NULL, m.batch, inputs, outputs, m.element, NULL);
    m.nonfinite = (unsigned char *)call->scratch + (size_t)call->n_threads * m.thread_bytes;
    for (int t = 0; t < call->n_threads; t++) m.nonfinite[t] = 0;
    mpno_parallel(call->n_threads, (modes + m.per_task - 1) / m.per_task, some_modes, &m);
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
    batch *= modes_together(node, graph->edges[node->in[0]].modes);
    return (size_t)n_threads * (lay_out(NULL, batch, w->rows, w->cols, type_bytes, NULL) + 1);
}
