/* SPDX-License-Identifier: MIT
 * y = a linear map along each axis of x in turn (attr.lines), onto the grid attr.grid;
 * attr.adjoint: the transposed maps, last axis first. x [batch][points][C] -> y alike, f64 sums.
 * The PyTorch library resamples its skips so (compat, model/spectral.h). Gradient: the adjoint. */
#include <math.h>

#include "core/parallel.h"
#include "graph/graph.h"

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    const mpno_lines *lines = node->attr.lines;
    const mpno_grid *from = &graph->grids[x->grid], *to = &graph->grids[node->attr.grid];
    const mpno_grid *a = node->attr.adjoint ? to : from, *b = node->attr.adjoint ? from : to;
    bool fits = lines->ndim == from->ndim && lines->ndim == to->ndim;
    for (int d = 0; fits && d < lines->ndim; d++)
        fits = lines->from[d] == a->size[d] && lines->to[d] == b->size[d];
    MPNO_CHECK(graph->ctx, fits, MPNO_E_SHAPE, "interpolate: %s does not fit the maps", x->name);
    out->kind = MPNO_EDGE_FIELD;
    out->grid = node->attr.grid;
    out->channels = x->channels;
    return MPNO_OK;
}

/* Most values that a sample has before, between or after the maps. */
static int64_t largest(const mpno_graph *graph, const mpno_node *node) {
    const mpno_lines *lines = node->attr.lines;
    const mpno_grid *g = mpno_graph_grid(graph, node->in[0]);
    int64_t values = graph->edges[node->in[0]].channels * (g->planes > 1 ? g->planes : 1);
    for (int d = 0; d < lines->ndim; d++)
        values *= lines->from[d] > lines->to[d] ? lines->from[d] : lines->to[d];
    return values;
}

/* Axis d of a sample in `from`: [outer][n][inner] -> [outer][m][inner] in `to`. */
static void one_axis(const mpno_op_call *call, int d, int64_t size[], int64_t inner, void *to,
                     const void *from) {
    const mpno_lines *lines = call->node->attr.lines;
    const bool adjoint = call->node->attr.adjoint;
    const int64_t m = adjoint ? lines->from[d] : lines->to[d];
    int64_t outer = 1;
    for (int k = 0; k < d; k++) outer *= size[k];
    for (int k = d + 1; k < lines->ndim; k++) inner *= size[k];
    call->fields->apply_matrix(to, from, lines->matrix[d], adjoint, outer, m, size[d], inner);
    size[d] = m;
}

static void one_sample(void *argument, int64_t sample, int thread) {
    mpno_op_call *call = argument;
    const mpno_node *node = call->node;
    const mpno_lines *lines = node->attr.lines;
    const mpno_grid *from = mpno_graph_grid(call->graph, node->in[0]),
                    *to = &call->graph->grids[node->attr.grid];
    const int64_t channels = call->in[0].channels,
                  inner = channels * (from->planes > 1 ? from->planes : 1);
    const size_t room =
        (size_t)largest(call->graph, node) * mpno_format_bytes(call->kernels->arithmetic);
    char *a = (char *)call->scratch + 2 * (size_t)thread * room, *b = a + room;
    int64_t size[MPNO_GRID_MAX_DIMS];
    for (int d = 0; d < from->ndim; d++) size[d] = from->size[d];
    mpno_operand_load(
        call->kernels, &call->in[0], a,
        (const char *)call->in[0].data +
            (size_t)(sample * from->points * channels) * mpno_format_bytes(call->in[0].format),
        from->points * channels);
    for (int i = 0; i < lines->ndim; i++) {
        const int d = node->attr.adjoint ? lines->ndim - 1 - i : i;
        if (lines->matrix[d] == NULL) continue;
        one_axis(call, d, size, inner, b, a);
        char *swap = a;
        a = b, b = swap;
    }
    const size_t offset = (size_t)(sample * to->points * channels);
    if (mpno_operand_store(
            call->kernels, &call->out[0],
            (char *)call->out[0].data + offset * mpno_format_bytes(call->out[0].format), a,
            to->points * channels))
        call->nonfinite[0] = true; /* every thread writes the same */
}

static void forward(mpno_op_call *call) {
    mpno_parallel(call->n_threads, call->batch, one_sample, call);
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    mpno_attr attr = node.attr;
    if (!wanted[0]) return MPNO_OK;
    attr.grid = graph->edges[node.in[0]].grid;
    attr.adjoint = !attr.adjoint;
    return mpno_graph_add_gradient(graph, &mpno_op_interpolate, 1, grad_out, &attr, node.in[0],
                                   &grad_in[0]);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_lines *lines = node->attr.lines;
    double longest = 0;
    for (int d = 0; d < lines->ndim; d++)
        if (lines->matrix[d] != NULL) longest += (double)lines->from[d];
    return (mpno_op_cost){2.0 * (double)batch * (1.0 + longest) * (double)largest(graph, node),
                          false};
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    (void)batch;
    return 2 * (size_t)n_threads * (size_t)largest(graph, node) * type_bytes;
}

/* sqrt(|A|_1 |A|_inf) of a matrix [rows][columns]. */
static double matrix_norm(const double *a, int64_t rows, int64_t columns) {
    double by_rows = 0, by_columns = 0;
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0;
        for (int64_t c = 0; c < columns; c++) sum += fabs(a[r * columns + c]);
        by_rows = fmax(by_rows, sum);
    }
    for (int64_t c = 0; c < columns; c++) {
        double sum = 0;
        for (int64_t r = 0; r < rows; r++) sum += fabs(a[r * columns + c]);
        by_columns = fmax(by_columns, sum);
    }
    return sqrt(by_rows * by_columns);
}

/* Statement B3, axis by axis: sigma <= sqrt(|A|_1 |A|_inf), of |A| as well. Sums are f64. What
 * underflows after an axis passes the others. */
static double bound(const mpno_bound_call *call) {
    const mpno_lines *lines = call->node->attr.lines;
    const mpno_grid *from = mpno_graph_grid(call->graph, call->node->in[0]),
                    *to = &call->graph->grids[call->node->attr.grid];
    double gain = sqrt((double)from->points / (double)to->points), terms = 0, most = 1;
    for (int d = 0; d < lines->ndim; d++) {
        if (lines->matrix[d] == NULL) continue;
        const double norm = matrix_norm(lines->matrix[d], lines->to[d], lines->from[d]);
        const int64_t n = call->node->attr.adjoint ? lines->to[d] : lines->from[d];
        gain *= norm;
        most *= fmax(1, norm) * sqrt((double)lines->from[d] + (double)lines->to[d]);
        terms += 1 + mpno_bound_wide(call, (double)n);
    }
    return gain * call->in[0].error + mpno_bound_rounding(call, terms, gain * call->in[0].norm) +
           most * mpno_bound_rounding(call, terms, 0);
}

const mpno_op mpno_op_interpolate = {
    .name = "interpolate",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch = scratch,
    .bound = bound,
};
