/* SPDX-License-Identifier: MIT
 * Statements S1, S2 and S7 of docs/theory/static.md written a second time: chains of contractions
 * by dense matrices in the complex plane, copies of weights and weights made from factors, what
 * storing adds, and what is known of a range without a rule. On random networks and policies; rules
 * of single operations stand in test_range_formulas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <complex.h>
#include <math.h>
#include <stdio.h>

#include "certify/range/chain.h"
#include "certify/range/range.h"
#include "certify/static.h"
#include "core/memory.h"
#include "kernel/kernel.h"
#include "model/network.h"
#include "number/format.h"
#include "support/quad_case.h"
#include "unit/model/support.h"

enum { CASES = 300, MOST_LINKS = 16 };
static mpno_rng rng;
static mpno_ctx *ctx;
static int met[10];
enum { CONTRACT, SCALE_MODES, LOW_RANK, TAKE_MODES, PAIRS, REBUILD, COPIES, SCALED, WIDE, OPEN };

#define assert_near(a, b)                                                         \
    do {                                                                          \
        const double a_ = (a), b_ = (b);                                          \
        if (!(a_ == b_ || (isfinite(b_) && fabs(a_ - b_) <= 1e-11 * fabs(b_)) ||  \
              (!isfinite(a_) && !isfinite(b_))))                                  \
            fail_msg("line %d: %s is %.15g, %s %.15g", __LINE__, #a, a_, #b, b_); \
    } while (0)

static double greater(double a, double b) {
    return a > b ? a : b;
}

static double uniform(double low, double high) {
    return low + (high - low) * mpno_rng_uniform(&rng);
}

/* -------- one number -------- */

static void roundings(void **state) {
    (void)state;
    static const struct {
        mpno_format format;
        double u, eta, most;
    } formats[] = {{MPNO_F16, 0x1p-11, 0x1p-25, 65504},
                   {MPNO_BF16, 0x1p-8, 0x1p-134, 0x1.fep127},
                   {MPNO_F8E4M3, 0x1p-4, 0x1p-10, 448},
                   {MPNO_F8E5M2, 0x1p-3, 0x1p-17, 57344}};
    for (int f = 0; f < 4; f++) {
        const mpno_format format = formats[f].format;
        const double u = formats[f].u, eta = formats[f].eta;
        assert_true(mpno_range_tiny(format) == eta);
        for (int rounding = 0; rounding < 3; rounding++)
            for (int scaling = 0; scaling < 3; scaling++)
                for (int big = 0; big < 4; big++) {
                    const double times = rounding == MPNO_ROUND_NEAREST_EVEN ? 1 : 2,
                                 most = formats[f].most / 8 * (1 << big);
                    const mpno_range_rounding r = mpno_range_format_rounding(
                        format, (mpno_rounding)rounding, (mpno_scaling)scaling, most);
                    const double step = scaling == MPNO_SCALING_NONE
                                            ? 1
                                            : (big < 2 ? 1 : 1 << (big - 1)) * (1 + 1e-9);
                    assert_true(r.u == times * u);
                    assert_true(fabs(r.eta / (times * eta * step) - 1) < 1e-12);
                    assert_true(r.saturates ==
                                (scaling != MPNO_SCALING_NONE && scaling != MPNO_SCALING_BLOCK));
                }
    }
    assert_near(mpno_range_axis_error(0x1p-24, 48), 16 * 80 * 0x1p-24);
    mpno_range_walk w = {.policy = {.base = MPNO_F32}};
    assert_true(mpno_range_guard(&w, 0x1.fffffep126) == 0);
    assert_true(isinf(mpno_range_guard(&w, 0x1.fffffep126 * (1 + 1e-15))));
    assert_true(fabs(mpno_range_finish(&w, 3) - 3 - 3e-9) < 1e-15);
    assert_true(isinf(mpno_range_finish(&w, 0x1.fffffep127)) && isinf(mpno_range_finish(&w, NAN)));
    assert_true(mpno_range_finish(&w, 0x1.fffffep127 * (1 - 2e-9)) < INFINITY);
}

