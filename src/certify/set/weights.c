/* SPDX-License-Identifier: MIT
 * Norms of weights over their blocks, and of what a copy in a narrow format or a weight made from
 * factors is off by (L2). Where the difference is known it is measured rather than bounded by the
 * unit of the format. */
#include <math.h>

#include "certify/set/walk.h"
#include "certify/spectral_norm.h"
#include "certify/upwards.h"
#include "core/memory.h"
#include "kernel/kernel.h"

enum { GRAM_STEPS = 5 };

/* values [blocks][parts][rows][cols] */
static mpno_status norms_of(mpno_ctx *ctx, const mpno_weight *w, const double *values,
                            mpno_bound *out) {
    const mpno_matrices matrices = {values, MPNO_F64, w->blocks, w->rows, w->cols, w->is_complex};
    return mpno_block_norms(ctx, &matrices, GRAM_STEPS, out);
}

double mpno_set_slack(const mpno_weight *w, const double *slack) {
    const int64_t plane = w->rows * w->cols;
    double most = 0;
    for (int64_t k = 0; k < w->blocks; k++) {
        double sum = 0;
        for (int64_t i = 0; i < plane; i++) sum += slack[k * plane + i] * slack[k * plane + i];
        most = fmax(most, sqrt(sum));
    }
    return MPNO_ENLARGED * most;
}

/* Of the copy that the node reads: norm of copy - master. values: the master, overwritten. */
static mpno_status measure_copy(mpno_set_walk *s, const mpno_node *node, int i, double *values) {
    const int edge = node->in[i], param = s->graph->edges[edge].param;
    const mpno_weight *w = &s->graph->weights[param];
    const size_t plane = (size_t)(w->rows * w->cols), one = plane * (w->is_complex ? 2 : 1);
    mpno_bound *b = &s->edges[edge], off;
    double *copy, *slack = NULL;
    if (mpno_range_copy(&s->ranges, node, param).format == s->ranges.policy.base) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(s->ctx, one, sizeof *copy, &copy));
    mpno_status status =
        mpno_alloc_array(s->ctx, (size_t)w->blocks * plane, sizeof *slack, &slack);
    for (int64_t k = 0; status == MPNO_OK && k < w->blocks; k++) {
        double *master = values + (size_t)k * one;
        mpno_range_block(&s->ranges, node, i, k, copy, slack + (size_t)k * plane);
        for (size_t j = 0; j < one; j++) master[j] = copy[j] - master[j];
    }
    if (status == MPNO_OK) status = norms_of(s->ctx, w, values, &off);
    if (status == MPNO_OK) {
        const double more = mpno_set_slack(w, slack);
        b->error = off.norm + more;
        b->frobenius += off.frobenius + more;
        if (!(mpno_range_copy_most(&s->ranges, node, param) < INFINITY)) b->error = INFINITY;
    }
    mpno_free(s->ctx, slack);
    mpno_free(s->ctx, copy);
    return status;
}

static mpno_status measure_param(mpno_set_walk *s, const mpno_node *node, int i) {
    const int param = s->graph->edges[node->in[i]].param;
    const mpno_weight *w = &s->graph->weights[param];
    const size_t count = mpno_weight_count(w);
    double *values;
    MPNO_TRY(mpno_alloc_array(s->ctx, count, sizeof *values, &values));
    mpno_kernels_get(s->ctx->isa, MPNO_F64)
        ->load(values, s->model->params[param].data, s->model->arithmetic, (int64_t)count);
    mpno_status status = norms_of(s->ctx, w, values, &s->edges[node->in[i]]);
    if (status == MPNO_OK) status = measure_copy(s, node, i, values);
    mpno_free(s->ctx, values);
    return status;
}

/* The exact weight lies within the slack of what was made of the factors in f64, and so does the
 * stored one. */
static mpno_status measure_blocks(mpno_set_walk *s, int edge) {
    const mpno_weight *w = &s->graph->weights[s->graph->edges[edge].param];
    const mpno_range *r = &s->ranges.edges[edge];
    mpno_bound *b = &s->edges[edge];
    MPNO_TRY(norms_of(s->ctx, w, r->values, b));
    const double slack = mpno_set_slack(w, r->slack);
    b->norm += slack, b->frobenius += slack, b->most += slack;
    b->error = slack;
    return MPNO_OK;
}

mpno_status mpno_set_measure(mpno_set_walk *s, const mpno_node *node, int i) {
    const int edge = node->in[i];
    if (edge < 0 || s->edges[edge].frobenius > 0) return MPNO_OK;
    if (s->graph->edges[edge].kind == MPNO_EDGE_PARAM) return measure_param(s, node, i);
    if (s->graph->edges[edge].kind == MPNO_EDGE_BLOCKS) return measure_blocks(s, edge);
    return MPNO_OK;
}
