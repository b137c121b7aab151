/* SPDX-License-Identifier: MIT
 * Shells of a spectrum, see shells.h. The frequencies of a spectrum are those of the transform that
 * makes or reads it, in the order of transform/fft/fft.h; products over channels keep them. */
#include "graph/shells.h"

#include <math.h>

/* The transform next to an edge: its own, or that of what its producer was given. */
static const mpno_fft *transform_of(const mpno_graph *graph, int edge) {
    for (int n = 0; n < graph->n_nodes; n++) {
        const mpno_node *node = &graph->nodes[n];
        const bool touches = node->in[0] == edge || (node->n_out > 0 && node->out[0] == edge);
        if (touches && node->attr.fft != NULL && graph->edges[edge].kind == MPNO_EDGE_SPECTRUM &&
            mpno_fft_modes(node->attr.fft) == graph->edges[edge].modes)
            return node->attr.fft;
    }
    return NULL;
}

int mpno_shells_of(const mpno_graph *graph, int edge, int32_t *shell) {
    const mpno_fft *fft = transform_of(graph, edge);
    int n = 0;
    if (fft == NULL) return 0;
    for (int64_t mode = 0; mode < graph->edges[edge].modes; mode++) {
        shell[mode] = (int32_t)lround(sqrt((double)mpno_fft_square(fft, mode)));
        if (shell[mode] >= n) n = shell[mode] + 1;
    }
    return n;
}