/* -------- S7: chains -------- */

typedef struct way {
    int64_t sources, here;
    double complex *m; /* [sources][here] */
    double *d, *e, largest;
    bool plain; /* m is 1 */
} way;

static void *room(int64_t n, size_t size) {
    void *p = calloc((size_t)n, size);
    assert_non_null(p);
    return p;
}

/* A block as the node reads it. */
static double complex *block_of(const mpno_range_walk *w, const mpno_node *node, int i,
                                int64_t block, double **slack) {
    const mpno_weight *t = &w->graph->weights[w->graph->edges[node->in[i]].param];
    const int64_t n = t->rows * t->cols;
    double *values = room(2 * n, sizeof(double));
    double complex *z = room(n, sizeof *z);
    *slack = room(n, sizeof(double));
    mpno_range_block(w, node, i, block, values, *slack);
    for (int64_t k = 0; k < n; k++) z[k] = values[k] + I * values[n + k];
    free(values);
    return z;
}

/* z W for matrices, z W element by element where `diagonal`; u, eta: of storing. */
static void times(way *p, const double complex *z, const double *slack, int64_t outputs,
                  bool diagonal, double share, double u, double eta) {
    double complex *m = room(p->sources * outputs, sizeof *m);
    double *d = room(p->sources * outputs, sizeof *d), *e = room(outputs, sizeof *e);
    for (int64_t o = 0; o < outputs; o++) {
        for (int64_t j = 0; j < p->here; j++) {
            if (diagonal && j != o) continue;
            const int64_t at = diagonal ? o : j * outputs + o;
            const double size = cabs(z[at]) + slack[at];
            for (int64_t i = 0; i < p->sources; i++) {
                const double complex from = p->m[i * p->here + j];
                const double off = p->d[i * p->here + j];
                m[i * outputs + o] += from * z[at];
                d[i * outputs + o] += off * (diagonal ? cabs(z[at]) : size) +
                                      (cabs(from) + off) * (slack[at] + share * size);
            }
            e[o] += p->e[j] * size * (1 + share);
        }
        for (int64_t i = 0; i < p->sources; i++)
            d[i * outputs + o] += u * (cabs(m[i * outputs + o]) + d[i * outputs + o]);
        e[o] = e[o] * (1 + u) + sqrt(2) * eta;
    }
    free(p->m), free(p->d), free(p->e);
    p->m = m, p->d = d, p->e = e, p->here = outputs, p->plain = false;
}

static double size_at(const way *p, const double *size, int64_t o) {
    double sum = p->e[o];
    for (int64_t i = 0; i < p->sources; i++)
        sum += size[i] * (cabs(p->m[i * p->here + o]) + p->d[i * p->here + o]);
    return sum;
}

static void look(way *p, const double *size) {
    for (int64_t o = 0; o < p->here; o++) p->largest = greater(p->largest, size_at(p, size, o));
}

static void pass(const mpno_range_walk *w, way *p, const mpno_node *node, int64_t mode,
                 const double *size, const mpno_range_rounding *r) {
    const int64_t block = node->attr.mode_rows != NULL ? node->attr.mode_rows[mode] : 0;
    const double u = w->policy.base == MPNO_F32 ? 0x1p-24 : 0x1p-53;
    if (node->op == &mpno_op_take_modes) {
        if (r->u == 0) return;
        for (int64_t k = 0; k < p->sources * p->here; k++)
            p->d[k] += r->u * (cabs(p->m[k]) + p->d[k]);
        for (int64_t o = 0; o < p->here; o++) p->e[o] = p->e[o] * (1 + r->u) + sqrt(2) * r->eta;
        look(p, size);
        return;
    }
    for (int i = 1; i < node->n_in; i++) {
        const mpno_weight *t = &w->graph->weights[w->graph->edges[node->in[i]].param];
        const bool diagonal = node->op == &mpno_op_scale_modes || i == 2,
                   last = i + 1 == node->n_in;
        const bool one = node->op == &mpno_op_contract_low_rank && i != 2;
        double *slack;
        double complex *z = block_of(w, node, i, one ? 0 : block, &slack);
        const int64_t outputs = diagonal ? p->here : t->cols;
        times(p, z, slack, outputs, diagonal, 3 * u * (2 + (double)(diagonal ? 1 : t->rows)),
              last ? r->u : 0, last ? r->eta : 0);
        free(z), free(slack);
        look(p, size);
    }
}

