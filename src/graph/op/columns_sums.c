/* SPDX-License-Identifier: MIT
 * Shared pieces of the ops on columns, see columns_sums.h. */
#include "graph/op/columns_sums.h"

#include <string.h>

mpno_columns_call mpno_columns_call_of(const mpno_op_call *call, const mpno_operand *spectrum) {
    return (mpno_columns_call){.batch = call->batch,
                               .channels = spectrum->channels,
                               .spectrum_format = spectrum->format,
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

void *mpno_line_row(const mpno_op_call *call, const mpno_operand *operand, int64_t sample,
                    int64_t line, int64_t row) {
    const mpno_columns *columns = call->node->attr.columns;
    const int64_t rows = (sample * columns->lines + line) * 2 * columns->keep + row;
    return (char *)operand->data +
           (size_t)(rows * operand->channels) * mpno_format_bytes(columns->arithmetic);
}

enum { PARTS = 1 + MPNO_COLUMNS_CLASSES };

typedef struct products_run {
    mpno_op_call *call;
    const mpno_columns_products *products;
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
    (void)thread;
    memset(first, 0, (size_t)(PARTS * channels) * sizeof *first);
    for (int64_t line = range.first; line < range.first + range.count; line++) {
        const char *x = mpno_line_row(call, a, range.sample, line, 0);
        const char *y = mpno_line_row(call, b, range.sample, line, 0);
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
    products_run run = {call, products};
    mpno_parallel(call->n_threads, call->batch * ranges, one_range, &run);
    (void)call->fields->reduce_samples(sums, parts, call->batch, ranges, count, count);
    call->fields->weigh_sums(dst, sums, products->weight, PARTS, call->batch, call->in[0].channels,
                             products->interleaved);
}

size_t mpno_columns_products_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                                     size_t type_bytes, int n_threads) {
    const int64_t count = PARTS * graph->edges[node->in[0]].channels;
    (void)type_bytes, (void)n_threads;
    return (size_t)(batch * (mpno_lines_ranges(node->attr.columns) + 1) * count) * sizeof(double);
}

mpno_op_cost mpno_columns_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_columns *columns = node->attr.columns;
    return (mpno_op_cost){2.0 * (double)(batch * columns->lines * 2 * columns->keep *
                                         graph->edges[node->in[0]].channels),
                          false};
}
