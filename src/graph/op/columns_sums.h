/* SPDX-License-Identifier: MIT
 * What the ops on columns share: their calls, runs over lines, and inner products of the fields
 * that columns stand for, without these fields (Parseval, transform/columns). */
#ifndef MPNO_GRAPH_OP_COLUMNS_SUMS_H
#define MPNO_GRAPH_OP_COLUMNS_SUMS_H

#include "core/memory.h"
#include "core/parallel.h"
#include "graph/graph.h"

mpno_columns_call mpno_columns_call_of(const mpno_op_call *call, const mpno_operand *columns,
                                       const mpno_operand *spectrum);

/* Some lines of one sample. */
enum { MPNO_COLUMNS_LINES = 64 };
typedef struct mpno_lines_range {
    int64_t sample, first, count;
} mpno_lines_range;
int64_t mpno_lines_ranges(const mpno_columns *columns); /* of a sample */
mpno_lines_range mpno_lines_range_at(const mpno_columns *columns, int64_t task);
/* ---- the columns of a line, [2][K][C] ---- */

/* As stored; of tile ops, whose operands are those of one sample, sample = 0. */
void *mpno_line_at(const mpno_op_call *call, const mpno_operand *operand, int64_t sample,
                   int64_t line);
/* In the arithmetic type: where they are stored or, converted, in `room`. */
const void *mpno_line_load(const mpno_op_call *call, const mpno_operand *operand, int64_t sample,
                           int64_t line, void *room);
/* Where to make them: where they will be stored or, if they must be converted, `room`. */
void *mpno_line_place(const mpno_op_call *call, const mpno_operand *operand, int64_t sample,
                      int64_t line, void *room);
/* Stores what was made there. Returns 1 when a value is not finite as stored. */
int mpno_line_store(const mpno_op_call *call, const mpno_operand *operand, int64_t sample,
                    int64_t line, const void *made);
/* Bytes of a room. */
size_t mpno_line_bytes(const mpno_graph *graph, const mpno_node *node, size_t type_bytes);

/* Of operands 0 = a and i = b, both columns, for each sample and channel in f64, added over the
 * lines in a fixed order:
 *   first  = weight[0] sum a[mean]
 *   second = sum over classes weight[1 + class] sum a b
 * interleaved: dst [batch][C][2], else [batch][2][C]. */
typedef struct mpno_columns_products {
    int other;
    double weight[1 + MPNO_COLUMNS_CLASSES];
    bool interleaved;
} mpno_columns_products;
void mpno_columns_products_run(mpno_op_call *call, const mpno_columns_products *products,
                               double *dst);
size_t mpno_columns_products_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                                     size_t type_bytes, int n_threads);
mpno_op_cost mpno_columns_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch);
/* Statement B8: a line's transform and its adjoint. */
double mpno_columns_bound(const mpno_bound_call *call, bool inverse);

#endif
