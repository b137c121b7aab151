/* SPDX-License-Identifier: MIT
 * Weights as a network reads them: of its arithmetic format, or a copy rounded to the format that
 * the policy names; and those that a graph makes from factors, in f64 with a bound on how far the
 * network's own are from that (S7). */
#include <math.h>

#include "certify/range/range.h"
#include "core/memory.h"
#include "kernel/kernel.h"
#include "number/format.h"

mpno_storage mpno_range_copy(const mpno_range_walk *w, const mpno_node *node, int param) {
    mpno_storage s = mpno_policy_storage(&w->policy, w->graph->weights[param].role, false,
                                         w->graph->layers[node->layer]);
    s.format = mpno_range_format(w, s.format);
    return s;
}

/* Largest magnitude of the whole weight, which scales depend on. */
static double largest(const mpno_range_walk *w, int param) {
    const mpno_range_weight *from = &w->weights[param];
    const size_t n = mpno_weight_count(&w->graph->weights[param]),
                 bytes = mpno_format_bytes(from->format);
    double most = 0, x;
    for (size_t i = 0; i < n; i++) {
        mpno_cast(&x, MPNO_F64, (const char *)from->data + i * bytes, from->format, 1);
        most = fmax(most, fabs(x));
    }
    return most;
}

/* Numbers first .. of a parameter as the node reads them; scales are those of its own values, so
 * that none saturates. *off: how far each may be off, as a share of it and at least. */
static void read_numbers(const mpno_range_walk *w, const mpno_node *node, int param, size_t first,
                         size_t n, double *values, mpno_range_rounding *off) {
    const mpno_range_weight *from = &w->weights[param];
    const mpno_storage s = mpno_range_copy(w, node, param);
    *off = (mpno_range_rounding){0, 0, false};
    mpno_cast(values, MPNO_F64, (const char *)from->data + first * mpno_format_bytes(from->format),
              from->format, n);
    if (s.format == w->policy.base) return;
    if (s.rounding == MPNO_ROUND_NEAREST_EVEN && s.scaling == MPNO_SCALING_NONE) {
        for (size_t i = 0; i < n; i++) values[i] = mpno_format_round(values[i], s.format);
        return;
    }
    *off = mpno_range_format_rounding(s.format, s.rounding, s.scaling,
                                      s.scaling == MPNO_SCALING_NONE ? 0 : largest(w, param));
}

void mpno_range_block(const mpno_range_walk *w, const mpno_node *node, int i, int64_t block,
                      double *values, double *slack) {
    const mpno_edge *e = &w->graph->edges[node->in[i]];
    const mpno_weight *weight = &w->graph->weights[e->param];
    const size_t one = (size_t)(weight->rows * weight->cols),
                 count = (weight->is_complex ? 2 : 1) * one, first = (size_t)block * count;
    if (e->kind == MPNO_EDGE_BLOCKS) {
        const mpno_range *r = &w->edges[node->in[i]];
        for (size_t k = 0; k < count; k++) values[k] = r->values[first + k];
        for (size_t k = 0; k < one; k++) slack[k] = r->slack[(size_t)block * one + k];
        return;
    }
    mpno_range_rounding off;
    const bool known = e->param < w->n_weights && w->weights[e->param].data != NULL;
    if (known) read_numbers(w, node, e->param, first, count, values, &off);
    for (size_t k = 0; k < one; k++) {
        const double m = !known               ? INFINITY
                         : weight->is_complex ? hypot(values[k], values[one + k])
                                              : fabs(values[k]);
        slack[k] = known ? off.u * m + sqrt(2) * off.eta : INFINITY;
    }
    for (size_t k = 0; !known && k < count; k++) values[k] = 0;
}

mpno_status mpno_range_values(const mpno_range_walk *w, const mpno_node *node, int i,
                              double **values, double **slack) {
    const mpno_weight *weight = &w->graph->weights[w->graph->edges[node->in[i]].param];
    const size_t one = (size_t)(weight->rows * weight->cols), n = (size_t)weight->blocks * one;
    MPNO_TRY(mpno_alloc_array(w->ctx, 2 * n, sizeof(double), values));
    for (int64_t b = 0; b < weight->blocks; b++)
        mpno_range_block(w, node, i, b, *values + (size_t)b * one, *values + n + (size_t)b * one);
    if (slack != NULL) *slack = *values + n;
    return MPNO_OK;
}

mpno_status mpno_range_magnitudes(const mpno_range_walk *w, const mpno_node *node, int i,
                                  double **out) {
    const size_t n = mpno_weight_count(&w->graph->weights[w->graph->edges[node->in[i]].param]);
    double *slack;
    MPNO_TRY(mpno_range_values(w, node, i, out, &slack));
    for (size_t k = 0; k < n; k++) (*out)[k] = fabs((*out)[k]) + slack[k];
    return MPNO_OK;
}