typedef struct path {
    const mpno_node *node[MOST_LINKS];
    int n, source;
} path;

static bool is_link(const mpno_node *node) {
    const mpno_op *op = node->op;
    return !node->attr.adjoint && (op == &mpno_op_contract || op == &mpno_op_scale_modes ||
                                   op == &mpno_op_contract_low_rank || op == &mpno_op_take_modes);
}

static path path_to(const mpno_range_walk *w, int edge, bool stored) {
    path p = {.source = edge};
    while (w->graph->edges[p.source].producer >= 0) {
        const mpno_node *node = &w->graph->nodes[w->graph->edges[p.source].producer];
        const bool saturates =
            mpno_range_rounding_of(w, p.source, mpno_range_most(w, p.source)).saturates;
        if (!is_link(node) || (saturates && (stored || p.source != edge))) break;
        for (int i = p.n++; i > 0; i--) p.node[i] = p.node[i - 1];
        p.node[0] = node, p.source = node->in[0];
    }
    return p;
}

/* [4][channels]: most, rms, sum, column. */
static double *chain_again(const mpno_range_walk *w, int edge, bool stored, const double *v,
                           int64_t keep) {
    const path along = path_to(w, edge, stored);
    const mpno_range *x = &w->edges[along.source];
    const int64_t from = x->channels, n = w->graph->edges[edge].channels,
                  modes = w->graph->edges[edge].modes;
    double *out = room(4 * n, sizeof *out), *size = room(from, sizeof *size),
           *peak = room(from * n, sizeof *peak), *all = room(from * n, sizeof *all),
           *group = room(from * n * keep, sizeof *group), *rest = room(n, sizeof *rest),
           *grouped = room(n * keep, sizeof *grouped), *plain = room(n, sizeof *plain),
           *squares = room(n, sizeof *squares), largest = 0;
    for (int64_t k = 0; k < modes; k++) {
        int64_t at[MOST_LINKS + 1];
        at[along.n] = k;
        for (int i = along.n - 1; i >= 0; i--) {
            at[i] = at[i + 1];
            if (at[i] >= 0 && along.node[i]->op == &mpno_op_take_modes)
                at[i] = along.node[i]->attr.take[at[i]];
        }
        if (at[0] < 0 || x->weights[at[0]] == 0) continue;
        const double weight = x->weights[at[0]];
        way p = {.sources = from, .here = from};
        p.m = room(from * from, sizeof *p.m), p.d = room(from * from, sizeof *p.d);
        p.e = room(from, sizeof *p.e);
        for (int64_t i = 0; i < from; i++) p.m[i * from + i] = 1;
        for (int64_t i = 0; i < from; i++) size[i] = fmin(x->most[i], x->rms[i] / sqrt(weight));
        for (int i = 0; i < along.n; i++) {
            const int to = along.node[i]->out[0];
            mpno_range_rounding r = {0, 0, false};
            if (to != edge || stored) r = mpno_range_rounding_of(w, to, mpno_range_most(w, to));
            pass(w, &p, along.node[i], at[i], size, &r);
        }
        largest = greater(largest, p.largest);
        for (int64_t o = 0; o < n; o++) {
            for (int64_t i = 0; i < from; i++) {
                const double b = cabs(p.m[i * n + o]) + p.d[i * n + o];
                peak[i * n + o] = greater(peak[i * n + o], b);
                all[i * n + o] += v[k] * v[k] * b * b / weight;
                group[(k % keep * from + i) * n + o] += b * b / weight;
            }
            squares[o] += weight * p.e[o] * p.e[o], rest[o] += v[k] * p.e[o];
            grouped[k % keep * n + o] += p.e[o];
            plain[o] += v[k] * size_at(&p, size, o);
            out[o] = greater(out[o], size_at(&p, size, o));
        }
        free(p.m), free(p.d), free(p.e);
    }
    for (int64_t o = 0; o < n; o++) {
        double rms = sqrt(squares[o]), sum = rest[o];
        for (int64_t i = 0; i < from; i++) {
            if (peak[i * n + o] > 0) rms += x->rms[i] * peak[i * n + o];
            if (all[i * n + o] > 0) sum += x->rms[i] * sqrt(all[i * n + o]);
        }
        out[n + o] = rms, out[2 * n + o] = plain[o] < sum ? plain[o] : sum;
        for (int64_t j = 0; j < keep; j++) {
            double column = grouped[j * n + o];
            for (int64_t i = 0; i < from; i++)
                if (group[(j * from + i) * n + o] > 0)
                    column += x->rms[i] * sqrt(group[(j * from + i) * n + o]);
            out[3 * n + o] = greater(out[3 * n + o], column);
        }
        for (int part = 0; part < 4 && !(largest <= 0x1.fffffep127); part++)
            out[part * n + o] = INFINITY;
    }
    free(size), free(peak), free(all), free(group), free(rest), free(grouped), free(plain);
    free(squares);
    return out;
}

