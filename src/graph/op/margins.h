/* SPDX-License-Identifier: MIT
 * What pad and crop share: the lines along the last axis of the small grid, which lies inside the
 * large one with attr.margin points in front of it on each axis. */
#ifndef MPNO_GRAPH_OP_MARGINS_H
#define MPNO_GRAPH_OP_MARGINS_H

#include "graph/graph.h"

/* E_SHAPE unless the small grid with its margins lies within the large one. */
MPNO_WARN_UNUSED mpno_status mpno_margins_fit(const mpno_graph *graph, const mpno_node *node,
                                              int small, int large);
/* Copies every line of the small grid for all samples: inwards (crop) or outwards (pad). */
void mpno_margins_copy(mpno_op_call *call, const mpno_grid *small, const mpno_grid *large,
                       bool inwards);
size_t mpno_margins_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                            size_t type_bytes, int n_threads);

#endif
