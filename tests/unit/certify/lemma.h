/* SPDX-License-Identifier: MIT
 * One op on tiny operands, in f32 and in f64, and the bound of graph/bound.h between the two: for
 * the tests of docs/theory/certificates.md. The f64 run stands for exact arithmetic; its own error
 * is bounded by the same face with the u of f64. Norms are computed here by their definition.
 * Functions assert rather than return a status. */
#ifndef TESTS_UNIT_CERTIFY_LEMMA_H
#define TESTS_UNIT_CERTIFY_LEMMA_H

#include <math.h>

#include "certify/spectral_norm.h"
#include "number/format.h"
#include "unit/graph/rig.h"

/* Letters of rig_operand; and, of the operand before: M its moments, R running moments of it. */
typedef struct lemma {
    const mpno_op *op;
    const char *operands;
    const char *off;             /* '1' at operands that may be off, NULL: the first */
    int variants;                /* 0 as 1 */
    void (*vary)(rig *, int);    /* of a rig, before its operands are made */
    int64_t rank;                /* of factorised weights */
    bool is_complex;
    bool rare;  /* takes long: fewer trials */
    bool alone; /* only one number of each operand */
} lemma;

typedef struct lemma_run {
    const lemma *of;
    rig low, high;
    int in[8], out, n_in;
    int made[8]; /* bit per operand that a node of the rig makes */
    bool off[8];
    double *y_low, *y_high, *sums_low[8], *sums_high[8];
    double in_norm[8]; /* of weights, as long as they stay the same */
    mpno_bound weights[8];
    bool fresh[8];
} lemma_run;

typedef struct lemma_result {
    double error, bound, exact; /* of the f32 run; the bound of the f64 run */
} lemma_result;

/* The last one comes in parts of a line. */
static const struct {
    int ndim;
    int64_t size[3];
} lemma_grids[] = {{1, {1}}, {1, {2}}, {1, {9}}, {2, {5, 4}}, {2, {4, 7}}, {3, {2, 3, 4}}, {1, {300}}};
enum { LEMMA_GRIDS = sizeof lemma_grids / sizeof lemma_grids[0] };

/* -------- norms -------- */

/* w of a number of a spectrum or of columns. Modes that were taken twice weigh 2 (the worst). */
static inline double lemma_weight(const rig *r, const mpno_node *node, int edge, int64_t at) {
    const mpno_edge *e = &r->graph->edges[edge];
    const mpno_fft_problem *p = mpno_fft_get_problem(r->fft);
    const int64_t keep = p->keep[p->ndim - 1];
    const int64_t k = e->kind == MPNO_EDGE_COLUMNS ? at / e->channels % keep
                                                   : at / (2 * e->channels) % keep;
    if (p->kind == MPNO_FFT_COMPLEX) return 1;
    if (node->op == &mpno_op_take_modes && edge == node->out[0]) return 2;
    return k > 0 ? 2 : 1;
}

static inline double lemma_norm(const rig *r, const mpno_node *node, int edge, const double *v) {
    const mpno_edge *e = &r->graph->edges[edge];
    const mpno_grid *grid = &r->graph->grids[e->grid];
    const int64_t n = (int64_t)rig_count(r, edge);
    const bool modes = e->kind == MPNO_EDGE_SPECTRUM || e->kind == MPNO_EDGE_COLUMNS;
    double sum = 0, most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(v[i]));
    if (most == 0) return 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = v[i] / most;
        sum += x * x * (modes ? lemma_weight(r, node, edge, i) : 1);
    }
    if (e->kind == MPNO_EDGE_FIELD) sum /= (double)grid->points;
    if (e->kind == MPNO_EDGE_COLUMNS) sum /= (double)(grid->points / grid->size[grid->ndim - 1]);
    return most * sqrt(sum);
}

/* Largest norms of the blocks of a weight; of an error only `frobenius` is asked. */
static inline mpno_bound lemma_blocks(const rig *r, int edge, const double *v, bool spectral) {
    const mpno_weight *w = &r->graph->weights[r->graph->edges[edge].param];
    const int64_t plane = w->rows * w->cols, parts = w->is_complex ? 2 : 1;
    const mpno_matrices matrices = {v, MPNO_F64, w->blocks, w->rows, w->cols, w->is_complex};
    mpno_bound b = {0};
    for (int64_t k = 0; k < w->blocks; k++) {
        const double *re = v + k * plane * parts;
        double most = 0, sum = 0;
        for (int64_t i = 0; i < parts * plane; i++) most = fmax(most, fabs(re[i]));
        for (int64_t i = 0; most > 0 && i < parts * plane; i++)
            sum += re[i] / most * (re[i] / most);
        b.frobenius = fmax(b.frobenius, most * sqrt(sum));
        for (int64_t i = 0; i < plane; i++)
            b.most = fmax(b.most, w->is_complex ? hypot(re[i], re[plane + i]) : fabs(re[i]));
    }
    b.norm = b.frobenius;
    if (spectral && w->rows > 1 && w->cols > 1)
        assert_int_equal(mpno_spectral_norms(r->ctx, &matrices, 9, NULL, &b.norm), MPNO_OK);
    return b;
}