static void check_chain(mpno_range_walk *w, int edge, bool stored) {
    const int64_t modes = w->graph->edges[edge].modes, n = w->graph->edges[edge].channels;
    int64_t keep = 1 + (int64_t)mpno_rng_below(&rng, 4);
    while (modes % keep != 0) keep--;
    double *v = room(modes, sizeof *v);
    for (int64_t k = 0; k < modes; k++) v[k] = uniform(0.5, 2);
    const path along = path_to(w, edge, stored);
    mpno_range *x = &w->edges[along.source];
    const double kind = mpno_rng_uniform(&rng), /* also so small that what is added counts most */
        size =
            kind < 0.5 ? 1 : ldexp(1, kind < 0.8 ? (int)uniform(-40, -10) : (int)uniform(110, 128));
    for (int64_t c = 0; c < x->channels; c++)
        x->most[c] = size * uniform(0.1, 3), x->rms[c] = x->most[c] * uniform(0.5, 4);
    for (int i = 0; i < along.n; i++) {
        const mpno_op *op = along.node[i]->op;
        met[op == &mpno_op_contract      ? CONTRACT
            : op == &mpno_op_scale_modes ? SCALE_MODES
            : op == &mpno_op_take_modes  ? TAKE_MODES
                                         : LOW_RANK]++;
    }
    met[PAIRS] += along.n > 1;
    const mpno_chain_end end = {v, keep};
    mpno_chain chain;
    assert_int_equal(mpno_chain_bounds(w, edge, stored, &end, &chain), MPNO_OK);
    double *known = chain_again(w, edge, stored, v, keep);
    for (int64_t o = 0; o < n; o++) {
        assert_near(chain.most[o], known[o]);
        assert_near(chain.rms[o], known[n + o]);
        assert_near(chain.sum[o], known[2 * n + o]);
        assert_near(chain.column[o], known[3 * n + o]);
    }
    mpno_chain_clear(ctx, &chain);
    free(known), free(v);
}

/* -------- S7 and L2: weights -------- */

