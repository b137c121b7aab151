/* SPDX-License-Identifier: MIT
 * Contractions, from the spectrum that is known to the edge that is asked for, mode by mode. Of a
 * mode three things are carried (S7): the matrix M from the channels t of the source to those of
 * here, the matrix D of what roundings may add, and a vector e, so that
 *
 *     | z[o] - sum_i t[i] M[i][o] |  <=  sum_i |t[i]| D[i][o] + e[o]
 *
 * for what the network computes. Then |z[o]| <= sum_i |t[i]| B[i][o] + e[o], B = |M| + D, and by
 * the inequality of Cauchy and Schwarz
 *
 *     sum_k v |z[o]| <= sum_i (sum_k w |t[i]|^2)^(1/2) (sum_k v^2/w B[i][o]^2)^(1/2) + sum_k v e[o]
 */
#include "certify/range/chain.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"

enum { LONGEST = 16 };

typedef struct links {
    int node[LONGEST], n; /* from the source on */
    int source;           /* edge */
} links;

static bool is_link(const mpno_op *op) {
    return op == &mpno_op_contract || op == &mpno_op_scale_modes ||
           op == &mpno_op_contract_low_rank || op == &mpno_op_take_modes;
}

/* Where storing may change a number by more than a share of it, what is linear ends. */
static bool ends(const mpno_range_walk *w, int edge) {
    return mpno_range_rounding_of(w, edge, mpno_range_most(w, edge)).saturates;
}

static links follow(const mpno_range_walk *w, int edge, bool stored) {
    const mpno_graph *g = w->graph;
    int back[LONGEST];
    links l = {.source = edge};
    for (int producer = g->edges[edge].producer; producer >= 0 && l.n < LONGEST;) {
        const mpno_node *node = &g->nodes[producer];
        const bool here = l.source == edge;
        if (!is_link(node->op) || node->attr.adjoint) break;
        if ((!here || stored) && ends(w, l.source)) break;
        back[l.n++] = producer;
        l.source = node->in[0];
        producer = g->edges[l.source].producer;
    }
    for (int i = 0; i < l.n; i++) l.node[i] = back[l.n - 1 - i];
    return l;
}

/* One mode on its way. Matrices [sources][channels of here]. */
typedef struct way {
    const mpno_range_walk *w;
    int64_t sources, here, widest;
    double *re, *im, *off, *error;             /* M, D, e */
    double *to_re, *to_im, *to_off, *to_error; /* of the next step */
    double *values, *slack, *sizes;            /* of a weight's block; |W| + slack */
    const double *size;                        /* |t[i]| in this mode at most */
    bool identity;                             /* M is 1, D and e are 0: not filled in */
    double largest;                            /* of all numbers met */
} way;

/* Of a complex number, rounded up: squares that vanish are of numbers below 1e-153. */
static double modulus(double a, double b) {
    return sqrt(a * a + b * b) + 1e-150;
}

/* The larger one; what is not a number is infinite, and stays so. */
static void raise_to(double *to, double x) {
    if (!(x <= *to)) *to = x > *to ? x : INFINITY;
}

static void swap(double **a, double **b) {
    double *c = *a;
    *a = *b, *b = c;
}

/* x W, W the block that was read, with the roundings of an arithmetic that errs by `share` of the
 * sum of magnitudes, stored by r. */
static void multiply(way *p, const mpno_weight *weight, double share,
                     const mpno_range_rounding *r) {
    const int64_t outputs = weight->cols, plane = weight->rows * weight->cols;
    const double *value = p->values, *slack = p->slack;
    for (int64_t k = 0; k < plane; k++)
        p->sizes[k] = modulus(value[k], value[plane + k]) + slack[k];
    for (int64_t i = 0; i < p->sources; i++) {
        double *re = p->to_re + i * outputs, *im = p->to_im + i * outputs,
               *off = p->to_off + i * outputs;
        memset(re, 0, (size_t)outputs * sizeof *re);
        memset(im, 0, (size_t)outputs * sizeof *im);
        memset(off, 0, (size_t)outputs * sizeof *off);
        const int64_t first = p->identity ? i : 0, last = p->identity ? i + 1 : p->here;
        for (int64_t j = first; j < last; j++) {
            const double a = p->identity ? 1 : p->re[i * p->here + j],
                         b = p->identity ? 0 : p->im[i * p->here + j],
                         d = p->identity ? 0 : p->off[i * p->here + j], m = modulus(a, b) + d;
            const double *wr = value + j * outputs, *wi = wr + plane, *ws = slack + j * outputs,
                         *size = p->sizes + j * outputs;
            for (int64_t o = 0; o < outputs; o++) {
                re[o] += a * wr[o] - b * wi[o];
                im[o] += a * wi[o] + b * wr[o];
                off[o] += d * size[o] + m * (ws[o] + share * size[o]);
            }
        }
        for (int64_t o = 0; o < outputs; o++) off[o] += r->u * (modulus(re[o], im[o]) + off[o]);
    }
    for (int64_t o = 0; o < outputs; o++) {
        double e = 0;
        for (int64_t j = 0; !p->identity && j < p->here; j++)
            e += p->error[j] * p->sizes[j * outputs + o] * (1 + share);
        p->to_error[o] = e * (1 + r->u) + sqrt(2) * r->eta;
    }
    swap(&p->re, &p->to_re), swap(&p->im, &p->to_im), swap(&p->off, &p->to_off);
    swap(&p->error, &p->to_error);
    p->here = outputs, p->identity = false;
}

