/* SPDX-License-Identifier: MIT
 * Every rule for ranges is the formula of its statement in docs/theory/static.md, which stands here
 * once more: nodes of random networks, asked with random ranges of their operands, small ones and
 * ones near the end of the format. That numbers keep to these ranges is what test_range looks for;
 * a term that no hostile input is bad enough for is seen here. A rule without a formula fails.
 * Chains of contractions stand in test_range_chains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "certify/range/chain.h"
#include "certify/range/range.h"
#include "core/memory.h"
#include "model/network.h"
#include "number/format.h"
#include "support/quad_case.h"
#include "unit/certify/range_formula.h"
#include "unit/model/support.h"

enum { CASES = 240, WIDEST = 1024 };
static mpno_rng rng;

/* -------- S3, S4 and S13: point by point -------- */

static void same(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    for (int64_t c = 0; c < y->channels; c++) {
        y->most[c] = x->most[c], y->rms[c] = x->rms[c];
        y->low[c] = x->low[c], y->high[c] = x->high[c];
    }
}

static void times_i(walk *w, const mpno_node *node, mpno_range *y) {
    for (int64_t c = 0; c < y->channels; c++)
        put(y, c, -in(w, node, 0)->most[c], in(w, node, 0)->most[c], in(w, node, 0)->rms[c]);
}

static void grid_embed(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    const mpno_grid *grid = mpno_graph_grid(w->graph, node->in[0]);
    for (int64_t c = 0; c < x->channels; c++) {
        y->most[c] = x->most[c], y->rms[c] = x->rms[c];
        y->low[c] = x->low[c], y->high[c] = x->high[c];
    }
    for (int d = 0; d < grid->ndim; d++) {
        const double a = node->attr.box.start[d], b = node->attr.box.stop[d];
        double low = INFINITY, high = -INFINITY, squares = 0;
        for (int64_t i = 0; i < grid->size[d]; i++) {
            const double at = a + (b - a) * (double)i / (double)grid->size[d];
            low = lesser(low, at - 4 * unit(w) * fabs(at));
            high = greater(high, at + 4 * unit(w) * fabs(at));
            squares += at * at / (double)grid->size[d];
        }
        if (grid->planes > 1) low = lesser(low, 0), high = greater(high, 0);
        put(y, x->channels + d, low, high, (1 + 4 * unit(w)) * sqrt(squares));
    }
}

static void add(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *a = in(w, node, 0), *b = in(w, node, 1);
    const double u = 4 * unit(w);
    for (int64_t c = 0; c < y->channels; c++)
        put(y, c, a->low[c] + b->low[c] - u * (a->most[c] + b->most[c]),
            a->high[c] + b->high[c] + u * (a->most[c] + b->most[c]),
            (a->rms[c] + b->rms[c]) * (1 + u));
}

static void bias(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    double *slack, *b = weights(w, node, 1, &slack);
    for (int64_t c = 0; c < y->channels; c++) {
        const bool some = node->attr.real_only;
        const double off = slack[c] + 4 * unit(w) * (x->most[c] + fabs(b[c]));
        put(y, c, x->low[c] + (some && b[c] > 0 ? 0 : b[c]) - off,
            x->high[c] + (some && b[c] < 0 ? 0 : b[c]) + off, x->rms[c] + fabs(b[c]) + off);
    }
    mpno_free(w->ctx, b);
}

static void times(walk *w, const mpno_range *x, mpno_range *y, int64_t c, double f, double slack) {
    const double off = (slack + 4 * unit(w) * fabs(f)) * x->most[c],
                 low = f * (f > 0 ? x->low[c] : x->high[c]),
                 high = f * (f > 0 ? x->high[c] : x->low[c]);
    put(y, c, low - off, high + off, (fabs(f) + fabs(f) * 4 * unit(w) + slack) * x->rms[c]);
}

static void gate(walk *w, const mpno_node *node, mpno_range *y) {
    double *slack, *g = weights(w, node, 1, &slack);
    for (int64_t c = 0; c < y->channels; c++) times(w, in(w, node, 0), y, c, g[c], slack[c]);
    mpno_free(w->ctx, g);
}

static void scale(walk *w, const mpno_node *node, mpno_range *y) {
    for (int64_t c = 0; c < y->channels; c++) times(w, in(w, node, 0), y, c, node->attr.scale, 0);
}

static double gelu_at(double x) {
    return x * (0.5 * erfc(-x * 0.70710678118654752));
}

static void gelu(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    for (int64_t c = 0; c < y->channels; c++) {
        const double low = gelu_at(x->low[c]), high = gelu_at(x->high[c]),
                     share = 0x1p-17 + 16 * unit(w), off = share * x->most[c];
        const bool least = x->low[c] < -0.75 && x->high[c] > -0.752; /* within */
        put(y, c, (least ? -0.16998 : lesser(low, high)) - off, greater(low, high) + off,
            x->rms[c] * (1 + share));
    }
}