static void check_copy(const mpno_range_walk *w, const mpno_model *model, const mpno_node *node,
                       int i) {
    const int param = w->graph->edges[node->in[i]].param;
    const mpno_weight *t = &w->graph->weights[param];
    const mpno_storage s = mpno_range_copy(w, node, param);
    const int64_t one = t->rows * t->cols, count = t->is_complex ? 2 * one : one;
    const float *master = mpno_model_raw(model, param).data;
    const bool plain = s.format == MPNO_F32,
               nearest = s.rounding == MPNO_ROUND_NEAREST_EVEN && s.scaling == MPNO_SCALING_NONE;
    double *values = room(count, sizeof *values), *slack = room(one, sizeof *slack), most = 0;
    for (int64_t k = 0; k < t->blocks * count; k++) most = greater(most, fabs((double)master[k]));
    const mpno_range_rounding r = mpno_range_format_rounding(s.format, s.rounding, s.scaling, most);
    for (int64_t b = 0; b < t->blocks; b++) {
        mpno_range_block(w, node, i, b, values, slack);
        for (int64_t k = 0; k < count; k++)
            assert_true(values[k] == (!plain && nearest
                                          ? mpno_format_round(master[b * count + k], s.format)
                                          : master[b * count + k]));
        for (int64_t k = 0; k < one; k++)
            assert_near(slack[k], plain || nearest
                                      ? 0
                                      : r.u * (t->is_complex ? hypot(values[k], values[one + k])
                                                             : fabs(values[k])) +
                                            sqrt(2) * r.eta);
    }
    met[COPIES] += !plain && nearest, met[SCALED] += !plain && !nearest;
    const double rounded = mpno_format_round(most, s.format);
    assert_near(mpno_range_copy_most(w, node, param),
                plain     ? 0
                : nearest ? greater(most, isfinite(rounded) ? rounded : INFINITY)
                          : most + r.u * most + r.eta);
    free(values), free(slack);
}

/* Products of the factors, or of their moduli, in f64. */
static double *made_of(const mpno_range_walk *w, const mpno_model *model, const mpno_node *node,
                       bool sizes) {
    const mpno_contraction *c = node->attr.contraction;
    double *factors[MPNO_OP_MAX_IN] = {NULL},
           *out =
               room((int64_t)mpno_weight_count(&w->graph->weights[node->attr.weight]), sizeof *out);
    const void *operands[MPNO_OP_MAX_IN];
    void *scratch;
    for (int i = 0; i < node->n_in; i++) {
        const int param = w->graph->edges[node->in[i]].param;
        const size_t n = mpno_weight_count(&w->graph->weights[param]);
        const float *master = mpno_model_raw(model, param).data;
        assert_int_equal(mpno_alloc_array(ctx, n, sizeof(double), &factors[i]), MPNO_OK);
        for (size_t k = 0; k < n; k++) factors[i][k] = master[k];
        for (size_t k = 0; sizes && k < n / 2; k++)
            factors[i][k] = hypot(factors[i][k], factors[i][n / 2 + k]), factors[i][n / 2 + k] = 0;
        operands[i] = factors[i];
    }
    assert_int_equal(mpno_alloc(ctx, mpno_contraction_scratch(c, sizeof(double), false), &scratch),
                     MPNO_OK);
    const mpno_contract_run run = {.kernels = mpno_kernels_get(ctx->isa, MPNO_F64),
                                   .fields = mpno_field_kernels_get(MPNO_F64),
                                   .n_threads = 1,
                                   .scratch = scratch};
    mpno_contraction_run(c, &run, operands, out);
    for (int i = 0; i < node->n_in; i++) mpno_free(ctx, factors[i]);
    mpno_free(ctx, scratch);
    return out;
}

