/* SPDX-License-Identifier: MIT
 * Finds the heart of a block in a graph, K f(x) + W x, and its Lipschitz constant (L4, L5). */
#include <math.h>

#include "certify/set/block.h"
#include "certify/set/walk.h"
#include "core/memory.h"
#include "kernel/kernel.h"

static const mpno_node *producer(const mpno_graph *g, int edge) {
    const int node = edge < 0 ? -1 : g->edges[edge].producer;
    return node < 0 ? NULL : &g->nodes[node];
}

/* Takes the producer of *edge if it is `op`, and goes to its operand. */
static const mpno_node *step(const mpno_graph *g, const mpno_op *op, int *edge, mpno_set_heart *h) {
    const mpno_node *node = producer(g, *edge);
    const int most = (int)(sizeof h->nodes / sizeof *h->nodes);
    if (node == NULL || node->op != op || node->attr.adjoint || h->n_nodes == most) return NULL;
    h->nodes[h->n_nodes++] = (int)(node - g->nodes);
    *edge = node->in[0];
    return node;
}

static bool alike(const mpno_attr *forward, const mpno_attr *inverse) {
    const mpno_fft_problem *a = mpno_fft_get_problem(forward->fft),
                           *b = mpno_fft_get_problem(inverse->fft);
    bool same = a->kind == MPNO_FFT_REAL && b->kind == MPNO_FFT_REAL && a->ndim == b->ndim &&
                inverse->weighting == MPNO_FFT_HERMITIAN && inverse->scale == 1 &&
                forward->weighting == MPNO_FFT_PLAIN &&
                forward->scale == 1.0 / (double)mpno_fft_points(forward->fft);
    for (int d = 0; same && d < a->ndim; d++)
        same = a->size[d] == b->size[d] && a->keep[d] == b->keep[d];
    return same;
}

/* From the field that K made back to x; all slopes of the functions before it lie in 0 .. 1. */
static bool spectral_path(const mpno_graph *g, int edge, mpno_set_heart *h) {
    const mpno_node *inverse, *forward;
    *h = (mpno_set_heart){.low = 1};
    while (step(g, &mpno_op_bias, &edge, h) != NULL || step(g, &mpno_op_line_inverse, &edge, h))
        continue;
    inverse = step(g, &mpno_op_fft_inverse, &edge, h);
    if (inverse == NULL) inverse = step(g, &mpno_op_columns_inverse, &edge, h);
    if (inverse == NULL || step(g, &mpno_op_contract, &edge, h) == NULL) return false;
    h->contract = h->nodes[h->n_nodes - 1];
    forward = step(g, &mpno_op_fft_forward, &edge, h);
    if (forward == NULL) {
        forward = step(g, &mpno_op_columns_forward, &edge, h);
        if (forward == NULL || step(g, &mpno_op_line_forward, &edge, h) == NULL) return false;
    }
    if (!alike(&forward->attr, &inverse->attr)) return false;
    h->fft = forward->attr.fft;
    step(g, &mpno_op_stage, &edge, h);
    if (step(g, &mpno_op_tanh, &edge, h) != NULL || step(g, &mpno_op_squash, &edge, h) != NULL ||
        step(g, &mpno_op_learned_tanh, &edge, h) != NULL)
        h->low = 0;
    h->x = edge;
    return true;
}

static bool skip_path(const mpno_graph *g, int edge, mpno_set_heart *h) {
    const mpno_node *node = producer(g, edge);
    h->skip = -1;
    if (edge == h->x) return true;
    if (node == NULL || (node->op != &mpno_op_linear && node->op != &mpno_op_gate)) return false;
    h->skip = (int)(node - g->nodes);
    return node->in[0] == h->x;
}

bool mpno_set_find_heart(const mpno_graph *g, const mpno_node *node, mpno_set_heart *heart) {
    if (node->op != &mpno_op_add) return false;
    for (int i = 0; i < 2; i++)
        if (spectral_path(g, node->in[i], heart) && skip_path(g, node->in[1 - i], heart))
            return true;
    return false;
}

/* W of the skip, dense: [outputs][inputs]. */
static void fill_skip(const mpno_set_walk *s, const mpno_set_heart *h, int64_t n, double *matrix) {
    const mpno_node *node = h->skip < 0 ? NULL : &s->graph->nodes[h->skip];
    const bool dense = node != NULL && node->op == &mpno_op_linear;
    const void *data =
        node == NULL ? NULL : s->model->params[s->graph->edges[node->in[1]].param].data;
    const mpno_kernels *kernels = mpno_kernels_get(s->ctx->isa, MPNO_F64);
    double one = 1;
    if (dense) {
        kernels->load(matrix, data, s->model->arithmetic, n * n);
        return;
    }
    for (int64_t i = 0; i < n * n; i++) matrix[i] = 0;
    for (int64_t i = 0; i < n; i++) {
        if (data != NULL)
            kernels->load(&one,
                          (const char *)data +
                              (size_t)i * mpno_format_bytes(s->model->arithmetic),
                          s->model->arithmetic, 1);
        matrix[i * n + i] = one;
    }
}

mpno_status mpno_set_heart_slope(const mpno_set_walk *s, const mpno_set_heart *h, double *slope) {
    const mpno_node *contract = &s->graph->nodes[h->contract];
    const int edge = contract->in[1];
    const mpno_weight *w = &s->graph->weights[s->graph->edges[edge].param];
    const size_t count = mpno_weight_count(w);
    const bool made = s->graph->edges[edge].kind == MPNO_EDGE_BLOCKS;
    mpno_set_block block = {.fft = h->fft,
                            .inputs = w->rows,
                            .outputs = w->cols,
                            .mode_rows = contract->attr.mode_rows,
                            .low = h->low,
                            .high = 1};
    double *room, *values = s->ranges.edges[edge].values;
    *slope = INFINITY;
    if (w->rows != w->cols || !w->is_complex) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(s->ctx, count + (size_t)(w->rows * w->rows), sizeof *room, &room));
    if (!made) {
        mpno_kernels_get(s->ctx->isa, MPNO_F64)
            ->load(room, s->model->params[s->graph->edges[edge].param].data, s->model->arithmetic,
                   (int64_t)count);
        values = room;
    }
    fill_skip(s, h, w->rows, room + count);
    block.blocks = values, block.skip = room + count;
    const mpno_status status = mpno_set_block_slope(s->ctx, &block, slope);
    mpno_free(s->ctx, room);
    /* the exact weight is within slack of what was made: of each block its 2-norm at most */
    if (made) *slope += mpno_set_slack(w, s->ranges.edges[edge].slack);
    return status;
}
