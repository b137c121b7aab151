/* SPDX-License-Identifier: MIT
 * The end of the lowering pass: forward ops on whole tensors, cheap ones, whose columns or spectra
 * the backward pass makes again rather than keeping them. */
#ifndef MPNO_GRAPH_REPEAT_H
#define MPNO_GRAPH_REPEAT_H

#include "graph/lower.h"

/* steps: room for one more step for each node of the graph; stored: room for one more edge each. */
MPNO_WARN_UNUSED mpno_status mpno_repeat_columns(mpno_graph *graph, const mpno_lower_opts *opts,
                                                 mpno_lowered *lowered);

#endif