static void check_rebuilt(mpno_range_walk *w, const mpno_model *model, const mpno_node *node) {
    const mpno_range *y = &w->edges[node->out[0]];
    const mpno_contraction *c = node->attr.contraction;
    const mpno_weight *t = &w->graph->weights[node->attr.weight];
    const int64_t one = t->rows * t->cols;
    if (isinf(y->slack[0])) return; /* of copies: not known */
    double *values = made_of(w, model, node, false), *sizes = made_of(w, model, node, true),
           most = 0;
    const mpno_format format = mpno_range_format(w, mpno_exec_format(w->exec, node->out[0]));
    const double error =
                     2 * mpno_contract_cost_of(&c->problem, &c->path).error * (0x1p-24 + 0x1p-53),
                 u = format == MPNO_F32 ? 0 : mpno_format_unit(format),
                 eta = format == MPNO_F32 ? 0 : mpno_range_tiny(format);
    for (int64_t k = 0; k < t->blocks * one; k++) {
        const int64_t at = k / one * 2 * one + k % one;
        const double off = error * sizes[at], m = hypot(values[at], values[at + one]),
                     slack = off + u * (m + off) + sqrt(2) * eta;
        assert_near(y->slack[k], slack);
        assert_true(y->values[at] == values[at] && y->values[at + one] == values[at + one]);
        most = greater(most, greater(fabs(values[at]), fabs(values[at + one])) + slack);
    }
    assert_near(y->most[0], most * (1 + 1e-9));
    met[REBUILD]++;
    free(values), free(sizes);
}

/* -------- S1 and S2: what is kept of a rule -------- */

static double finished(double x) {
    return x * (1 + 1e-9) <= 0x1.fffffep127 ? x * (1 + 1e-9) : INFINITY;
}

static double raised(const mpno_range_walk *w, int edge, const mpno_range_rounding *r, double x) {
    const mpno_format format = mpno_range_format(w, mpno_exec_format(w->exec, edge));
    if (w->policy.rounding != MPNO_ROUND_NEAREST_EVEN ||
        mpno_exec_scaling(w->exec, edge) != MPNO_SCALING_NONE || fabs(x) > mpno_format_max(format))
        return x + fabs(x) * r->u + r->eta;
    return greater(x, mpno_format_round(x, format));
}

static void tidy_again(const mpno_range_walk *w, int edge, mpno_range *r) {
    const mpno_edge *e = &w->graph->edges[edge];
    const bool field = e->kind == MPNO_EDGE_FIELD;
    for (int64_t c = 0; c < r->channels; c++) {
        if (e->kind == MPNO_EDGE_SUMS) {
            r->most[c] *= 1 + 1e-9;
            continue;
        }
        if (field && w->assume_tanh && w->tamed[edge] && r->most[c] > 1) r->most[c] = 1;
        const double by_rms = sqrt((double)mpno_graph_grid(w->graph, edge)->points) * r->rms[c];
        if (field && by_rms < r->most[c]) r->most[c] = by_rms;
        r->most[c] = finished(r->most[c]);
        if (field) {
            const double low = r->low[c] - fabs(r->low[c]) * 1e-9,
                         high = r->high[c] + fabs(r->high[c]) * 1e-9;
            r->low[c] = low < -r->most[c] || low != low ? -r->most[c] : low;
            r->high[c] = high > r->most[c] || high != high ? r->most[c] : high;
            r->most[c] = greater(r->high[c], -r->low[c]);
            if (r->most[c] < r->rms[c]) r->rms[c] = r->most[c];
        }
        r->rms[c] = finished(r->rms[c]), r->field[c] = finished(r->field[c]);
    }
}

