/* SPDX-License-Identifier: MIT
 * Shared parts of the convolution ops, see convolve_lines.h. */
#include "graph/op/convolve_lines.h"

mpno_status mpno_convolve_fits(const mpno_graph *graph, const mpno_node *node, int x, int weight) {
    const mpno_grid *grid = mpno_graph_grid(graph, x);
    const mpno_weight *w = &graph->weights[graph->edges[weight].param];
    int64_t blocks = 1;
    for (int d = 0; d < grid->ndim; d++) blocks *= node->attr.width;
    MPNO_CHECK(graph->ctx, w->blocks == blocks && grid->planes <= 1, MPNO_E_SHAPE,
               "%s: the weight has %lld points, a kernel of this grid has %lld", node->op->name,
               (long long)w->blocks, (long long)blocks);
    return MPNO_OK;
}

mpno_offset mpno_convolve_offset(const mpno_grid *grid, int64_t width, int64_t block, int64_t line,
                                 int sign) {
    const int last = grid->ndim - 1;
    const int64_t n = grid->size[last], shift = sign * (block % width - (width - 1) / 2);
    const int64_t first = shift < 0 ? -shift : 0, end = shift > 0 ? n - shift : n;
    mpno_offset out = {0, shift, {first, end > first ? end - first : 0}};
    int64_t stride = 1;
    block /= width;
    for (int d = last - 1; d >= 0; d--) {
        const int64_t at = line % grid->size[d] + sign * (block % width - (width - 1) / 2);
        if (at < 0 || at >= grid->size[d]) out.line = -1;
        if (out.line >= 0) out.line += at * stride;
        line /= grid->size[d];
        block /= width;
        stride *= grid->size[d];
    }
    if (out.overlap.count == 0) out.line = -1;
    return out;
}

const void *mpno_convolve_line(const mpno_op_call *call, const mpno_operand *field,
                               const mpno_grid *grid, int64_t b, int64_t line, void *room) {
    const int64_t n = grid->size[grid->ndim - 1], count = n * field->channels;
    const int64_t first = (b * grid->points + line * n) * field->channels;
    const char *data = (const char *)field->data + (size_t)first * mpno_format_bytes(field->format);
    if (field->format == call->kernels->arithmetic) return data;
    mpno_operand_load(call->kernels, field, room, data, count);
    return room;
}

mpno_op_cost mpno_convolve_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_weight *w = &graph->weights[graph->edges[node->in[node->n_in - 1]].param];
    const double rows = (double)(batch * mpno_graph_grid(graph, node->in[0])->points);
    return (mpno_op_cost){2.0 * rows * (double)mpno_weight_count(w), true};
}
