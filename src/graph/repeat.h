/* SPDX-License-Identifier: MIT
 * The end of the lowering pass: results of forward ops that the backward pass makes again rather
 * than keeping them. steps: room for one more step for each node of the graph; stored: room for one
 * more edge each. */
#ifndef MPNO_GRAPH_REPEAT_H
#define MPNO_GRAPH_REPEAT_H

#include "graph/lower.h"

/* Columns and spectra that cheap ops on whole tensors give. */
MPNO_WARN_UNUSED mpno_status mpno_repeat_columns(mpno_graph *graph, const mpno_lower_opts *opts,
                                                 mpno_lowered *lowered);
/* Outputs of layers, in runs of opts->run at most. */
MPNO_WARN_UNUSED mpno_status mpno_repeat_layers(mpno_graph *graph, const mpno_lower_opts *opts,
                                                mpno_lowered *lowered);

#endif