double mpno_range_copy_most(const mpno_range_walk *w, const mpno_node *node, int param) {
    const mpno_storage s = mpno_range_copy(w, node, param);
    if (s.format == w->policy.base || param >= w->n_weights || w->weights[param].data == NULL)
        return 0;
    const double most = largest(w, param);
    if (s.scaling == MPNO_SCALING_NONE && s.rounding == MPNO_ROUND_NEAREST_EVEN) {
        const double rounded = mpno_format_round(most, s.format);
        return rounded < INFINITY ? fmax(most, rounded) : INFINITY;
    }
    const mpno_range_rounding r = mpno_range_format_rounding(s.format, s.rounding, s.scaling, most);
    return most + r.u * most + r.eta;
}

/* ---- rebuild ---- */

/* Factor i in f64; magnitude: |.| of each complex number in place of it. */
static mpno_status factor(const mpno_range_walk *w, const mpno_node *node, int i, bool magnitude,
                          double **out) {
    const int param = w->graph->edges[node->in[i]].param;
    const mpno_weight *weight = &w->graph->weights[param];
    const size_t n = mpno_weight_count(weight), plane = n / 2;
    mpno_range_rounding off;
    MPNO_TRY(mpno_alloc_array(w->ctx, n, sizeof(double), out));
    read_numbers(w, node, param, 0, n, *out, &off);
    for (size_t k = 0; magnitude && k < plane; k++) {
        (*out)[k] = hypot((*out)[k], (*out)[plane + k]);
        (*out)[plane + k] = 0;
    }
    return MPNO_OK;
}

static mpno_status contract(const mpno_range_walk *w, const mpno_node *node, bool magnitude,
                            double *result) {
    const mpno_contraction *c = node->attr.contraction;
    double *factors[MPNO_OP_MAX_IN] = {NULL};
    void *scratch = NULL;
    const void *operands[MPNO_OP_MAX_IN];
    mpno_status status = MPNO_OK;
    for (int i = 0; status == MPNO_OK && i < node->n_in; i++) {
        status = factor(w, node, i, magnitude, &factors[i]);
        operands[i] = factors[i];
    }
    if (status == MPNO_OK)
        status = mpno_alloc(w->ctx, mpno_contraction_scratch(c, sizeof(double), false), &scratch);
    if (status == MPNO_OK) {
        const mpno_contract_run run = {.kernels = mpno_kernels_get(w->ctx->isa, MPNO_F64),
                                       .fields = mpno_field_kernels_get(MPNO_F64),
                                       .n_threads = w->ctx->n_threads,
                                       .scratch = scratch};
        mpno_contraction_run(c, &run, operands, result);
    }
    for (int i = 0; i < node->n_in; i++) mpno_free(w->ctx, factors[i]);
    mpno_free(w->ctx, scratch);
    return status;
}

static bool known(const mpno_range_walk *w, const mpno_node *node) {
    bool all = true;
    for (int i = 0; i < node->n_in; i++) {
        const int param = w->graph->edges[node->in[i]].param;
        all = all && param < w->n_weights && w->weights[param].data != NULL &&
              w->graph->weights[param].blocks == 1 && w->graph->weights[param].is_complex &&
              mpno_range_copy(w, node, param).format == w->policy.base;
    }
    return all;
}

/* The network's own weight is at most cost.error u of the sum of the magnitudes of all products off
 * (in each part; path.h), here in f64 as well, then rounded once. */
mpno_status mpno_range_rebuild(mpno_range_walk *w, const mpno_node *node) {
    const mpno_contraction *c = node->attr.contraction;
    const mpno_weight *weight = &w->graph->weights[node->attr.weight];
    mpno_range *y = mpno_range_out(w, node);
    const size_t one = (size_t)(weight->rows * weight->cols), n = mpno_weight_count(weight);
    const double error = 2 * mpno_contract_cost_of(&c->problem, &c->path).error *
                         (mpno_range_unit(w) + mpno_format_unit(MPNO_F64));
    const mpno_format format = mpno_range_format(w, mpno_exec_format(w->exec, node->out[0]));
    double *sums;
    if (!known(w, node)) return MPNO_OK;
    MPNO_TRY(contract(w, node, false, y->values));
    MPNO_TRY(mpno_alloc_array(w->ctx, n, sizeof(double), &sums));
    const mpno_status status = contract(w, node, true, sums);
    const mpno_range_rounding r =
        format == w->policy.base
            ? (mpno_range_rounding){0, 0, false}
            : mpno_range_format_rounding(format, MPNO_ROUND_NEAREST_EVEN, MPNO_SCALING_NONE, 0);
    y->most[0] = status == MPNO_OK ? 0 : INFINITY;
    for (size_t k = 0; status == MPNO_OK && k < n / 2; k++) {
        const size_t at = k / one * 2 * one + k % one;
        const double m = hypot(y->values[at], y->values[at + one]), off = error * sums[at];
        y->slack[k] = off + r.u * (m + off) + sqrt(2) * r.eta;
        const double part = fmax(fabs(y->values[at]), fabs(y->values[at + one])) + y->slack[k];
        y->most[0] = part <= y->most[0] ? y->most[0] : part;
    }
    mpno_free(w->ctx, sums);
    return status;
}