/* M = 1 written out, to be multiplied from the right. */
static void write_out(way *p) {
    if (!p->identity) return;
    const size_t n = (size_t)(p->sources * p->sources) * sizeof(double);
    memset(p->re, 0, n), memset(p->im, 0, n), memset(p->off, 0, n);
    memset(p->error, 0, (size_t)p->sources * sizeof(double));
    for (int64_t i = 0; i < p->sources; i++) p->re[i * p->sources + i] = 1;
    p->identity = false;
}

/* z[o] = x[o] s[o] */
static void scale(way *p, double share, const mpno_range_rounding *r) {
    const double *value = p->values, *slack = p->slack;
    write_out(p);
    for (int64_t o = 0; o < p->here; o++) {
        const double c = value[o], s = value[p->here + o], size = modulus(c, s),
                     loose = slack[o] + share * (size + slack[o]);
        for (int64_t i = 0; i < p->sources; i++) {
            const int64_t at = i * p->here + o;
            const double a = p->re[at], b = p->im[at], m = modulus(a, b) + p->off[at];
            p->re[at] = a * c - b * s, p->im[at] = a * s + b * c;
            p->off[at] = p->off[at] * size + m * loose;
            p->off[at] += r->u * (modulus(p->re[at], p->im[at]) + p->off[at]);
        }
        p->error[o] = p->error[o] * (size + loose) * (1 + r->u) + sqrt(2) * r->eta;
    }
}

/* Rounding of what is only stored: D += u B, e = (1 + u) e + eta. */
static void round_off(way *p, const mpno_range_rounding *r) {
    if (r->u == 0) return;
    write_out(p);
    for (int64_t at = 0; at < p->sources * p->here; at++)
        p->off[at] += r->u * (modulus(p->re[at], p->im[at]) + p->off[at]);
    for (int64_t o = 0; o < p->here; o++) p->error[o] = p->error[o] * (1 + r->u) + sqrt(2) * r->eta;
}

/* |z[o]| at most, with the source's largest numbers. */
static double size_here(const way *p, int64_t o) {
    double m = p->identity ? p->size[o] : p->error[o];
    for (int64_t i = 0; !p->identity && i < p->sources; i++) {
        const int64_t at = i * p->here + o;
        m += p->size[i] * (modulus(p->re[at], p->im[at]) + p->off[at]);
    }
    return m;
}

static void look(way *p) {
    for (int64_t o = 0; o < p->here; o++) raise_to(&p->largest, size_here(p, o));
}

/* A sum of n complex products: 2 n terms in each part, sqrt 2 for both (S7). */
static double share_of(const mpno_range_walk *w, int64_t n) {
    return 3 * (double)(n + 2) * mpno_range_unit(w);
}

/* One node's product in mode `mode` of its operand. */
static void step(way *p, const mpno_node *node, int64_t mode, const mpno_range_rounding *r) {
    const mpno_graph *g = p->w->graph;
    const mpno_range_rounding none = {0, 0, false};
    const int64_t block = node->attr.mode_rows != NULL ? node->attr.mode_rows[mode] : 0;
    if (node->op == &mpno_op_take_modes) {
        round_off(p, r);
    } else if (node->op == &mpno_op_scale_modes) {
        mpno_range_block(p->w, node, 1, block, p->values, p->slack);
        scale(p, share_of(p->w, 1), r);
    } else if (node->op == &mpno_op_contract) {
        const mpno_weight *wt = &g->weights[g->edges[node->in[1]].param];
        mpno_range_block(p->w, node, 1, block, p->values, p->slack);
        multiply(p, wt, share_of(p->w, wt->rows), r);
    } else { /* contract_low_rank: A, S of the mode, B */
        const mpno_weight *a = &g->weights[g->edges[node->in[1]].param],
                          *b = &g->weights[g->edges[node->in[3]].param];
        mpno_range_block(p->w, node, 1, 0, p->values, p->slack);
        multiply(p, a, share_of(p->w, a->rows), &none);
        look(p);
        mpno_range_block(p->w, node, 2, block, p->values, p->slack);
        scale(p, share_of(p->w, 1), &none);
        mpno_range_block(p->w, node, 3, 0, p->values, p->slack);
        multiply(p, b, share_of(p->w, b->rows), r);
    }
    look(p);
}

