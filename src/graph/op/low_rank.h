/* SPDX-License-Identifier: MIT
 * What contract_low_rank and contract_low_rank_dw share: Y[k][b] = ((X[k][b] A) S[k]) B, with A
 * [2][I][R], B [2][R][O], and a diagonal S[k] [2][R] for each mode. */
#ifndef MPNO_GRAPH_OP_LOW_RANK_H
#define MPNO_GRAPH_OP_LOW_RANK_H

#include "graph/graph.h"

typedef struct mpno_low_rank {
    int64_t modes, inputs, rank, outputs;
} mpno_low_rank;

/* Sizes from the operands A, S, B; E_SHAPE when they do not fit. */
mpno_status mpno_low_rank_check(mpno_graph *graph, const mpno_node *node, int first,
                                mpno_low_rank *out);
mpno_low_rank mpno_low_rank_of(const mpno_graph *graph, const mpno_node *node, int first);

/* Columns first .. of a matrix or diagonal [2][rows][rank]. */
mpno_planes mpno_low_rank_columns(const mpno_op_call *call, const mpno_operand *operand,
                                  int64_t rows, int64_t columns, int64_t first);
/* The diagonal of a mode, as one row. */
mpno_planes mpno_low_rank_diagonal(const mpno_op_call *call, const mpno_operand *operand,
                                   int64_t mode, int64_t rank, int64_t first);
/* The planes with their roles exchanged, see mpno_planes. */
mpno_planes mpno_low_rank_exchanged(const mpno_op_call *call, mpno_planes planes);

#endif
