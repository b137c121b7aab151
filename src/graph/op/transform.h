/* SPDX-License-Identifier: MIT
 * What the two transform ops share. */
#ifndef MPNO_GRAPH_OP_TRANSFORM_H
#define MPNO_GRAPH_OP_TRANSFORM_H

#include "graph/graph.h"

/* E_SHAPE unless the transform is one of the grid's fields. */
MPNO_WARN_UNUSED mpno_status mpno_transform_fits(const mpno_graph *graph, const mpno_fft *fft,
                                                 int grid);
/* The call of the transform library for `call`, whose field and spectrum are these operands. */
mpno_fft_call mpno_transform_call(const mpno_op_call *call, const mpno_operand *field,
                                  const mpno_operand *spectrum);
mpno_op_cost mpno_transform_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch);
size_t mpno_transform_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                              size_t type_bytes, int n_threads);
/* Statement B7: the norm of the transform passes on. INFINITY with 16-bit arithmetic. */
double mpno_transform_bound(const mpno_bound_call *call, bool inverse);
/* What underflows in a transform of so many points and is then multiplied by `scale`. */
double mpno_transform_underflow(const mpno_bound_call *call, double growth, double points,
                                double scale);

#endif