static void by_ends(walk *w, const mpno_node *node, mpno_range *y, double (*f)(double),
                    double limit, double u) {
    const mpno_range *x = in(w, node, 0);
    for (int64_t c = 0; c < y->channels; c++) {
        const double low = f(x->low[c]) - u * fabs(f(x->low[c])),
                     high = f(x->high[c]) + u * fabs(f(x->high[c]));
        put(y, c, greater(lesser(low, limit), -limit), lesser(greater(high, -limit), limit),
            x->rms[c] * (1 + u));
    }
}

static double itself(double x) {
    return x;
}
static double positive(double x) {
    return x > 0 ? x : 0;
}
static double softsign(double x) {
    return x / (1 + fabs(x));
}

static void hyperbolic(walk *w, const mpno_node *node, mpno_range *y) {
    by_ends(w, node, y, tanh, 1, 0x1p-17 + 16 * unit(w));
}

static void squash(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_squash kind = node->attr.squash;
    if (kind == MPNO_SQUASH_CLIP) by_ends(w, node, y, itself, 1, 16 * unit(w));
    if (kind == MPNO_SQUASH_RELU) by_ends(w, node, y, positive, INFINITY, 16 * unit(w));
    if (kind == MPNO_SQUASH_SOFTSIGN) by_ends(w, node, y, softsign, 1, 16 * unit(w));
    if (kind == MPNO_SQUASH_ARCSINH) by_ends(w, node, y, asinh, INFINITY, 16 * unit(w));
    for (int64_t c = 0; kind == MPNO_SQUASH_SIGMOID && c < y->channels; c++) {
        const double at = 1 / (1 + exp(-in(w, node, 0)->high[c])) * (1 + 16 * unit(w));
        put(y, c, 0, lesser(at, 1), lesser(at, 1));
    }
}

static void learned_tanh(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    double *slack, *v = weights(w, node, 1, &slack);
    const double a = fabs(v[0]) + slack[0], up = 1 + 16 * unit(w);
    for (int64_t c = 0; c < y->channels; c++)
        put(y, c, x->low[c] < 0 ? up * a * tanh(x->low[c] / a) : 0,
            x->high[c] > 0 ? up * a * tanh(x->high[c] / a) : 0, up * x->rms[c]);
    mpno_free(w->ctx, v);
}

static void moved(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    const bool zeros = node->op == &mpno_op_pad;
    for (int64_t c = 0; c < y->channels; c++)
        put(y, c, zeros ? lesser(x->low[c], 0) : x->low[c],
            zeros ? greater(x->high[c], 0) : x->high[c],
            x->rms[c] * sqrt(points(w, node->in[0])) / sqrt(points(w, node->out[0])));
}

static void interpolate(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_lines *l = node->attr.lines;
    double most = 1, squares = 1;
    for (int d = 0; d < l->ndim; d++) {
        double rows = 0, columns = 0;
        if (l->matrix[d] == NULL) continue;
        for (int64_t i = 0; i < l->to[d] + l->from[d]; i++) {
            double sum = 0;
            for (int64_t j = 0; j < (i < l->to[d] ? l->from[d] : l->to[d]); j++)
                sum += fabs(l->matrix[d][i < l->to[d] ? i * l->from[d] + j
                                                      : j * l->from[d] + i - l->to[d]]);
            if (i < l->to[d]) rows = greater(rows, sum);
            if (i >= l->to[d]) columns = greater(columns, sum);
        }
        most *= rows * (1 + 4 * unit(w));
        squares *= rows * columns * (1 + 8 * unit(w)) * (double)l->from[d] / (double)l->to[d];
    }
    for (int64_t c = 0; c < y->channels; c++) {
        y->most[c] = in(w, node, 0)->most[c] * most;
        y->rms[c] = in(w, node, 0)->rms[c] * sqrt(squares);
    }
}

/* -------- S5: products -------- */

static void product(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    const mpno_weight *weight = &w->graph->weights[w->graph->edges[node->in[1]].param];
    const mpno_arithmetic a = mpno_policy_arithmetic(&w->policy, node->op->name, node->layer);
    const bool gaps = node->op == &mpno_op_convolve,
               bf16 = a.multiply == MPNO_BF16 || w->assume_bf16;
    const int64_t n = weight->blocks * weight->cols;
    const double up = (1 + 4 * ((double)n + 2) * unit(w)) * (bf16 ? square(1 + 0x1p-8) : 1);
    double *slack,
        *m = weights(w, node, 1, &slack),
        *b = !gaps && node->n_in > 2 && node->in[2] >= 0 ? weights(w, node, 2, NULL) : NULL;
    for (int64_t o = 0; o < y->channels; o++) {
        double low = b == NULL ? 0 : b[o], high = low, rms = fabs(low), most = rms, off = 0;
        for (int64_t j = 0; j < n; j++) {
            const int64_t i = j % weight->cols,
                          at = (j / weight->cols * weight->rows + o) * weight->cols + i;
            const double one = lesser(m[at] * x->low[i], m[at] * x->high[i]),
                         other = greater(m[at] * x->low[i], m[at] * x->high[i]);
            low += gaps && one > 0 ? 0 : one, high += gaps && other < 0 ? 0 : other;
            most += (fabs(m[at]) + slack[at]) * x->most[i];
            rms += (fabs(m[at]) + slack[at]) * x->rms[i];
            off += slack[at] * x->most[i];
        }
        off += (up - 1) * most + guard(w, most);
        put(y, o, low - off, high + off, up * rms);
    }
    mpno_free(w->ctx, m);
    mpno_free(w->ctx, b);
}