static void store_again(const mpno_range_walk *w, int edge, mpno_range *r) {
    const mpno_edge *e = &w->graph->edges[edge];
    double most = 0, sum = 1;
    for (int64_t c = 0; c < r->channels; c++) most = greater(most, r->most[c]);
    const mpno_range_rounding to = mpno_range_rounding_of(w, edge, most);
    const bool field = e->kind == MPNO_EDGE_FIELD,
               pairs = e->kind == MPNO_EDGE_SPECTRUM || e->kind == MPNO_EDGE_COLUMNS;
    if (to.u == 0 || e->kind == MPNO_EDGE_BLOCKS) return;
    if (pairs) sum = 0;
    for (int64_t k = 0; k < e->modes && pairs; k++) sum += r->weights != NULL ? r->weights[k] : 2;
    const double eta = to.eta * (pairs ? sqrt(2) : 1);
    for (int64_t c = 0; c < r->channels; c++) {
        if (field) {
            r->high[c] = raised(w, edge, &to, r->high[c]);
            r->low[c] = -raised(w, edge, &to, -r->low[c]);
            if (to.saturates && r->high[c] < 0) r->high[c] = 0;
            if (to.saturates && r->low[c] > 0) r->low[c] = 0;
            r->most[c] = greater(r->high[c], -r->low[c]);
        } else {
            r->most[c] += to.u * r->most[c] + eta;
        }
        r->rms[c] += to.u * r->rms[c] + eta * sqrt(sum);
        r->field[c] += to.u * r->field[c] + eta * sum;
    }
}

static void check_kept(mpno_range_walk *w, const mpno_node *node) {
    for (int i = 0; i < node->n_in; i++) { /* nothing is known of what is not known itself */
        const int e = node->in[i];
        if (e >= 0 && w->edges[e].most != NULL && !w->stored[e] && isinf(mpno_range_most(w, e)))
            return;
    }
    mpno_range *y = &w->edges[node->out[0]];
    if (w->graph->edges[node->out[0]].kind == MPNO_EDGE_BLOCKS || node->n_out > 1) return;
    const size_t n = (size_t)y->channels;
    double *kept = room(5 * (int64_t)n, sizeof *kept),
           *all[5] = {y->most, y->rms, y->field, y->low, y->high};
    for (int i = 0; i < 5; i++) {
        memcpy(kept + (size_t)i * n, all[i], n * sizeof *kept);
        for (size_t c = 0; c < n; c++) all[i][c] = i == 3 ? -INFINITY : INFINITY;
    }
    const double inside = w->inside[node - w->graph->nodes];
    assert_int_equal(mpno_range_rule_of(node->op)(w, node), MPNO_OK);
    w->inside[node - w->graph->nodes] = inside;
    tidy_again(w, node->out[0], y);
    store_again(w, node->out[0], y);
    for (int i = 0; i < 5; i++)
        for (size_t c = 0; c < n; c++) assert_near(kept[(size_t)i * n + c], all[i][c]);
    for (int i = 0; i < 5; i++) memcpy(all[i], kept + (size_t)i * n, n * sizeof *kept);
    free(kept);
}

/* -------- random networks -------- */

static void check_network(const mpno_model *model, const mpno_network *network, uint64_t seed) {
    mpno_range_walk w;
    assert_int_equal(mpno_range_open_network(model, network, &w), MPNO_OK);
    w.assume_tanh = seed % 3 == 0, w.assume_bf16 = seed % 7 == 0;
    mpno_range_input(&w, mpno_network_edges(network)->input, exp2(uniform(-3, 3)));
    if (mpno_network_edges(network)->embedding >= 0)
        mpno_range_input(&w, mpno_network_edges(network)->embedding, 1);
    assert_int_equal(mpno_range_run(&w), MPNO_OK);
    for (int n = 0; n < w.n_nodes; n++) {
        const mpno_node *node = &w.graph->nodes[n];
        if (mpno_range_rule_of(node->op) != NULL && !node->attr.adjoint) check_kept(&w, node);
        if (node->op == &mpno_op_rebuild) check_rebuilt(&w, model, node);
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0 && w.graph->edges[node->in[i]].kind == MPNO_EDGE_PARAM)
                check_copy(&w, model, node, i);
    }
    for (int n = 0; n < w.n_nodes; n++) {
        const mpno_node *node = &w.graph->nodes[n];
        const bool inverse =
            node->op == &mpno_op_fft_inverse || node->op == &mpno_op_columns_inverse;
        if (is_link(node)) check_chain(&w, node->out[0], false);
        if (inverse) check_chain(&w, node->in[0], true);
    }
    mpno_range_close(&w);
}

