/* SPDX-License-Identifier: MIT
 * Savings, see savings.h. */
#include "certify/savings.h"

#include <math.h>

#include "certify/set/heart.h"
#include "certify/spectral_norm.h"
#include "certify/upwards.h"
#include "core/memory.h"

/* As many steps as for the norms that they are compared with (running.c). */
enum { STEPS = 4 };

typedef struct finder {
    const mpno_graph *graph;
    const mpno_model *model;
    const mpno_bound *weights;
    const mpno_kernels *kernels; /* of f64 */
} finder;

static const mpno_node *made_by(const finder *f, int edge, const mpno_op *op) {
    const int producer = f->graph->edges[edge].producer;
    return producer >= 0 && f->graph->nodes[producer].op == op ? &f->graph->nodes[producer] : NULL;
}

static const mpno_weight *weight_of(const finder *f, int edge) {
    return &f->graph->weights[f->graph->edges[edge].param];
}

static void load(const finder *f, int edge, double *to) {
    f->kernels->load(to, mpno_model_raw(f->model, f->graph->edges[edge].param).data,
                     mpno_model_arithmetic(f->model),
                     (int64_t)mpno_weight_count(weight_of(f, edge)));
}

/* -------- two linear maps with GELU between them -------- */

/* Statement B12: the slopes of GELU are 1/2 + d, |d| <= 0.629, so that sigma(B A) / 2 + 0.629
 * sigma(B) sigma(A) of the operand's error are passed on, where op by op 1.129 sigma(B) sigma(A)
 * are. */
static mpno_status between_linears(const finder *f, const mpno_node *outer, mpno_saving *saving) {
    const mpno_node *gelu = made_by(f, outer->in[0], &mpno_op_gelu);
    const mpno_node *inner = gelu != NULL ? made_by(f, gelu->in[0], &mpno_op_linear) : NULL;
    if (inner == NULL) return MPNO_OK;
    const mpno_weight *a = weight_of(f, inner->in[1]), *b = weight_of(f, outer->in[1]);
    const mpno_bound *of_a = &f->weights[inner->in[1]], *of_b = &f->weights[outer->in[1]];
    const size_t n = mpno_weight_count(a), m = mpno_weight_count(b);
    double *values, norm = INFINITY;
    MPNO_TRY(mpno_alloc_array(f->graph->ctx, n + m + (size_t)(b->rows * a->cols), sizeof *values,
                              &values));
    double *second = values + n, *product = second + m;
    load(f, inner->in[1], values);
    load(f, outer->in[1], second);
    f->kernels->gemm(b->rows, a->cols, a->rows, second, a->rows, values, a->cols, product, a->cols,
                     0);
    const mpno_status status =
        mpno_spectral_norm(f->graph->ctx, b->rows, a->cols, product, NULL, STEPS, &norm);
    mpno_free(f->graph->ctx, values);
    norm += (double)(a->rows + 2) * 0x1p-53 * of_a->frobenius * of_b->frobenius;
    *saving = (mpno_saving){fmax(0, 0.5 * (of_a->norm * of_b->norm - MPNO_ENLARGED * norm)),
                            inner->in[0]};
    return status;
}

/* -------- a spectral convolution and the linear skip beside it -------- */

/* The largest norm of W, and of W added to a block of R; w: [outputs][inputs]. */
static mpno_status norm_with_skip(const finder *f, int r_edge, int w_edge, double *norm) {
    const mpno_weight *r = weight_of(f, r_edge), *w = weight_of(f, w_edge);
    const size_t n = mpno_weight_count(r), m = mpno_weight_count(w);
    const int64_t plane = r->rows * r->cols;
    double *values;
    MPNO_TRY(mpno_alloc_array(f->graph->ctx, n + m, sizeof *values, &values));
    double *skip = values + n;
    load(f, r_edge, values);
    load(f, w_edge, skip);
    for (int64_t b = 0; b < r->blocks; b++)
        for (int64_t i = 0; i < r->rows; i++)
            for (int64_t o = 0; o < r->cols; o++)
                values[2 * b * plane + i * r->cols + o] += skip[o * r->rows + i];
    const mpno_matrices sums = {values, MPNO_F64, r->blocks, r->rows, r->cols, true};
    const mpno_status status = mpno_spectral_norms(f->graph->ctx, &sums, STEPS, NULL, norm);
    mpno_free(f->graph->ctx, values);
    /* the rounding of the sums */
    *norm += 0x1p-52 * (f->weights[r_edge].frobenius + f->weights[w_edge].frobenius);
    *norm = fmax(*norm, f->weights[w_edge].norm);
    return status;
}

/* Statement B13: of real fields the sum of both is block diagonal in frequencies: W + R_k where
 * modes are kept, the mean of it and of conj(W + R_-k) (or of W) where the last frequency is 0 or
 * N/2, else W. */
static mpno_status beside_convolution(const finder *f, const mpno_node *sum, mpno_saving *saving) {
    mpno_set_heart heart;
    if (!mpno_set_find_heart(f->graph, sum, &heart) || heart.low < 1 || heart.skip < 0)
        return MPNO_OK;
    const mpno_node *skip = &f->graph->nodes[heart.skip];
    const int r = f->graph->nodes[heart.contract].in[1], w = skip->in[1];
    if (skip->op != &mpno_op_linear || f->graph->edges[r].kind != MPNO_EDGE_PARAM) return MPNO_OK;
    double norm;
    MPNO_TRY(norm_with_skip(f, r, w, &norm));
    const double apart = f->weights[r].norm + f->weights[w].norm;
    *saving = (mpno_saving){fmax(0, apart - MPNO_ENLARGED * norm), heart.x};
    return MPNO_OK;
}

mpno_status mpno_savings_find(const mpno_graph *graph, const mpno_model *model,
                              const mpno_bound *weights, mpno_saving *savings) {
    const finder f = {graph, model, weights, mpno_kernels_get(graph->ctx->isa, MPNO_F64)};
    for (int n = 0; n < graph->n_nodes; n++) {
        const mpno_node *node = &graph->nodes[n];
        savings[n] = (mpno_saving){0, -1};
        if (node->op == &mpno_op_linear) MPNO_TRY(between_linears(&f, node, &savings[n]));
        if (node->op == &mpno_op_add) MPNO_TRY(beside_convolution(&f, node, &savings[n]));
    }
    return MPNO_OK;
}

mpno_status mpno_savings_of_linears(const mpno_graph *graph, const mpno_model *model,
                                    const mpno_bound *weights, const mpno_node *node,
                                    mpno_saving *saving) {
    const finder f = {graph, model, weights, mpno_kernels_get(graph->ctx->isa, MPNO_F64)};
    *saving = (mpno_saving){0, -1};
    return node->op == &mpno_op_linear ? between_linears(&f, node, saving) : MPNO_OK;
}
