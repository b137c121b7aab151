/* SPDX-License-Identifier: MIT
 * The columns T'dx of the gradient of line_normalize: dx = p x + q dy + r a channel, so
 * T'dx = p (T'T) c + q T'dy + r T'1, where T'T is diagonal and T'1 stands at frequency 0 alone.
 * Operands T'dy, c [batch][lines][2][K][C], sums, grads [2C] (columns_moments,
 * normalize_columns_sums), gamma [C] or left out; attr.fixed: p = r = 0. */
#include "graph/op/columns_sums.h"

#include <stdatomic.h>

/* Coefficients of one sample, [C] each: of c for each class, of T'dy, and two of the constant. */
typedef struct coefficients {
    void *p[MPNO_COLUMNS_CLASSES], *q, *r, *none, *plain_p, *plain_r;
} coefficients;
enum { N_COEFFICIENTS = MPNO_COLUMNS_CLASSES + 5 };

static coefficients coefficients_at(const mpno_op_call *call, int thread) {
    const size_t vector =
        mpno_aligned((size_t)call->in[0].channels * mpno_format_bytes(call->kernels->arithmetic));
    char *at = (char *)call->scratch + (size_t)thread * N_COEFFICIENTS * vector;
    coefficients c;
    for (int i = 0; i < MPNO_COLUMNS_CLASSES; i++, at += vector) c.p[i] = at;
    c.q = at, c.r = at + vector, c.none = at + 2 * vector;
    c.plain_p = at + 3 * vector, c.plain_r = at + 4 * vector;
    return c;
}

static void fill(const mpno_op_call *call, int64_t sample, const coefficients *c) {
    const mpno_columns *columns = call->node->attr.columns;
    const int64_t channels = call->in[0].channels;
    const mpno_norm_shape norm = {columns->n * columns->lines, channels, call->node->attr.groups,
                                  call->node->attr.eps, false};
    const double *sums = (const double *)call->in[2].data + sample * 2 * channels,
                 *grads = (const double *)call->in[3].data + sample * 2 * channels;
    const double zero = 0, one = call->node->attr.fixed ? 0 : columns->mean * (double)columns->n;
    call->fields->norm_grad_coefficients(c->plain_p, c->q, c->plain_r, sums, grads,
                                         call->in[4].data, &norm);
    for (int i = 0; i < MPNO_COLUMNS_CLASSES; i++) {
        const double square = call->node->attr.fixed ? 0 : columns->square[i];
        call->fields->apply_matrix(c->p[i], c->plain_p, &square, 0, 1, 1, 1, channels);
    }
    call->fields->apply_matrix(c->r, c->plain_r, &one, 0, 1, 1, 1, channels);
    call->fields->apply_matrix(c->none, c->plain_r, &zero, 0, 1, 1, 1, channels);
}

/* A line. */
typedef struct line_rows {
    char *out;
    const char *dy, *x;
    size_t row;
} line_rows;

static void combine(const mpno_op_call *call, const line_rows *l, const coefficients *c,
                    mpno_columns_class class, int64_t first, int64_t count) {
    const size_t at = (size_t)first * l->row;
    call->kernels->channel_combine(l->out + at, l->x + at, c->p[class], l->dy + at, c->q,
                                   first == 0 ? c->r : c->none, count, call->in[0].channels);
}

/* Imaginary parts at k = 0 and k = N/2 stand for nothing: their gradient is q T'dy, which is 0. */
static void scale_only(const mpno_op_call *call, const line_rows *l, const coefficients *c,
                       int64_t row) {
    const size_t at = (size_t)row * l->row;
    call->kernels->channel_affine(l->out + at, l->dy + at, c->q, NULL, 1, call->in[0].channels);
}

static void one_line(mpno_op_call *call, const line_rows *l, const coefficients *c) {
    const mpno_columns *columns = call->node->attr.columns;
    const int64_t keep = columns->keep, first = columns->middle_first;
    combine(call, l, c, MPNO_COLUMNS_MEAN, 0, 1);
    combine(call, l, c, MPNO_COLUMNS_MIDDLE, first, columns->middle_count);
    scale_only(call, l, c, keep);
    combine(call, l, c, MPNO_COLUMNS_MIDDLE, keep + first, columns->middle_count);
    if (!columns->has_nyquist) return;
    combine(call, l, c, MPNO_COLUMNS_NYQUIST, keep - 1, 1);
    scale_only(call, l, c, 2 * keep - 1);
}

typedef struct dx_run {
    mpno_op_call *call;
    char *rooms; /* of three lines for each thread */
    size_t room_bytes;
    atomic_bool bad;
} dx_run;

static void one_range(void *argument, int64_t task, int thread) {
    dx_run *r = argument;
    mpno_op_call *call = r->call;
    const mpno_lines_range range = mpno_lines_range_at(call->node->attr.columns, task);
    const coefficients c = coefficients_at(call, thread);
    char *rooms = r->rooms + (size_t)thread * 3 * r->room_bytes;
    const size_t row = (size_t)call->in[0].channels * mpno_format_bytes(call->kernels->arithmetic);
    fill(call, range.sample, &c);
    for (int64_t i = range.first; i < range.first + range.count; i++) {
        const line_rows l = {
            mpno_line_place(call, &call->out[0], range.sample, i, rooms),
            mpno_line_load(call, &call->in[0], range.sample, i, rooms + r->room_bytes),
            mpno_line_load(call, &call->in[1], range.sample, i, rooms + 2 * r->room_bytes), row};
        one_line(call, &l, &c);
        if (mpno_line_store(call, &call->out[0], range.sample, i, l.out))
            atomic_store_explicit(&r->bad, true, memory_order_relaxed);
    }
}

static size_t coefficient_bytes(size_t vector, int n_threads) {
    return (size_t)n_threads * N_COEFFICIENTS * mpno_aligned(vector);
}

static void forward(mpno_op_call *call) {
    const mpno_columns *columns = call->node->attr.columns;
    const size_t element = mpno_format_bytes(call->kernels->arithmetic),
                 vector = (size_t)call->in[0].channels * element;
    dx_run run = {.call = call,
                  .rooms = (char *)call->scratch + coefficient_bytes(vector, call->n_threads),
                  .room_bytes = mpno_line_bytes(call->graph, call->node, element)};
    mpno_parallel(call->n_threads, call->batch * mpno_lines_ranges(columns), one_range, &run);
    call->nonfinite[0] = run.bad;
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    const size_t vector = (size_t)graph->edges[node->in[0]].channels * type_bytes;
    (void)batch;
    return coefficient_bytes(vector, n_threads) +
           (size_t)n_threads * 3 * mpno_line_bytes(graph, node, type_bytes);
}

const mpno_op mpno_op_normalize_columns_dx = {
    .name = "normalize_columns_dx",
    .class = MPNO_OP_WHOLE,
    .elementwise = true,
    .shape = mpno_shape_columns,
    .forward = forward,
    .cost = mpno_columns_cost,
    .scratch = scratch,
};
