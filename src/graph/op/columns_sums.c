/* SPDX-License-Identifier: MIT
 * Shared pieces of the ops on columns, see columns_sums.h. */
#include "graph/op/columns_sums.h"

#include <string.h>

mpno_columns_call mpno_columns_call_of(const mpno_op_call *call, const mpno_operand *columns,
                                       const mpno_operand *spectrum) {
    return (mpno_columns_call){.batch = call->batch,
                               .channels = spectrum->channels,
                               .columns_format = columns->format,
                               .spectrum_format = spectrum->format,
                               .columns_codec = columns->codec,
                               .spectrum_codec = spectrum->codec,
                               .n_threads = call->n_threads,
                               .scratch = call->scratch};
}

int64_t mpno_lines_ranges(const mpno_columns *columns) {
    return (columns->lines + MPNO_COLUMNS_LINES - 1) / MPNO_COLUMNS_LINES;
}

mpno_lines_range mpno_lines_range_at(const mpno_columns *columns, int64_t task) {
    const int64_t ranges = mpno_lines_ranges(columns), first = task % ranges * MPNO_COLUMNS_LINES,
                  rest = columns->lines - first;
    return (mpno_lines_range){task / ranges, first,
                              rest < MPNO_COLUMNS_LINES ? rest : MPNO_COLUMNS_LINES};
}

void *mpno_line_at(const mpno_op_call *call, const mpno_operand *operand, int64_t sample,
                   int64_t line) {
    const mpno_columns *columns = call->node->attr.columns;
    const int64_t rows = (sample * columns->lines + line) * 2 * columns->keep;
    return (char *)operand->data +
           (size_t)(rows * operand->channels) * mpno_format_bytes(operand->format);
}

static int64_t line_values(const mpno_op_call *call, const mpno_operand *operand) {
    return 2 * call->node->attr.columns->keep * operand->channels;
}

const void *mpno_line_load(const mpno_op_call *call, const mpno_operand *operand, int64_t sample,
                           int64_t line, void *room) {
    const void *stored = mpno_line_at(call, operand, sample, line);
    if (operand->format == call->kernels->arithmetic) return stored;
    mpno_operand_load(call->kernels, operand, room, stored, line_values(call, operand));
    return room;
}

void *mpno_line_place(const mpno_op_call *call, const mpno_operand *operand, int64_t sample,
                      int64_t line, void *room) {
    if (operand->format != call->kernels->arithmetic) return room;
    return mpno_line_at(call, operand, sample, line);
}

int mpno_line_store(const mpno_op_call *call, const mpno_operand *operand, int64_t sample,
                    int64_t line, const void *made) {
    void *stored = mpno_line_at(call, operand, sample, line);
    if (made == stored) return 0; /* what is made of it is looked at */
    return mpno_operand_store(call->kernels, operand, stored, made, line_values(call, operand));
}

size_t mpno_line_bytes(const mpno_graph *graph, const mpno_node *node, size_t type_bytes) {
    return mpno_aligned(
        (size_t)(2 * node->attr.columns->keep * graph->edges[node->in[0]].channels) * type_bytes);
}

enum { PARTS = 1 + MPNO_COLUMNS_CLASSES };

typedef struct products_run {
    mpno_op_call *call;
    const mpno_columns_products *products;
    char *rooms; /* two lines for each thread */
    size_t room_bytes;
} products_run;

static void one_range(void *argument, int64_t task, int thread) {
    const products_run *r = argument;
    mpno_op_call *call = r->call;
    const mpno_columns *columns = call->node->attr.columns;
    const mpno_kernels *kernels = call->kernels;
    const mpno_operand *a = &call->in[0], *b = &call->in[r->products->other];
    const mpno_lines_range range = mpno_lines_range_at(columns, task);
    const int64_t channels = a->channels, keep = columns->keep;
    double *first = (double *)call->scratch + task * PARTS * channels, *dot = first + channels;
    char *rooms = r->rooms + (size_t)thread * 2 * r->room_bytes;
    memset(first, 0, (size_t)(PARTS * channels) * sizeof *first);
    for (int64_t line = range.first; line < range.first + range.count; line++) {
        const char *x = mpno_line_load(call, a, range.sample, line, rooms);
        const char *y =
            a == b ? x : mpno_line_load(call, b, range.sample, line, rooms + r->room_bytes);
        const size_t row = (size_t)channels * mpno_format_bytes(columns->arithmetic);
        kernels->sum_rows(first, x, 1, channels);
        kernels->dot_rows(dot + MPNO_COLUMNS_MEAN * channels, x, y, 1, channels);
        for (int plane = 0; plane < 2; plane++) {
            const size_t at = (size_t)(plane * keep + columns->middle_first) * row;
            kernels->dot_rows(dot + MPNO_COLUMNS_MIDDLE * channels, x + at, y + at,
                              columns->middle_count, channels);
        }
        const size_t nyquist = (size_t)(keep - 1) * row;
        if (columns->has_nyquist)
            kernels->dot_rows(dot + MPNO_COLUMNS_NYQUIST * channels, x + nyquist, y + nyquist, 1,
                              channels);
    }
}

void mpno_columns_products_run(mpno_op_call *call, const mpno_columns_products *products,
                               double *dst) {
    const mpno_columns *columns = call->node->attr.columns;
    const int64_t ranges = mpno_lines_ranges(columns), count = PARTS * call->in[0].channels;
    double *parts = call->scratch, *sums = parts + call->batch * ranges * count;
    const size_t type_bytes = mpno_format_bytes(call->kernels->arithmetic);
    products_run run = {call, products, (char *)(sums + call->batch * count),
                        mpno_line_bytes(call->graph, call->node, type_bytes)};
    mpno_parallel(call->n_threads, call->batch * ranges, one_range, &run);
    (void)call->fields->reduce_samples(sums, parts, call->batch, ranges, count, count);
    call->fields->weigh_sums(dst, sums, products->weight, PARTS, call->batch, call->in[0].channels,
                             products->interleaved);
}

size_t mpno_columns_products_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                                     size_t type_bytes, int n_threads) {
    const int64_t count = PARTS * graph->edges[node->in[0]].channels;
    return (size_t)(batch * (mpno_lines_ranges(node->attr.columns) + 1) * count) * sizeof(double) +
           (size_t)n_threads * 2 * mpno_line_bytes(graph, node, type_bytes);
}

mpno_op_cost mpno_columns_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_columns *columns = node->attr.columns;
    return (mpno_op_cost){2.0 * (double)(batch * columns->lines * 2 * columns->keep *
                                         graph->edges[node->in[0]].channels),
                          false};
}

double mpno_columns_bound(const mpno_bound_call *call, bool inverse) {
    const mpno_columns *columns = call->node->attr.columns;
    const double gain = mpno_columns_gain(columns, inverse);
    return gain * call->in[0].error +
           mpno_bound_rounding(call, mpno_columns_line_growth(columns, inverse),
                               gain * call->in[0].norm);
}