/* -------- S11 and S12: sums and norms -------- */

static void sample_sums(walk *w, const mpno_node *node, mpno_range *y) {
    for (int64_t c = 0; c < y->channels; c++)
        y->most[c] = mean(in(w, node, 0), c) * points(w, node->in[0]);
}

static void spread_sums(walk *w, const mpno_node *node, mpno_range *y) {
    for (int64_t c = 0; c < y->channels; c++)
        y->most[c] = y->rms[c] = in(w, node, 0)->most[c] + 2 * unit(w) * in(w, node, 0)->most[c];
}

static void average(walk *w, const mpno_node *node, mpno_range *y) {
    for (int64_t c = 0; c < y->channels; c++) y->most[c] = in(w, node, 0)->most[c];
}

static void put_sums(mpno_range *y, int64_t c, double n, double first, double rms) {
    y->most[2 * c] = first * n * (1 + 1e-9);
    y->most[2 * c + 1] = rms * rms * n * (1 + 1e-9);
}

static void moments(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    for (int64_t c = 0; c < x->channels; c++)
        put_sums(y, c, points(w, node->in[0]), mean(x, c), x->rms[c]);
}

static void running_moments(walk *w, const mpno_node *node, mpno_range *y) {
    double *of_mean, *of_variance, *m = weights(w, node, 1, &of_mean),
                                   *v = weights(w, node, 2, &of_variance);
    for (int64_t c = 0; 2 * c < y->channels; c++) {
        const double most = fabs(m[c]) + of_mean[c];
        y->most[2 * c] = points(w, node->in[0]) * most;
        y->most[2 * c + 1] = points(w, node->in[0]) * (fabs(v[c]) + of_variance[c] + most * most);
    }
    mpno_free(w->ctx, m);
    mpno_free(w->ctx, v);
}

static void modulate(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0), *m = in(w, node, 1);
    for (int64_t c = 0; c < y->channels; c++) {
        const double shift = node->attr.no_shift ? 0 : m->most[y->channels + c];
        y->most[c] = (m->most[c] * x->most[c] + shift) * (1 + 4 * unit(w));
        y->rms[c] = (m->most[c] * x->rms[c] + shift) * (1 + 4 * unit(w));
    }
}

static void sigma_clip(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    const double n = (double)x->channels, batch = node->attr.batch ? (double)w->capacity : 1,
                 sums = 4 * points(w, node->in[0]) * n * batch * 0x1p-53;
    double m = 0, squares = 0, low = 0, high = 0;
    for (int64_t c = 0; c < x->channels; c++) {
        m += mean(x, c), squares += x->rms[c] * x->rms[c], low += x->low[c], high += x->high[c];
    }
    m /= n, squares /= n;
    const double off = (sums + 4 * unit(w)) * m, raised = m + m * sums,
                 limit = sqrt(5 * squares) + 2 * sqrt(2 * sums * squares);
    for (int64_t c = 0; c < x->channels; c++) {
        y->low[c] = lesser(x->low[c], low / n - off);
        y->high[c] = greater(x->high[c], high / n + off);
        y->most[c] = lesser(greater(x->most[c], raised), limit) * (1 + 4 * unit(w));
        y->rms[c] = sqrt(square(x->rms[c]) + square(raised)) * (1 + 4 * unit(w));
    }
}

/* S12: what a field that is made twice may differ by. */
static double slope_of(walk *w, const mpno_node *node) {
    const mpno_op *op = node->op;
    static const mpno_op *const ones[] = {
        &mpno_op_stage,        &mpno_op_times_i,    &mpno_op_tanh,
        &mpno_op_learned_tanh, &mpno_op_squash,     &mpno_op_bias,
        &mpno_op_add,          &mpno_op_grid_embed, &mpno_op_sigma_clip};
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
        if (ones[i] == op) return 1;
    if (op == &mpno_op_gelu) return 1.13;
    if (op == &mpno_op_scale) return fabs(node->attr.scale);
    if (op != &mpno_op_gate && op != &mpno_op_linear) return INFINITY;
    const mpno_weight *weight = &w->graph->weights[w->graph->edges[node->in[1]].param];
    const int64_t n = op == &mpno_op_gate ? 1 : weight->cols,
                  all = weight->blocks * weight->rows * weight->cols;
    double *slack, *m = weights(w, node, 1, &slack), most = 0, sum = 0;
    for (int64_t i = 0; i < all; i++) {
        if (i % n == 0) sum = 0;
        sum += fabs(m[i]) + slack[i];
        most = greater(most, sum);
    }
    mpno_free(w->ctx, m);
    return most;
}

