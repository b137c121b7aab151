/* SPDX-License-Identifier: MIT
 * y[p] = sum over the kernel's offsets of W[offset] x[p + offset], zero outside the grid ("same"),
 * no bias: x [batch][points][I], W [width^d][O][I], attr.width -> y [batch][points][O]. Offsets run
 * from -floor((width - 1) / 2) on. attr.adjoint: dx[p] = sum W[offset]' dy[p - offset].
 * Gradients: dx by the adjoint, dW by convolve_dw. Source: neuraloperator conv_bias_kernel. */
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "graph/op/convolve_lines.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    const mpno_weight *w = &graph->weights[graph->edges[node->in[1]].param];
    const int64_t takes = node->attr.adjoint ? w->rows : w->cols;
    MPNO_TRY(mpno_convolve_fits(graph, node, node->in[0], node->in[1]));
    MPNO_CHECK(graph->ctx, takes == x->channels, MPNO_E_SHAPE,
               "convolve: the weight takes %lld channels, %s has %lld", (long long)takes, x->name,
               (long long)x->channels);
    out->kind = MPNO_EDGE_FIELD;
    out->channels = node->attr.adjoint ? w->cols : w->rows;
    return MPNO_OK;
}

/* The weight as [blocks][channels in][channels out] of the arithmetic type, then for each thread a
 * line in and a line out. */
typedef struct rooms {
    size_t weight, line_in, line_out;
} rooms;

static rooms rooms_of(const mpno_graph *graph, const mpno_node *node, size_t element) {
    const mpno_weight *w = &graph->weights[graph->edges[node->in[1]].param];
    const mpno_grid *grid = mpno_graph_grid(graph, node->in[0]);
    const size_t n = (size_t)grid->size[grid->ndim - 1];
    return (rooms){mpno_aligned(mpno_weight_count(w) * element),
                   mpno_aligned(n * (size_t)graph->edges[node->in[0]].channels * element),
                   mpno_aligned(n * (size_t)(node->attr.adjoint ? w->cols : w->rows) * element)};
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    const rooms r = rooms_of(graph, node, type_bytes);
    (void)batch;
    return 2 * r.weight + (size_t)n_threads * (r.line_in + r.line_out);
}

static void one_line(void *argument, int64_t task, int thread) {
    mpno_op_call *call = argument;
    const mpno_node *node = call->node;
    const mpno_grid *grid = mpno_graph_grid(call->graph, node->in[0]);
    const size_t element = mpno_format_bytes(call->kernels->arithmetic);
    const rooms room = rooms_of(call->graph, node, element);
    const int64_t in = call->in[0].channels, out = call->out[0].channels;
    const int64_t n = grid->size[grid->ndim - 1], lines = grid->points / n;
    const int64_t b = task / lines, line = task % lines;
    const int64_t blocks = call->graph->weights[call->graph->edges[node->in[1]].param].blocks;
    char *line_in =
        (char *)call->scratch + 2 * room.weight + (size_t)thread * (room.line_in + room.line_out);
    char *line_out = line_in + room.line_in;
    memset(line_out, 0, (size_t)(n * out) * element);
    for (int64_t block = 0; block < blocks; block++) {
        const mpno_offset at =
            mpno_convolve_offset(grid, node->attr.width, block, line, node->attr.adjoint ? -1 : 1);
        if (at.line < 0) continue;
        const char *x = mpno_convolve_line(call, &call->in[0], grid, b, at.line, line_in);
        const char *w = (const char *)call->scratch + (size_t)(block * in * out) * element;
        const int64_t from = at.overlap.first + at.shift;
        call->kernels->gemm(at.overlap.count, out, in, x + (size_t)(from * in) * element, in, w,
                            out, line_out + (size_t)(at.overlap.first * out) * element, out, 1);
    }
    const size_t first = (size_t)((b * grid->points + line * n) * out);
    if (mpno_operand_store(
            call->kernels, &call->out[0],
            (char *)call->out[0].data + first * mpno_format_bytes(call->out[0].format), line_out,
            n * out))
        call->nonfinite[0] = true; /* every thread writes the same */
}

static void forward(mpno_op_call *call) {
    const mpno_node *node = call->node;
    const mpno_grid *grid = mpno_graph_grid(call->graph, node->in[0]);
    const mpno_weight *w = &call->graph->weights[call->graph->edges[node->in[1]].param];
    const size_t element = mpno_format_bytes(call->kernels->arithmetic);
    const rooms room = rooms_of(call->graph, node, element);
    char *packed = call->scratch, *plain = packed + (node->attr.adjoint ? 0 : room.weight);
    const size_t block = (size_t)(w->rows * w->cols) * element;
    mpno_operand_load(call->kernels, &call->in[1], plain, call->in[1].data,
                      (int64_t)mpno_weight_count(w));
    for (int64_t k = 0; k < w->blocks && !node->attr.adjoint; k++)
        call->kernels->transpose(packed + (size_t)k * block, w->rows, plain + (size_t)k * block,
                                 w->cols, w->rows, w->cols);
    const int64_t lines = grid->points / grid->size[grid->ndim - 1];
    mpno_parallel(call->n_threads, call->batch * lines, one_line, call);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int dx[] = {grad_out[0], node.in[1]}, dw[] = {grad_out[0], node.in[0], node.in[1]};
    mpno_attr attr = node.attr;
    if (wanted[1])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_convolve_dw, 3, dw, &attr, node.in[1],
                                         &grad_in[1]));
    attr.adjoint = !attr.adjoint;
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_convolve, 2, dx, &attr, node.in[0],
                                         &grad_in[0]));
    return MPNO_OK;
}

/* Statement B3 for every offset of the kernel; its matrices add up. */
static double bound(const mpno_bound_call *call) {
    const mpno_bound *x = &call->in[0], *w = &call->in[1];
    const mpno_weight *weight = &call->graph->weights[call->graph->edges[call->node->in[1]].param];
    const double offsets = (double)weight->blocks;
    const double terms = (double)call->graph->edges[call->node->in[0]].channels * offsets;
    return offsets * w->norm * x->error +
           mpno_bound_rounding(call, terms, offsets * w->frobenius * x->norm);
}

const mpno_op mpno_op_convolve = {
    .name = "convolve",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = mpno_convolve_cost,
    .scratch = scratch,
    .bound = bound,
};
