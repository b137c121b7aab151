/* SPDX-License-Identifier: MIT
 * What convolve and convolve_dw share: the lines along the last axis of a field, and which of them
 * an offset of the kernel brings together. */
#ifndef MPNO_GRAPH_OP_CONVOLVE_LINES_H
#define MPNO_GRAPH_OP_CONVOLVE_LINES_H

#include "graph/graph.h"

/* E_SHAPE unless the weight is a kernel of attr.width points per axis of operand x's grid. */
MPNO_WARN_UNUSED mpno_status mpno_convolve_fits(const mpno_graph *graph, const mpno_node *node,
                                                int x, int weight);

/* The pairs of points (p, p + shift) within a line of n points: p = first .. first + count - 1. */
typedef struct mpno_overlap {
    int64_t first, count;
} mpno_overlap;

typedef struct mpno_offset {
    int64_t line;  /* the partner of line `line`, -1: outside the grid */
    int64_t shift; /* along the line */
    mpno_overlap overlap;
} mpno_offset;

/* How block `block` of the kernel, [width]..[width], shifts line `line`; sign -1: the other way. */
mpno_offset mpno_convolve_offset(const mpno_grid *grid, int64_t width, int64_t block, int64_t line,
                                 int sign);

/* Line `line` of sample b of a field in the arithmetic type; room takes it when it must be
 * converted. */
const void *mpno_convolve_line(const mpno_op_call *call, const mpno_operand *field,
                               const mpno_grid *grid, int64_t b, int64_t line, void *room);

mpno_op_cost mpno_convolve_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch);

#endif