static double drift(walk *w, int edge) {
    const int producer = w->graph->edges[edge].producer;
    const double most = mpno_range_most(w, edge);
    if (producer < 0 || w->graph->nodes[producer].op->class == MPNO_OP_WHOLE) return 0;
    const mpno_range_rounding r = mpno_range_rounding_of(w, edge, most);
    if (w->stored[edge]) return r.saturates ? 2 * most : r.u * most + r.eta;
    const mpno_node *node = &w->graph->nodes[producer];
    double sum = 0;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && w->graph->edges[node->in[i]].kind == MPNO_EDGE_FIELD)
            sum += drift(w, node->in[i]);
    return sum == 0 ? 0 : lesser(sum * slope_of(w, node), 2 * most);
}

static void normalized(walk *w, const mpno_node *node, const mpno_range *x, double off,
                       mpno_range *y) {
    const mpno_attr *a = &node->attr;
    const mpno_node *from = &w->graph->nodes[w->graph->edges[node->in[1]].producer];
    double *gamma = node->in[2] >= 0 ? weights(w, node, 2, NULL) : NULL,
           *beta = node->in[3] >= 0 ? weights(w, node, 3, NULL) : NULL, *m = NULL, *v = NULL;
    const int64_t width = x->channels / a->groups;
    if (a->fixed) m = weights(w, from, 1, NULL), v = weights(w, from, 2, NULL);
    for (int64_t c = 0; c < x->channels; c++) {
        const double g = gamma == NULL ? 1 : gamma[c], b = beta == NULL ? 0 : beta[c], u = unit(w);
        if (a->fixed) { /* f x + b - f m */
            const double lost = 0x1p-49 * (v[c] + m[c] * m[c]),
                         f = g / sqrt(greater(v[c] - lost, 0) + a->eps),
                         least = g / sqrt(v[c] + lost + a->eps), size = x->most[c] + fabs(m[c]),
                         away = 16 * u * (fabs(f) * size + fabs(b)) + fabs(f - least) * size;
            put(y, c, f * (f > 0 ? x->low[c] : x->high[c]) + b - f * m[c] - away,
                f * (f > 0 ? x->high[c] : x->low[c]) + b - f * m[c] + away,
                fabs(f) * x->rms[c] + fabs(b - f * m[c]) + away);
            continue;
        }
        double first = 0, squares = 0;
        for (int64_t k = c / width * width; k < c / width * width + width; k++)
            first += mean(x, k) / (double)width, squares += square(x->rms[k]) / (double)width;
        const double p = points(w, node->in[0]),
                     n = p * (double)width * (a->batch ? (double)w->capacity : 1),
                     sums = 4 * n * 0x1p-53, root = sqrt(a->eps),
                     up = sqrt(greater(1, 2 * sums * squares / a->eps)),
                     shift = a->uncentred ? 0 : first * (1 + sums),
                     more = (sums * first + off) / root,
                     most =
                         lesser(sqrt(a->uncentred ? n : n - 1) * up, (x->most[c] + shift) / root) +
                         more,
                     rms = lesser(sqrt(n / p) * up, (x->rms[c] + shift) / root) + more,
                     error =
                         8 * u *
                             (fabs(g) * (most + (a->uncentred ? 0 : 2 * first / root)) + fabs(b)) +
                         guard(w, fabs(g) * (x->most[c] + first) * 2 / root);
        put(y, c, b - fabs(g) * most - error, b + fabs(g) * most + error,
            fabs(g) * rms + fabs(b) + error);
    }
    mpno_free(w->ctx, gamma);
    mpno_free(w->ctx, beta);
    mpno_free(w->ctx, m);
    mpno_free(w->ctx, v);
}

static void normalize(walk *w, const mpno_node *node, mpno_range *y) {
    normalized(w, node, in(w, node, 0), node->attr.fixed ? 0 : drift(w, node->in[0]), y);
}

/* -------- S6, S8 and S9: transforms -------- */

static bool narrow(const mpno_fft *fft) {
    const mpno_format f = mpno_fft_get_problem(fft)->arithmetic;
    return f == MPNO_F16 || f == MPNO_BF16;
}

static double errs(double u, int64_t n) {
    return 16 * u * (double)(n + 32);
}

static double fft_errs(const mpno_fft *fft) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    double sum = 0;
    for (int d = 0; d < p->ndim; d++)
        sum += errs(p->arithmetic == MPNO_F64 ? 0x1p-53 : 0x1p-24, p->size[d]);
    return sum + sum * sum;
}

static double line_errs(const mpno_columns *c) {
    return errs(c->arithmetic == MPNO_F64 ? 0x1p-53 : 0x1p-24, c->n);
}