/* ---- all modes ---- */

typedef struct sums {
    const mpno_range_walk *w;
    links links;
    mpno_range_rounding rounding[LONGEST];
    mpno_chain_end end;
    const mpno_range *source;
    int64_t modes, channels;    /* of the edge */
    double *peak, *all, *group; /* [sources][channels]: largest B, sums of squares */
    double *squares, *rest, *group_rest, *plain, *size; /* of e, e, e, by most */
} sums;

/* Mode k of the edge in every tensor of the chain, modes[0] at the source; false: it is zero. */
static bool trace(const sums *s, int64_t k, int64_t *modes) {
    for (int i = s->links.n - 1; i >= 0; i--) {
        const mpno_node *node = &s->w->graph->nodes[s->links.node[i]];
        if (node->op == &mpno_op_take_modes) k = node->attr.take[k];
        if (k < 0) return false;
        modes[i] = k; /* of the operand of link i */
    }
    if (s->links.n == 0) modes[0] = k;
    return s->source->weights[modes[0]] > 0;
}

static void add_mode(sums *s, const way *p, int64_t k, double weight, mpno_chain *out) {
    const double v = s->end.weights != NULL ? s->end.weights[k] : 0;
    for (int64_t o = 0; o < s->channels; o++) {
        const double e = p->identity ? 0 : p->error[o], most = size_here(p, o);
        for (int64_t i = 0; i < p->sources; i++) {
            const int64_t at = i * s->channels + o;
            const double b =
                p->identity ? (i == o ? 1 : 0) : modulus(p->re[at], p->im[at]) + p->off[at];
            raise_to(&s->peak[at], b);
            s->all[at] += v * v / weight * b * b;
            s->group[at] += b * b / weight;
        }
        s->squares[o] += weight * e * e;
        s->rest[o] += v * e, s->group_rest[o] += e;
        s->plain[o] += v * most;
        raise_to(&out->most[o], most);
    }
}

/* sum_i rms[i] sqrt(squares[i][o]) */
static double by_squares(const sums *s, const double *squares, int64_t o) {
    double sum = 0;
    for (int64_t i = 0; i < s->source->channels; i++)
        if (squares[i * s->channels + o] != 0)
            sum += s->source->rms[i] * sqrt(squares[i * s->channels + o]);
    return sum;
}

static void end_group(sums *s, mpno_chain *out) {
    for (int64_t o = 0; o < s->channels; o++) {
        raise_to(&out->column[o], by_squares(s, s->group, o) + s->group_rest[o]);
        s->group_rest[o] = 0;
    }
    memset(s->group, 0, (size_t)(s->source->channels * s->channels) * sizeof(double));
}

static void one_mode(sums *s, way *p, int64_t k, mpno_chain *out) {
    int64_t modes[LONGEST];
    if (!trace(s, k, modes)) return;
    const double weight = s->source->weights[modes[0]];
    p->identity = true, p->here = p->sources;
    for (int64_t i = 0; i < p->sources; i++)
        s->size[i] = fmin(s->source->most[i], s->source->rms[i] / sqrt(weight));
    for (int i = 0; i < s->links.n; i++)
        step(p, &s->w->graph->nodes[s->links.node[i]], modes[i], &s->rounding[i]);
    add_mode(s, p, k, weight, out);
}

static void finish(sums *s, const way *p, mpno_chain *out) {
    const bool lost = !(p->largest <= mpno_format_max(s->w->policy.base));
    for (int64_t o = 0; o < s->channels; o++) {
        double rms = sqrt(s->squares[o]);
        for (int64_t i = 0; i < s->source->channels; i++) {
            const double peak = s->peak[i * s->channels + o];
            if (peak != 0) rms += s->source->rms[i] * peak;
        }
        out->rms[o] = lost ? INFINITY : rms;
        out->sum[o] = lost ? INFINITY : fmin(by_squares(s, s->all, o) + s->rest[o], s->plain[o]);
        if (lost) out->most[o] = out->column[o] = INFINITY;
    }
}

