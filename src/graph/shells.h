/* SPDX-License-Identifier: MIT
 * Shells of a spectrum: its modes by their distance |k| from the origin, rounded. */
#ifndef MPNO_GRAPH_SHELLS_H
#define MPNO_GRAPH_SHELLS_H

#include "graph/graph.h"

/* Fills shell[modes] and gives the number of shells; 0 where the frequencies of the modes are not
 * known: edge is no spectrum, or one whose modes were picked from another's. */
int mpno_shells_of(const mpno_graph *graph, int edge, int32_t *shell);

#endif