static double twice(bool real, int64_t n, int64_t k) {
    return real && k > 0 && 2 * k < n ? 2 : 1;
}

static double weight_at(const mpno_fft *fft, int64_t m) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    return twice(p->kind == MPNO_FFT_REAL, p->size[p->ndim - 1], m % p->keep[p->ndim - 1]);
}

static int narrow_met, narrow_inverse, chained;

typedef struct growth {
    double by, added, divided;
} growth;

static growth grows(const walk *w, const mpno_fft *fft, bool prescale) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    growth g = {1, 0, 1};
    if (!narrow(fft)) return g;
    narrow_met++;
    const mpno_format f = w->assume_bf16 ? MPNO_BF16 : p->arithmetic;
    const double u = f == MPNO_F16 ? 0x1p-11 : 0x1p-8, eta = f == MPNO_F16 ? 0x1p-25 : 0x1p-134;
    for (int d = 0; d < p->ndim; d++) {
        int64_t n = p->size[d], power = 1, stages = 2;
        for (int64_t prime = 2; n > 1;) {
            if (n % prime != 0) {
                prime++;
                continue;
            }
            g.by *= (1 + 2 * u) * (1 + (4 * (double)prime + 32) * 0x1p-24);
            n /= prime, stages++;
        }
        g.by *= square(1 + 2 * u) * (1 + 0x1p-18);
        while (power < p->size[d]) power *= 2;
        if (prescale) g.divided *= (double)power;
        if (!prescale) g.added *= (double)p->size[d];
        g.added += sqrt(2) * eta * (double)(p->size[d] * (1 + stages));
    }
    g.added *= g.by;
    return g;
}

/* The walk keeps the largest number on the way beside the ranges. */
static double inside, inside_growth;

static void fft_forward(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_fft *fft = node->attr.fft;
    const mpno_range *x = in(w, node, 0);
    const growth g = grows(w, fft, node->attr.prescale);
    const double n = (double)mpno_fft_points(fft), s = fabs(node->attr.scale),
                 parts = mpno_fft_get_problem(fft)->kind == MPNO_FFT_COMPLEX ? sqrt(2) : 1,
                 share = narrow(fft) ? g.by - 1 : fft_errs(fft);
    double total = 0;
    for (int64_t k = 0; k < mpno_fft_modes(fft); k++) total += y->weights[k] = weight_at(fft, k);
    for (int64_t c = 0; c < y->channels; c++) {
        const double sum = n * parts * mean(x, c),
                     off = share * sum + g.added * g.divided + guard(w, 4 * n * sum);
        y->most[c] = s * sum + s * off;
        y->rms[c] = s * n * parts * x->rms[c] + s * off * sqrt(total);
        inside = greater(inside, g.by * (node->attr.prescale ? parts * x->most[c] : sum) + g.added);
    }
    inside_growth = g.by;
}

static void line_forward(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_columns *t = node->attr.columns;
    const mpno_range *x = in(w, node, 0);
    const double n = (double)t->n, s = fabs(t->mean), error = line_errs(t);
    for (int64_t c = 0; c < y->channels; c++) {
        const bool tamed = w->assume_tanh && w->tamed[node->out[0]];
        const double most = tamed ? lesser(x->most[c], 1) : x->most[c],
                     rms = tamed ? lesser(x->rms[c], 1) : x->rms[c];
        y->most[c] = lesser(most, rms * sqrt((double)t->lines)) * s * n * (1 + error) +
                     guard(w, 2 * n * most);
        y->rms[c] = rms * s * n * (1 + error * sqrt(2.0 * (double)t->keep));
    }
}

static double rest_errs(const mpno_columns *t) {
    return t->rest == NULL ? 0 : fft_errs(t->rest);
}

static void columns_forward(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_columns *t = node->attr.columns;
    const mpno_range *x = in(w, node, 0);
    const double lines = (double)t->lines;
    double total = 0;
    for (int64_t k = 0; k < t->modes; k++) total += y->weights[k] = twice(true, t->n, k % t->keep);
    for (int64_t c = 0; c < y->channels; c++) {
        const double sum = lines * mean(x, c) + guard(w, 4 * lines * lines * mean(x, c));
        y->most[c] = sum + sum * rest_errs(t);
        y->rms[c] = lines * x->rms[c] + sum * rest_errs(t) * sqrt(total);
    }
}

/* S7's bounds of a chain, and the largest v / w of the modes that are there. */
static double ends_at(walk *w, int edge, const double *v, int64_t keep, mpno_chain *chain) {
    const mpno_range *x = &w->edges[edge];
    const mpno_chain_end end = {v, keep};
    double most = 0;
    if (mpno_chain_bounds(w, edge, true, &end, chain) != MPNO_OK) fail();
    for (int64_t k = 0; k < w->graph->edges[edge].modes; k++)
        if (x->weights[k] > 0) most = greater(most, v[k] / x->weights[k]);
    return sqrt(most);
}