/* Channels and numbers of the widest tensor and weight block on the way. */
static void measure(const links *l, const mpno_graph *g, int64_t *widest, size_t *block) {
    *widest = g->edges[l->source].channels, *block = 1;
    for (int i = 0; i < l->n; i++) {
        const mpno_node *node = &g->nodes[l->node[i]];
        if (g->edges[node->out[0]].channels > *widest) *widest = g->edges[node->out[0]].channels;
        for (int k = 1; k < node->n_in; k++) {
            const mpno_weight *wt = &g->weights[g->edges[node->in[k]].param];
            const size_t n = (size_t)(wt->rows * wt->cols);
            if (n > *block) *block = n;
            if (wt->cols > *widest) *widest = wt->cols;
        }
    }
}

void mpno_chain_clear(mpno_ctx *ctx, mpno_chain *chain) {
    mpno_free(ctx, chain->most);
    *chain = (mpno_chain){0};
}

static void run(sums *s, way *p, mpno_chain *out) {
    const int64_t keep = s->end.keep > 0 ? s->end.keep : 1, lines = s->modes / keep;
    for (int64_t j = 0; j < keep; j++) {
        for (int64_t line = 0; line < lines; line++) one_mode(s, p, line * keep + j, out);
        end_group(s, out);
    }
    finish(s, p, out);
}

/* All the memory of a run, one piece after the other. */
static mpno_status take_room(sums *s, way *p, double **room) {
    int64_t widest;
    size_t block;
    measure(&s->links, s->w->graph, &widest, &block);
    const size_t n = (size_t)s->source->channels, matrix = n * (size_t)widest,
                 square = n * (size_t)s->channels, c = (size_t)s->channels,
                 total = 6 * matrix + 2 * (size_t)widest + 4 * block + 3 * square + 4 * c + n;
    MPNO_TRY(mpno_alloc_array(s->w->ctx, total, sizeof(double), room));
    double *at = *room;
    double **const matrices[] = {&p->re, &p->im, &p->off, &p->to_re, &p->to_im, &p->to_off};
    for (int i = 0; i < 6; i++) *matrices[i] = at, at += matrix;
    p->error = at, p->to_error = at += widest, at += widest;
    p->values = at, p->slack = at += 2 * block, p->sizes = at += block, at += block;
    s->peak = at, s->all = at += square, s->group = at += square, at += square;
    s->squares = at, s->rest = at += c, s->group_rest = at += c, s->plain = at += c;
    s->size = at + c;
    p->size = s->size, p->sources = (int64_t)n;
    return MPNO_OK;
}

mpno_status mpno_chain_bounds(const mpno_range_walk *w, int edge, bool stored,
                              const mpno_chain_end *end, mpno_chain *out) {
    const mpno_edge *e = &w->graph->edges[edge];
    sums s = {.w = w, .links = follow(w, edge, stored), .modes = e->modes, .channels = e->channels};
    way p = {.w = w};
    double *room;
    if (end != NULL) s.end = *end;
    s.source = &w->edges[s.links.source];
    for (int i = 0; i < s.links.n; i++) {
        const int to = w->graph->nodes[s.links.node[i]].out[0];
        if (to != edge || stored)
            s.rounding[i] = mpno_range_rounding_of(w, to, mpno_range_most(w, to));
    }
    *out = (mpno_chain){0};
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)(4 * s.channels), sizeof(double), &out->most));
    out->rms = out->most + s.channels, out->sum = out->rms + s.channels;
    out->column = out->sum + s.channels;
    const mpno_status status = take_room(&s, &p, &room);
    if (status != MPNO_OK) {
        mpno_chain_clear(w->ctx, out);
        return status;
    }
    run(&s, &p, out);
    mpno_free(w->ctx, room);
    return MPNO_OK;
}

/* ---- rules ---- */

mpno_status mpno_range_contraction(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const int64_t modes = w->graph->edges[node->out[0]].modes;
    mpno_chain chain;
    memcpy(y->weights, x->weights, (size_t)modes * sizeof *y->weights);
    MPNO_TRY(mpno_chain_bounds(w, node->out[0], false, NULL, &chain));
    for (int64_t c = 0; c < y->channels; c++) y->most[c] = chain.most[c], y->rms[c] = chain.rms[c];
    mpno_chain_clear(w->ctx, &chain);
    return MPNO_OK;
}

mpno_status mpno_range_take_modes(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t k = 0; k < node->attr.n_modes; k++) {
        const int32_t from = node->attr.take[k];
        y->weights[k] = from < 0 ? 0 : x->weights[from];
    }
    for (int64_t c = 0; c < y->channels; c++) y->most[c] = x->most[c], y->rms[c] = x->rms[c];
    return MPNO_OK;
}