/* What a line of a STATIC certificate says of its bound. */
static void check_lines(const mpno_model *model, const mpno_network *network) {
    const mpno_static_opts ball = {
        .range = mpno_rng_uniform(&rng) < 0.1 ? 1e38 : exp2(uniform(-2, 8)), .embedding = 1};
    mpno_static c;
    assert_int_equal(mpno_static_certify(model, network, &ball, &c), MPNO_OK);
    for (int i = 0; i < c.n_lines; i++) {
        const mpno_static_line *l = &c.lines[i];
        const double most = mpno_format_max(l->format), wide = ldexp(most, 126);
        const bool scaled = l->scaling != MPNO_SCALING_NONE;
        assert_true(l->most == (!scaled ? most : wide < 0x1.fffffep127 ? wide : 0x1.fffffep127));
        assert_true(l->closes == (l->bound <= l->most));
        assert_near(l->headroom, l->bound > 0 ? l->most / l->bound : INFINITY);
        if (l->closes) assert_int_equal(l->prescale, 0);
        if (isinf(l->bound)) assert_int_equal(l->prescale, -1);
        met[WIDE] += scaled, met[OPEN] += isinf(l->bound);
    }
    mpno_static_clear(&c);
}

static void one_network(uint64_t seed) {
    quad_case q;
    quad_case_draw(ctx, seed, MPNO_F32, &q);
    mpno_network_opts opts = quad_case_low_opts(&q);
    opts.unfused = seed % 5 == 0;
    if (q.config.factorization == MPNO_FACTORIZATION_DENSE) {
        opts.storage.rounding = (mpno_rounding)(seed % 8 < 2 ? 1 + seed % 2 : 0);
        if (seed % 9 == 4) opts.storage.scaling = MPNO_SCALING_TENSOR;
    }
    mpno_network *network = make_network(ctx, q.model, &opts);
    check_network(q.model, network, seed);
    check_lines(q.model, network);
    mpno_network_destroy(&network);
    quad_case_drop(&q);
}

/* Modes that change their place between grids, as the other library has it. */
static void one_that_takes_modes(uint64_t seed) {
    static const char *const policies[] = {"full", "half", "mixed"};
    const int64_t grid[2] = {6, 8};
    mpno_fno_config c = small_config(2);
    c.compat = MPNO_COMPAT_NEURALOP;
    c.resolution_scaling_factor[0][0] = seed % 2 == 0 ? 2 : 0.5;
    c.resolution_scaling_factor[0][1] = 1;
    c.separable = seed % 4 >= 2;
    mpno_model *model = make_model(ctx, &c, MPNO_F32);
    const mpno_network_opts opts =
        make_opts(2, grid, 1, false, policies[seed % 3], seed % 5 < 2 ? MPNO_F16 : MPNO_BF16);
    mpno_network *network = make_network(ctx, model, &opts);
    check_network(model, network, seed);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
}

static void chains_weights_and_what_is_kept(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < CASES; seed++) one_network(seed);
    for (uint64_t seed = 0; seed < 24; seed++) one_that_takes_modes(seed);
    for (int i = 0; i < 10; i++)
        if (met[i] < 5) fail_msg("kind %d was met %d times", i, met[i]);
}

static int setup(void **state) {
    (void)state;
    rng = mpno_rng_make(31, MPNO_STREAM_TEST, 7);
    ctx = make_ctx(1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    drop_ctx(ctx);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roundings),
        cmocka_unit_test(chains_weights_and_what_is_kept),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