/* -------- making -------- */

static inline int lemma_operands(rig *r, const lemma *l, int *in, int *made) {
    int n = 0;
    for (; l->operands[n] != 0; n++) {
        const bool columns = n > 0 && r->graph->edges[in[0]].kind == MPNO_EDGE_COLUMNS;
        made[n] = true;
        if (l->operands[n] == 'M') {
            in[n] = rig_unary(r, columns ? &mpno_op_columns_moments : &mpno_op_moments, in[0]);
        } else if (l->operands[n] == 'R') {
            const int of[] = {in[0], rig_operand(r, 'u'), rig_operand(r, 'u')};
            for (size_t i = 0; i < rig_count(r, of[2]); i++)
                r->data[of[2]][i] = (double)(float)(0.3 + r->data[of[2]][i] * r->data[of[2]][i]);
            for (size_t i = 0; i < rig_count(r, of[1]); i++)
                r->data[of[1]][i] = (double)(float)r->data[of[1]][i];
            in[n] = rig_add(r, &mpno_op_running_moments, 3, of);
        } else if (l->operands[n] == '-') {
            in[n] = -1;
        } else {
            in[n] = rig_operand(r, l->operands[n]);
            made[n] = false;
        }
    }
    return n;
}

static inline void lemma_rig(rig *r, mpno_ctx *ctx, const lemma *l, int variant, int grid,
                             mpno_fft_weighting weighting, mpno_format arithmetic, int *in,
                             int *made, int *out) {
    const rig_kind as = {arithmetic, l->is_complex, l->rank};
    mpno_policy policy;
    int wanted[9], n_wanted = 0;
    rig_create_as(r, ctx, as, lemma_grids[grid].ndim, lemma_grids[grid].size, weighting);
    r->batch = 1;
    if (l->vary != NULL) l->vary(r, variant);
    const int n = lemma_operands(r, l, in, made);
    *out = rig_add(r, l->op, n, in);
    wanted[n_wanted++] = *out;
    for (int i = 0; i < n; i++)
        if (made[i] && in[i] >= 0) wanted[n_wanted++] = in[i];
    assert_int_equal(mpno_policy_make(ctx, "full", arithmetic, MPNO_F16, &policy), MPNO_OK);
    rig_finish(r, &policy, wanted, n_wanted);
}

static inline double *lemma_room(const rig *r, int edge) {
    double *room = calloc(rig_count(r, edge), sizeof *room);
    assert_non_null(room);
    return room;
}

static inline void lemma_open(lemma_run *run, mpno_ctx *ctx, const lemma *l, int variant, int grid,
                              mpno_fft_weighting weighting) {
    int in[8], made[8], out;
    *run = (lemma_run){.of = l, .n_in = (int)strlen(l->operands)};
    lemma_rig(&run->low, ctx, l, variant, grid, weighting, MPNO_F32, run->in, run->made,
              &run->out);
    lemma_rig(&run->high, ctx, l, variant, grid, weighting, MPNO_F64, in, made, &out);
    assert_int_equal(out, run->out);
    run->y_low = lemma_room(&run->low, out), run->y_high = lemma_room(&run->low, out);
    for (int i = 0; i < run->n_in; i++) {
        run->off[i] = l->off != NULL ? l->off[i] == '1' : i == 0;
        if (run->in[i] < 0 || !run->made[i]) continue;
        run->sums_low[i] = lemma_room(&run->low, in[i]);
        run->sums_high[i] = lemma_room(&run->low, in[i]);
    }
    for (int e = 0; e < run->low.graph->n_edges; e++)
        for (size_t i = 0; run->low.data[e] != NULL && i < rig_count(&run->low, e); i++)
            run->high.data[e][i] = run->low.data[e][i] = (double)(float)run->low.data[e][i];
}