static void fft_inverse(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_fft *fft = node->attr.fft;
    const mpno_range *x = in(w, node, 0);
    const growth g = grows(w, fft, false);
    const double n = (double)mpno_fft_points(fft), s = fabs(node->attr.scale),
                 share = narrow(fft) ? g.by - 1 : fft_errs(fft),
                 planes = mpno_graph_grid(w->graph, node->out[0])->planes > 1 ? 2 : 1;
    double *v = calloc((size_t)mpno_fft_modes(fft), sizeof *v);
    mpno_chain chain;
    for (int64_t k = 0; k < mpno_fft_modes(fft); k++) v[k] = weight_at(fft, k);
    const double by = ends_at(w, node->in[0], v, 1, &chain);
    narrow_inverse += narrow(fft) && chain.sum[0] < INFINITY;
    chained += chain.rms[0] > 1.1 * x->rms[0] && chain.sum[0] < INFINITY;
    for (int64_t c = 0; c < y->channels; c++) {
        const double off = chain.sum[c] * share + g.added / s + guard(w, 4 * n * s * chain.sum[c]);
        y->most[c] = chain.sum[c] * s + off * s;
        y->rms[c] = lesser(x->rms[c], chain.rms[c]) * by / sqrt(planes) * s + off * s;
        inside = greater(inside, g.by * 2 * s * chain.sum[c] + g.added);
    }
    inside_growth = g.by;
    free(v);
    mpno_chain_clear(w->ctx, &chain);
}

static void columns_inverse(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_columns *t = node->attr.columns;
    const mpno_range *x = in(w, node, 0);
    const double u = 1 + 2 * unit(w), share = rest_errs(t);
    double *v = calloc((size_t)t->modes, sizeof *v), *slack,
           *b = node->n_in > 1 && node->in[1] >= 0 ? weights(w, node, 1, &slack) : NULL;
    mpno_chain chain;
    for (int64_t k = 0; k < t->modes; k++) v[k] = twice(true, t->n, k % t->keep);
    const double by = ends_at(w, node->in[0], v, t->keep, &chain);
    for (int64_t c = 0; c < y->channels; c++) {
        const double more = b == NULL ? 0 : (fabs(b[c]) + slack[c]) / fabs(t->mean),
                     off = chain.sum[c] * share + guard(w, 4 * (double)t->lines * chain.sum[c]);
        y->most[c] = u * (chain.column[c] + chain.column[c] * share + more);
        y->field[c] = u * (chain.sum[c] + off + more);
        y->rms[c] = u * (lesser(x->rms[c], chain.rms[c]) * by + off + more);
    }
    free(v);
    mpno_free(w->ctx, b);
    mpno_chain_clear(w->ctx, &chain);
}

static void field_of(const mpno_columns *t, const mpno_range *x, int64_t c, double *most,
                     double *rms) {
    double all = 0;
    for (int64_t k = 0; k < t->keep; k++) all += twice(true, t->n, k);
    all = lesser(all * x->most[c], x->field[c]);
    *most = fabs(t->mean) * all * (1 + line_errs(t));
    *rms = lesser(*most, fabs(t->mean) * (x->rms[c] + all * line_errs(t)));
}

static void line_inverse(walk *w, const mpno_node *node, mpno_range *y) {
    for (int64_t c = 0; c < y->channels; c++)
        field_of(node->attr.columns, in(w, node, 0), c, &y->most[c], &y->rms[c]);
}

static void columns_moments(walk *w, const mpno_node *node, mpno_range *y) {
    for (int64_t c = 0; 2 * c < y->channels; c++) {
        double most, rms;
        field_of(node->attr.columns, in(w, node, 0), c, &most, &rms);
        put_sums(y, c, points(w, node->in[0]), lesser(most, rms), rms);
    }
}

static void line_normalize(walk *w, const mpno_node *node, mpno_range *y) {
    const mpno_range *x = in(w, node, 0);
    double room[4][WIDEST], off = 0;
    const mpno_range field = {
        .channels = x->channels, .most = room[0], .rms = room[1], .low = room[2], .high = room[3]};
    for (int64_t c = 0; c < x->channels; c++) {
        field_of(node->attr.columns, x, c, &field.most[c], &field.rms[c]);
        field.low[c] = -field.most[c], field.high[c] = field.most[c];
        off = greater(off, 2 * line_errs(node->attr.columns) * field.most[c]);
    }
    normalized(w, node, &field, off, y);
}

