/* SPDX-License-Identifier: MIT
 * dW[r(k)][i][o] = sum_b conj(X[k][b][i]) dY[k][b][o], zero in blocks that no kept mode uses: X
 * [modes][batch][2][I], dY [modes][batch][2][O], operand 2 the weight (for its shape; never read)
 * -> dW [blocks][2][I][O], of the arithmetic type. Without attr.mode_rows all modes meet one block:
 * dW[i][o] = sum_b sum_k. Each element is one chain in the order of the samples (and modes), which
 * a later part of the batch continues. */
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "graph/op/contract_modes.h"
#include "graph/op/mode_panel.h"

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

/* ---- one block for all modes ---- */

enum { INPUTS = 16, MODES = 128 }; /* of a task, and that it takes at a time */

typedef struct shared_call {
    mpno_op_call *call;
    int64_t modes, inputs, outputs;
    size_t element, thread_bytes;
    unsigned char *nonfinite; /* per thread */
} shared_call;

static size_t panel_bytes(int64_t channels, size_t element) {
    return mpno_aligned((size_t)(MODES * 2 * channels) * element);
}

/* Some rows of dW. */
static void some_inputs(void *argument, int64_t task, int thread) {
    const shared_call *s = argument;
    const mpno_op_call *call = s->call;
    const int64_t first = task * INPUTS, left = s->inputs - first,
                  inputs = left < INPUTS ? left : INPUTS;
    char *room = (char *)call->scratch + (size_t)thread * s->thread_bytes,
         *second = room + panel_bytes(s->inputs, s->element);
    char *dw = (char *)call->out[0].data + (size_t)(first * s->outputs) * s->element;
    const mpno_planes to = {.data = dw + (size_t)(s->inputs * s->outputs) * s->element,
                            .row = s->outputs,
                            .step = 1,
                            .plane = -s->inputs * s->outputs};
    int bad = 0;
    bool going_on = call->before > 0;
    for (int64_t sample = 0; sample < call->batch; sample++)
        for (int64_t mode = 0; mode < s->modes; mode += MODES) {
            const int64_t modes = s->modes - mode < MODES ? s->modes - mode : MODES;
            mpno_planes x = mpno_mode_panel(call, &call->in[0], mode, modes, sample, room),
                        dy = mpno_mode_panel(call, &call->in[1], mode, modes, sample, second);
            x.data = (char *)x.data + (size_t)first * s->element;
            x.step = x.row, x.row = 1; /* the transpose: modes are the inner index */
            dy.data = (char *)dy.data + dy.plane * (int64_t)s->element;
            dy.plane = -dy.plane;
            bad = call->kernels->gemm_complex(inputs, s->outputs, modes, &x, &dy, &to, going_on);
            going_on = true;
        }
    s->nonfinite[thread] |= (unsigned char)bad;
}

static void forward_shared(mpno_op_call *call, const mpno_weight *w, int64_t modes) {
    shared_call s = {.call = call,
                     .modes = modes,
                     .inputs = w->rows,
                     .outputs = w->cols,
                     .element = mpno_format_bytes(call->kernels->arithmetic)};
    s.thread_bytes = panel_bytes(w->rows, s.element) + panel_bytes(w->cols, s.element);
    s.nonfinite = (unsigned char *)call->scratch + (size_t)call->n_threads * s.thread_bytes;
    memset(s.nonfinite, 0, (size_t)call->n_threads);
    mpno_parallel(call->n_threads, (w->rows + INPUTS - 1) / INPUTS, some_inputs, &s);
    for (int t = 0; t < call->n_threads; t++) call->nonfinite[0] |= s.nonfinite[t] != 0;
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    const mpno_weight *w = &graph->weights[graph->edges[node->in[2]].param];
    if (node->attr.mode_rows != NULL)
        return mpno_mode_total_scratch(graph, node, batch, type_bytes, n_threads);
    return (size_t)n_threads *
           (panel_bytes(w->rows, type_bytes) + panel_bytes(w->cols, type_bytes) + 1);
}

/* ---- */

static void forward(mpno_op_call *call) {
    const mpno_graph *graph = call->graph;
    const mpno_weight *w = &graph->weights[graph->edges[call->node->out[0]].param];
    const int64_t modes = graph->edges[call->node->in[0]].modes;
    if (call->node->attr.mode_rows == NULL) {
        forward_shared(call, w, modes);
        return;
    }
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
    .scratch = scratch,
};