static inline void lemma_close(lemma_run *run) {
    free(run->y_low), free(run->y_high);
    for (int i = 0; i < 8; i++) free(run->sums_low[i]), free(run->sums_high[i]);
    rig_destroy(&run->low), rig_destroy(&run->high);
}

/* -------- error and bound -------- */

static inline bool lemma_is_weight(const lemma_run *run, int i) {
    return run->low.graph->edges[run->in[i]].kind == MPNO_EDGE_PARAM;
}

/* What is known of an operand of r; its error is how far it is from `exact`. */
static inline mpno_bound lemma_operand(lemma_run *run, const rig *r, int i, const double *exact) {
    const mpno_node *node = &r->graph->nodes[r->graph->edges[run->out].producer];
    const int edge = run->in[i];
    const double *v = run->made[i] ? NULL : r->data[edge];
    const size_t n = rig_count(r, edge);
    mpno_bound b = {0};
    if (v == NULL) return b;
    if (lemma_is_weight(run, i)) {
        if (!run->fresh[i]) run->weights[i] = lemma_blocks(r, edge, v, true);
        run->fresh[i] = true;
        b = run->weights[i];
    } else {
        b.norm = lemma_norm(r, node, edge, v);
        for (size_t k = 0; k < n; k++) b.most = fmax(b.most, fabs(v[k]));
    }
    if (exact == NULL || !run->off[i]) return b;
    double *difference = lemma_room(r, edge);
    for (size_t k = 0; k < n; k++) difference[k] = v[k] - exact[k];
    b.error = lemma_is_weight(run, i) ? lemma_blocks(r, edge, difference, false).frobenius
                                      : lemma_norm(r, node, edge, difference);
    b.error *= 1 + 1e-12;
    free(difference);
    return b;
}

static inline double lemma_bound(lemma_run *run, const rig *r, const double *y,
                                 double *const *sums, bool off) {
    const mpno_format format = r->as.arithmetic;
    mpno_bound_call call = {.graph = r->graph,
                            .node = &r->graph->nodes[r->graph->edges[run->out].producer],
                            .arithmetic = format,
                            .unit = mpno_format_unit(format),
                            .captured = -1,
                            .eta = format == MPNO_F32 ? 0x1p-150 : 0x1p-1074};
    const size_t n = rig_count(r, run->out);
    for (int i = 0; i < run->n_in; i++) {
        const int edge = run->in[i];
        if (edge < 0) continue;
        call.in[i] = lemma_operand(run, r, i, off ? run->high.data[edge] : NULL);
        if (run->made[i]) {
            call.values[i] = sums[i];
        } else if (r->graph->edges[edge].kind == MPNO_EDGE_SUMS) {
            call.values[i] = r->data[edge];
        } else if (lemma_is_weight(run, i)) {
            const mpno_weight *w = &r->graph->weights[r->graph->edges[edge].param];
            if (w->blocks == 1 && w->rows == 1 && !w->is_complex) call.values[i] = r->data[edge];
        }
    }
    if (r->graph->edges[run->out].kind != MPNO_EDGE_BLOCKS) {
        call.out.norm = lemma_norm(r, call.node, run->out, y);
        for (size_t k = 0; k < n; k++) call.out.most = fmax(call.out.most, fabs(y[k]));
    }
    return (1 + 1e-9) * call.node->op->bound(&call);
}

/* Runs both. Operands of `low` are numbers of f32, those of `high` what they should have been. */
static inline lemma_result lemma_evaluate(lemma_run *run) {
    const rig *low = &run->low, *high = &run->high;
    const mpno_node *node = &low->graph->nodes[low->graph->edges[run->out].producer];
    lemma_result result = {0};
    if (!rig_run(&run->low) || !rig_run(&run->high)) return (lemma_result){NAN, NAN, NAN};
    rig_read(low, run->out, run->y_low), rig_read(high, run->out, run->y_high);
    for (int i = 0; i < run->n_in; i++) {
        if (run->sums_low[i] == NULL) continue;
        rig_read(low, run->in[i], run->sums_low[i]), rig_read(high, run->in[i], run->sums_high[i]);
    }
    result.bound = lemma_bound(run, low, run->y_low, run->sums_low, true);
    result.exact = 2 * lemma_bound(run, high, run->y_high, run->sums_high, false);
    for (size_t k = 0; k < rig_count(low, run->out); k++) run->y_high[k] -= run->y_low[k];
    result.error = low->graph->edges[run->out].kind == MPNO_EDGE_BLOCKS
                       ? lemma_blocks(low, run->out, run->y_high, false).frobenius
                       : lemma_norm(low, node, run->out, run->y_high);
    return result;
}

#endif