static const struct {
    const mpno_op *op;
    formula *expected;
} formulas[] = {
    {&mpno_op_stage, same},
    {&mpno_op_take_channels, same},
    {&mpno_op_times_i, times_i},
    {&mpno_op_grid_embed, grid_embed},
    {&mpno_op_add, add},
    {&mpno_op_bias, bias},
    {&mpno_op_gate, gate},
    {&mpno_op_scale, scale},
    {&mpno_op_gelu, gelu},
    {&mpno_op_tanh, hyperbolic},
    {&mpno_op_squash, squash},
    {&mpno_op_learned_tanh, learned_tanh},
    {&mpno_op_pad, moved},
    {&mpno_op_crop, moved},
    {&mpno_op_interpolate, interpolate},
    {&mpno_op_linear, product},
    {&mpno_op_convolve, product},
    {&mpno_op_sample_sums, sample_sums},
    {&mpno_op_spread_sums, spread_sums},
    {&mpno_op_average_samples, average},
    {&mpno_op_moments, moments},
    {&mpno_op_running_moments, running_moments},
    {&mpno_op_modulate, modulate},
    {&mpno_op_sigma_clip, sigma_clip},
    {&mpno_op_normalize, normalize},
    {&mpno_op_fft_forward, fft_forward},
    {&mpno_op_fft_inverse, fft_inverse},
    {&mpno_op_line_forward, line_forward},
    {&mpno_op_line_inverse, line_inverse},
    {&mpno_op_columns_forward, columns_forward},
    {&mpno_op_columns_inverse, columns_inverse},
    {&mpno_op_columns_moments, columns_moments},
    {&mpno_op_line_normalize, line_normalize},
};
enum { N_FORMULAS = sizeof formulas / sizeof formulas[0] };

/* -------- nodes of random networks -------- */

static double uniform(double low, double high) {
    return low + (high - low) * mpno_rng_uniform(&rng);
}

/* Of all signs; narrow and wide; rms mostly below the largest number. */
static void draw_range(const walk *w, int edge, double size) {
    mpno_range *r = &w->edges[edge];
    const mpno_edge_kind kind = w->graph->edges[edge].kind;
    for (int64_t c = 0; c < r->channels; c++) {
        const double centre = uniform(-1.5, 1.5), half = uniform(0.05, 2);
        r->low[c] = size * (centre - half), r->high[c] = size * (centre + half);
        r->most[c] = greater(-r->low[c], r->high[c]);
        if (kind != MPNO_EDGE_FIELD) r->low[c] = -INFINITY, r->high[c] = INFINITY;
        r->rms[c] = r->most[c] * uniform(0.3, 1.05);
        r->field[c] = r->most[c] * uniform(1, 6);
    }
}

static void clear(mpno_range *r) {
    for (int64_t c = 0; c < r->channels; c++) {
        r->most[c] = r->rms[c] = r->field[c] = r->high[c] = INFINITY;
        r->low[c] = -INFINITY;
    }
}

/* What is no number is no bound, as infinity. */
static bool near(double a, double b, double size) {
    if (!isfinite(a) && !isfinite(b)) return signbit(a) == signbit(b) || a != a || b != b;
    return isfinite(a) && isfinite(b) && fabs(a - b) <= 1e-11 * fabs(b) + 1e-13 * size;
}

static void compare(const walk *w, const mpno_node *node, const mpno_range *y,
                    const mpno_range *known, const char *text) {
    const bool field = w->graph->edges[node->out[0]].kind == MPNO_EDGE_FIELD;
    for (int64_t c = 0; c < y->channels; c++) {
        const double size = y->most[c] < INFINITY ? y->most[c] : 0;
        const bool signs = !field || (near(y->low[c], known->low[c], size) &&
                                      near(y->high[c], known->high[c], size));
        if (!signs || !near(y->most[c], known->most[c], 0) || !near(y->rms[c], known->rms[c], 0) ||
            !near(y->field[c], known->field[c], 0))
            fail_msg(
                "%s: %s, channel %d: %.12g (%.12g .. %.12g), rms %.12g, sum %.12g, but its "
                "statement says %.12g (%.12g .. %.12g), %.12g, %.12g",
                text, node->op->name, (int)c, y->most[c], y->low[c], y->high[c], y->rms[c],
                y->field[c], known->most[c], known->low[c], known->high[c], known->rms[c],
                known->field[c]);
    }
    for (int64_t k = 0; y->weights != NULL && k < w->graph->edges[node->out[0]].modes; k++)
        assert_true(y->weights[k] == known->weights[k]);
}

static void check_node(walk *w, const mpno_node *node, formula *expected, double size,
                       const char *text) {
    double room[5][WIDEST], modes[4096];
    mpno_range *y = &w->edges[node->out[0]], known = *y;
    assert_true(y->channels <= WIDEST && w->graph->edges[node->out[0]].modes <= 4096);
    known.most = room[0], known.rms = room[1], known.field = room[2];
    known.low = room[3], known.high = room[4];
    if (y->weights != NULL) known.weights = modes;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && w->edges[node->in[i]].most != NULL &&
            w->graph->edges[node->in[i]].kind != MPNO_EDGE_BLOCKS)
            draw_range(w, node->in[i], size);
    clear(y), clear(&known);
    const int n = w->graph->edges[node->out[0]].producer;
    w->inside[n] = inside = 0, inside_growth = 0;
    assert_int_equal(mpno_range_rule_of(node->op)(w, node), MPNO_OK);
    expected(w, node, &known);
    compare(w, node, y, &known, text);
    if (!(w->inside[n] > 0)) return;
    assert_true(near(w->inside[n], inside, 0) && near(w->growth[n], inside_growth, 0));
}

