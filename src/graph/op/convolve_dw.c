/* SPDX-License-Identifier: MIT
 * dW[offset][o][i] = sum over samples and points of dy[p][o] x[p + offset][i]: dy
 * [batch][points][O], x [batch][points][I], operand 2 the weight (for its shape; never read),
 * attr.width -> dW [width^d][O][I]. Products of a sample are summed in the arithmetic type, samples
 * in f64. */
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "graph/op/convolve_lines.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    MPNO_TRY(mpno_convolve_fits(graph, node, node->in[0], node->in[2]));
    return mpno_shape_weight_gradient(graph, node, out);
}

/* Of one thread: a line of dy and of x, and the sums of every sample. */
typedef struct rooms {
    size_t dy, x, sums;
} rooms;

static rooms rooms_of(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t element) {
    const mpno_grid *grid = mpno_graph_grid(graph, node->in[0]);
    const size_t n = (size_t)grid->size[grid->ndim - 1];
    const size_t out = (size_t)graph->edges[node->in[0]].channels,
                 in = (size_t)graph->edges[node->in[1]].channels;
    return (rooms){mpno_aligned(n * out * element), mpno_aligned(n * in * element),
                   mpno_aligned((size_t)batch * out * in * element)};
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    const rooms r = rooms_of(graph, node, batch, type_bytes);
    return (size_t)n_threads * (r.dy + r.x + r.sums);
}

static void one_block(void *argument, int64_t block, int thread) {
    mpno_op_call *call = argument;
    const mpno_grid *grid = mpno_graph_grid(call->graph, call->node->in[0]);
    const size_t element = mpno_format_bytes(call->kernels->arithmetic);
    const rooms room = rooms_of(call->graph, call->node, call->batch, element);
    const int64_t out = call->in[0].channels, in = call->in[1].channels;
    const int64_t lines = grid->points / grid->size[grid->ndim - 1];
    char *room_dy = (char *)call->scratch + (size_t)thread * (room.dy + room.x + room.sums);
    char *room_x = room_dy + room.dy, *sums = room_x + room.x;
    memset(sums, 0, (size_t)(call->batch * out * in) * element);
    for (int64_t b = 0; b < call->batch; b++)
        for (int64_t line = 0; line < lines; line++) {
            const mpno_offset at =
                mpno_convolve_offset(grid, call->node->attr.width, block, line, 1);
            if (at.line < 0) continue;
            const char *dy = mpno_convolve_line(call, &call->in[0], grid, b, line, room_dy);
            const char *x = mpno_convolve_line(call, &call->in[1], grid, b, at.line, room_x);
            const int64_t p = at.overlap.first, q = p + at.shift;
            call->kernels->gemm_tn(at.overlap.count, in, out, dy + (size_t)(p * out) * element, out,
                                   x + (size_t)(q * in) * element, in,
                                   sums + (size_t)(b * out * in) * element, in);
        }
    if (call->fields->reduce((char *)call->out[0].data + (size_t)(block * out * in) * element, sums,
                             call->batch, 1, out * in, out * in,
                             call->chain[0] != NULL ? call->chain[0] + block * out * in : NULL))
        call->nonfinite[0] = true; /* every thread writes the same */
}

static void forward(mpno_op_call *call) {
    const int64_t blocks =
        call->graph->weights[call->graph->edges[call->node->out[0]].param].blocks;
    mpno_parallel(call->n_threads, blocks, one_block, call);
}

const mpno_op mpno_op_convolve_dw = {
    .name = "convolve_dw",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .cost = mpno_convolve_cost,
    .scratch = scratch,
};
