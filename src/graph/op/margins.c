/* SPDX-License-Identifier: MIT
 * Shared part of pad and crop, see margins.h. */
#include "graph/op/margins.h"

mpno_status mpno_margins_fit(const mpno_graph *graph, const mpno_node *node, int small, int large) {
    const mpno_grid *s = &graph->grids[small], *l = &graph->grids[large];
    bool fits = s->ndim == l->ndim && s->planes == l->planes;
    for (int d = 0; fits && d < s->ndim; d++)
        fits = node->attr.margin[d] >= 0 && node->attr.margin[d] + s->size[d] <= l->size[d];
    MPNO_CHECK(graph->ctx, fits, MPNO_E_SHAPE, "%s: one grid does not lie inside the other",
               node->op->name);
    return MPNO_OK;
}

/* Number of the large grid's line that holds line `line` of the small one. */
static int64_t outer_line(const mpno_attr *attr, const mpno_grid *small, const mpno_grid *large,
                          int64_t line) {
    int64_t at = 0, stride = 1;
    for (int d = small->ndim - 2; d >= 0; d--) {
        at += (line % small->size[d] + attr->margin[d]) * stride;
        line /= small->size[d];
        stride *= large->size[d];
    }
    return at;
}

void mpno_margins_copy(mpno_op_call *call, const mpno_grid *small, const mpno_grid *large,
                       bool inwards) {
    const mpno_operand *from = &call->in[0], *to = &call->out[0];
    const mpno_attr *attr = &call->node->attr;
    const int64_t planes = small->planes > 1 ? small->planes : 1, width = planes * from->channels;
    const int64_t n = small->size[small->ndim - 1], wide = large->size[large->ndim - 1];
    const int64_t lines = small->points / planes / n;
    for (int64_t b = 0; b < call->batch; b++)
        for (int64_t line = 0; line < lines; line++) {
            const int64_t inner = (b * small->points / planes + line * n) * width;
            const int64_t outer =
                (b * large->points / planes + outer_line(attr, small, large, line) * wide +
                 attr->margin[small->ndim - 1]) *
                width;
            const int64_t source = inwards ? outer : inner, target = inwards ? inner : outer;
            mpno_operand_load(
                call->kernels, from, call->scratch,
                (const char *)from->data + (size_t)source * mpno_format_bytes(from->format),
                n * width);
            call->nonfinite[0] |= mpno_operand_store(
                call->kernels, to,
                (char *)to->data + (size_t)target * mpno_format_bytes(to->format), call->scratch,
                n * width);
        }
}

size_t mpno_margins_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                            size_t type_bytes, int n_threads) {
    const mpno_grid *g = mpno_graph_grid(graph, node->in[0]); /* a line of either is no longer */
    const int64_t longest = g->size[g->ndim - 1] * (g->planes > 1 ? g->planes : 1);
    (void)batch, (void)n_threads;
    return (size_t)(longest * graph->edges[node->in[0]].channels) * type_bytes;
}