/* Those that may be met near the end of the format, and at last, for chains from here on, plain
 * ones. */
static void check_sizes(walk *w, const mpno_node *node, int f, const char *text) {
    for (int size = 35; size >= -1; size--)
        check_node(w, node, formulas[f].expected, size < 0 ? 1 : ldexp(1, 93 + size), text);
}

static void check_walk(const mpno_model *model, const mpno_network *network, uint64_t seed,
                       const char *text, int *met) {
    walk w;
    assert_int_equal(mpno_range_open_network(model, network, &w), MPNO_OK);
    w.assume_bf16 = seed % 7 == 0, w.assume_tanh = seed % 4 == 1;
    w.capacity = 1 + (int64_t)(seed % 3);
    mpno_range_input(&w, mpno_network_edges(network)->input, 1);
    if (mpno_network_edges(network)->embedding >= 0)
        mpno_range_input(&w, mpno_network_edges(network)->embedding, 1);
    assert_int_equal(mpno_range_run(&w), MPNO_OK); /* weights of modes, blocks */
    for (int n = 0; n < w.n_nodes; n++) {
        const mpno_node *node = &w.graph->nodes[n];
        mpno_node other = *node; /* ops that no network has in its forward pass */
        for (int f = 0; f < N_FORMULAS; f++) {
            const bool lone = formulas[f].op == &mpno_op_take_channels ||
                              formulas[f].op == &mpno_op_spread_sums ||
                              formulas[f].op == &mpno_op_average_samples;
            other.op = formulas[f].op;
            if (lone && node->op == &mpno_op_tanh) check_sizes(&w, &other, f, text), met[f]++;
            if (formulas[f].op != node->op || node->attr.adjoint) continue;
            check_sizes(&w, node, f, text), met[f]++;
            other.attr.batch = true; /* of so many samples that sums lose digits */
            w.capacity = (int64_t)1 << 32;
            if (!node->attr.fixed &&
                (node->op == &mpno_op_sigma_clip || node->op == &mpno_op_normalize ||
                 node->op == &mpno_op_line_normalize))
                check_sizes(&w, &other, f, text);
            w.capacity = 1 + (int64_t)(seed % 3);
            other.attr.batch = node->attr.batch;
        }
    }
    mpno_range_close(&w);
}

static void one_network(mpno_ctx *ctx, uint64_t seed, int *met) {
    quad_case q;
    quad_case_draw(ctx, seed, MPNO_F32, &q);
    mpno_network_opts opts = quad_case_low_opts(&q);
    opts.unfused = seed % 5 == 0;
    if (seed % 3 == 0) opts.transform_arithmetic = q.half;
    if (seed % 5 == 2) far_means(q.model);
    if (q.config.factorization == MPNO_FACTORIZATION_DENSE) { /* copies that are off */
        opts.storage.rounding = (mpno_rounding)(seed % 4 < 2 ? 1 + seed % 2 : 0);
        if (seed % 9 == 4) opts.storage.scaling = MPNO_SCALING_TENSOR;
    }
    mpno_network *network = make_network(ctx, q.model, &opts);
    check_walk(q.model, network, seed, quad_case_text(&q, seed), met);
    mpno_network_destroy(&network);
    quad_case_drop(&q);
}

/* Skips over a change of grid, on the other library's grids. */
static void skips_that_interpolate(mpno_ctx *ctx, int *met) {
    const int64_t grid[2] = {6, 5};
    mpno_fno_config c = small_config(2);
    c.compat = MPNO_COMPAT_NEURALOP;
    c.resolution_scaling_factor[0][0] = 2, c.resolution_scaling_factor[0][1] = 1;
    mpno_model *model = make_model(ctx, &c, MPNO_F32);
    const mpno_network_opts opts = make_opts(2, grid, 1, false, "full", MPNO_F16);
    mpno_network *network = make_network(ctx, model, &opts);
    check_walk(model, network, 1, "interpolated", met);
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
}

static void rules_are_their_statements(void **state) {
    int met[N_FORMULAS] = {0};
    for (uint64_t seed = 0; seed < CASES; seed++) one_network(*state, seed, met);
    skips_that_interpolate(*state, met);
    assert_true(narrow_met > 0 && narrow_inverse > 0 && chained > 0);
    for (int f = 0; f < N_FORMULAS; f++)
        if (met[f] == 0) fail_msg("no network has a %s", formulas[f].op->name);
}

static int setup(void **state) {
    rng = mpno_rng_make(31, MPNO_STREAM_TEST, 6);
    *state = make_ctx(1);
    return 0;
}

static int teardown(void **state) {
    drop_ctx(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_their_statements),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
