/* SPDX-License-Identifier: MIT
 * Every step of the walk of SET certificates is the formula of its statement in docs/theory/set.md,
 * which stands here once more: what operations pass on of random differences, asked of the nodes of
 * random networks; sizes, drifts, errors and slopes as the walk left them; norms of weights and of
 * copies; and the Lipschitz constant of a block. That errors keep to them is what test_set looks
 * for, in which bounds are so far above errors that few terms are seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "certify/set/block.h"
#include "certify/set/walk.h"
#include "certify/spectral_norm.h"
#include "core/memory.h"
#include "model/network.h"
#include "number/format.h"
#include "support/quad_case.h"
#include "unit/model/support.h"

enum { CASES = 240 };
static const double MORE = 1 + 1e-9;
static mpno_rng rng;
static mpno_ctx *ctx;
static int met[12];
enum { FIXED, GROUPS, LINES, CLIP, MODULATE, BF16, HEART, LINEARS, COPIED, DRIFT, MADE, SMALL };
static const char *const kinds[] = {"norm by running statistics",
                                    "norm by groups",
                                    "norm of columns",
                                    "clip",
                                    "modulation",
                                    "product in bf16",
                                    "heart",
                                    "pair of linears",
                                    "copy of a weight",
                                    "drift that passes",
                                    "heart made of factors",
                                    "small answer"};

#define assert_near(a, b)                                                                    \
    do {                                                                                     \
        const double a_ = (a), b_ = (b);                                                     \
        if (!(a_ == b_ || (isfinite(b_) && fabs(a_ - b_) <= 1e-11 * fabs(b_)) ||             \
              (!isfinite(a_) && !isfinite(b_))))                                             \
            fail_msg("line %d: %s is %.15g, %s %.15g (%s)", __LINE__, #a, a_, #b, b_, text); \
    } while (0)
static const char *text = "";

static double greater(double a, double b) {
    return a > b ? a : b;
}

static double lesser(double a, double b) {
    return a < b ? a : b;
}

static double channels(const mpno_set_walk *s, int edge) {
    return (double)s->graph->edges[edge].channels;
}

static double points(const mpno_set_walk *s, int edge) {
    return (double)mpno_graph_grid(s->graph, edge)->points;
}

static double unit(const mpno_set_walk *s) {
    (void)s;
    return 0x1p-24;
}

/* -------- what an operation passes on -------- */

static mpno_bound_call call_again(const mpno_set_walk *s, const mpno_node *node, const double *off,
                                  mpno_set_question q) {
    mpno_bound_call c = {.graph = s->graph,
                         .node = node,
                         .arithmetic = MPNO_F32,
                         .captured = -1,
                         .unit = q == MPNO_SET_SLOPE ? 0x1p-53 : 0x1p-24,
                         .eta = q == MPNO_SET_SLOPE ? 0 : 0x1p-150};
    if (q == MPNO_SET_ERROR || q == MPNO_SET_DRIFT) c.out = s->edges[node->out[0]];
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0) continue;
        const mpno_bound *e = &s->edges[node->in[i]];
        const mpno_edge_kind kind = s->graph->edges[node->in[i]].kind;
        c.in[i] = *e;
        if (kind == MPNO_EDGE_PARAM) {
            if (q == MPNO_SET_NORM || q == MPNO_SET_DRIFT)
                c.in[i].norm = e->norm + e->error, c.in[i].most = e->most + e->error;
            c.in[i].error = q == MPNO_SET_ERROR ? e->error : 0;
            if (q == MPNO_SET_SLOPE) c.in[i].frobenius = 0;
        } else if (kind == MPNO_EDGE_BLOCKS) {
            c.in[i].error = q == MPNO_SET_ERROR ? s->error[node->in[i]] : 0;
        } else {
            c.in[i].error = off[node->in[i]];
            if (q == MPNO_SET_SLOPE) c.in[i].norm = 0;
        }
    }
    return c;
}

/* k roundings of a field of this norm. */
static double rounding(const mpno_bound_call *c, double k, double size) {
    return k * c->unit / (1 - k * c->unit) * size +
           k * c->eta * sqrt((double)c->graph->edges[c->node->out[0]].channels);
}

static double by_groups(const mpno_set_walk *s, const mpno_bound_call *c, double x_off,
                        double x_norm, double apart, mpno_set_question q) {
    const mpno_attr *a = &c->node->attr;
    const int g = c->node->in[2], b = c->node->in[3];
    const double gamma = g < 0 ? 1 : s->edges[g].most, n = channels(s, c->node->out[0]),
                 share = points(s, c->node->in[0]) * n / (double)a->groups * 0x1p-51,
                 root = sqrt(a->eps);
    if (a->batch) return INFINITY;
    met[GROUPS]++;
    const double off = x_off * gamma / root;
    if (q == MPNO_SET_SLOPE) return off;
    const double statistics = gamma * (apart / root + share * x_norm / root +
                                       sqrt(n) * 1.5 * share * x_norm * x_norm / a->eps);
    return off + (q == MPNO_SET_ERROR ? statistics : 0) +
           rounding(c, 16, 2.002 * gamma * x_norm / root + (b < 0 ? 0 : s->edges[b].frobenius));
}

static double *values_of(const mpno_set_walk *s, const mpno_node *node, int i) {
    double *v = NULL;
    if (node->in[i] >= 0)
        assert_int_equal(mpno_range_values(&s->ranges, node, i, &v, NULL), MPNO_OK);
    return v;
}

static double by_running(const mpno_set_walk *s, const mpno_bound_call *c, double x_off,
                         double x_norm, mpno_set_question q) {
    const mpno_node *node = c->node,
                    *from = &s->graph->nodes[s->graph->edges[node->in[1]].producer];
    double *m = values_of(s, from, 1), *v = values_of(s, from, 2), *g = values_of(s, node, 2),
           gain = 0, lost = 0, squares = 0;
    met[FIXED]++;
    for (int64_t i = 0; i < s->graph->edges[node->out[0]].channels; i++) {
        const double size = g == NULL ? 1 : fabs(g[i]), miss = 0x1p-48 * (v[i] + m[i] * m[i]),
                     most = size / sqrt(greater(0, v[i] - miss) + node->attr.eps);
        gain = greater(gain, most), squares += m[i] * m[i];
        lost = greater(lost, most - size / sqrt(v[i] + miss + node->attr.eps));
    }
    mpno_free(ctx, m);
    mpno_free(ctx, v);
    mpno_free(ctx, g);
    const double mean = sqrt(squares), beta = node->in[3] < 0 ? 0 : s->edges[node->in[3]].frobenius;
    if (q == MPNO_SET_SLOPE) return x_off * gain;
    return x_off * gain + (q == MPNO_SET_ERROR ? lost * x_norm + lost * mean : 0) +
           rounding(c, 16, gain * 1.001 * x_norm + gain * 2.002 * mean + beta);
}

static double clipped(const mpno_set_walk *s, const mpno_bound_call *c, mpno_set_question q) {
    const int in = c->node->in[0];
    const double share = points(s, in) * channels(s, in) * 0x1p-51, x = c->in[0].norm;
    if (c->node->attr.batch) return INFINITY;
    met[CLIP]++;
    if (q == MPNO_SET_SLOPE) return c->in[0].error * 3 / 2;
    return c->in[0].error * 3 / 2 + rounding(c, 4, 3 * x) +
           (q == MPNO_SET_ERROR ? 2.5 * s->drift[in] + x * (share + 2 * sqrt(3 * share)) : 0);
}

static double modulated(const mpno_set_walk *s, const mpno_bound_call *c) {
    const mpno_bound *x = &c->in[0], *f = &c->in[1];
    met[MODULATE]++;
    return f->most * x->error + f->error * x->most + f->error + f->error * x->error +
           rounding(c, 4,
                    f->most * (x->norm +
                               (c->node->attr.no_shift ? 0 : sqrt(channels(s, c->node->in[0])))));
}

static double in_bf16(const mpno_set_walk *s, const mpno_bound_call *c) {
    const mpno_bound *x = &c->in[0], *w = &c->in[1];
    if (!mpno_node_computes_bf16(s->graph, c->node, &s->ranges.policy)) return 0;
    if (c->node->op == &mpno_op_gelu || c->node->op == &mpno_op_tanh) return x->norm * 0x1p-18;
    if (c->node->op != &mpno_op_linear) return INFINITY;
    met[BF16]++;
    const double n = channels(s, c->node->in[0]), m = channels(s, c->node->out[0]);
    return (w->norm + w->error) * (x->norm * 0x1p-8 + sqrt(n) * 0x1p-126) +
           sqrt(m) * 0x1p-126 * (n + sqrt(n) * (x->norm + w->frobenius));
}

static double copies(const mpno_bound_call *c) {
    if (c->node->op == &mpno_op_bias) return c->in[1].error;
    if (c->node->op == &mpno_op_linear) return c->in[0].norm * c->in[1].error + c->in[2].error;
    if (c->node->op != &mpno_op_convolve) return 0;
    const mpno_weight *w = &c->graph->weights[c->graph->edges[c->node->in[1]].param];
    return c->in[0].norm * c->in[1].error * (double)w->blocks;
}

static double pass_again(const mpno_set_walk *s, const mpno_node *node, const double *off,
                         mpno_set_question q) {
    const mpno_op *op = node->op;
    mpno_bound_call c = call_again(s, node, off, q);
    const bool fixed = node->attr.fixed, norm = op == &mpno_op_normalize,
               line = op == &mpno_op_line_normalize;
    if (q == MPNO_SET_NORM && (norm || line || op == &mpno_op_sigma_clip ||
                               op == &mpno_op_modulate || op == &mpno_op_squash))
        return INFINITY;
    if (norm && fixed) return by_running(s, &c, c.in[0].error, c.in[0].norm, q);
    if (norm) return by_groups(s, &c, c.in[0].error, c.in[0].norm, s->drift[node->in[0]], q);
    if (op == &mpno_op_sigma_clip) return clipped(s, &c, q);
    if (op == &mpno_op_modulate) return modulated(s, &c);
    if (op == &mpno_op_average_samples) return 0;
    if (line) { /* the columns' field, of which it is the norm */
        mpno_node inverse = *node;
        mpno_bound_call field = c;
        inverse.op = &mpno_op_line_inverse, inverse.n_in = 1, field.node = &inverse;
        const double x_off = mpno_op_line_inverse.bound(&field);
        field.in[0].error = c.in[0].norm;
        const double x_norm = mpno_op_line_inverse.bound(&field);
        field.in[0].error = 0;
        met[LINES]++;
        return fixed ? by_running(s, &c, x_off, x_norm, q)
                     : by_groups(s, &c, x_off, x_norm, mpno_op_line_inverse.bound(&field), q);
    }
    if (op->bound == NULL) return INFINITY;
    const double bf16 = q == MPNO_SET_SLOPE ? 0 : in_bf16(s, &c),
                 copy = q == MPNO_SET_ERROR ? copies(&c) : 0;
    met[COPIED] += copy > 0;
    return op->bound(&c) + bf16 + copy;
}

/* -------- what storing adds -------- */

static double stored_again(const mpno_set_walk *s, int edge, double norm) {
    const mpno_range_walk *r = &s->ranges;
    const mpno_edge *e = &s->graph->edges[edge];
    const mpno_format format = mpno_exec_format(r->exec, edge);
    if (!r->stored[edge] || format == MPNO_F32 || format == MPNO_F64) return 0;
    const bool blocks = e->kind == MPNO_EDGE_BLOCKS;
    const double most = blocks ? r->edges[edge].most[0] : mpno_range_most(r, edge);
    const mpno_range_rounding to = mpno_range_rounding_of(r, edge, most);
    if (to.saturates && !s->just_in_time) return INFINITY;
    if (mpno_exec_scaling(r->exec, edge) == MPNO_SCALING_NONE && !(most <= mpno_format_max(format)))
        return INFINITY;
    double numbers = (double)e->channels; /* of 2 parts, which weigh 2 at most */
    if (e->kind == MPNO_EDGE_SPECTRUM || e->kind == MPNO_EDGE_COLUMNS)
        numbers = 4 * (double)(e->channels * e->modes);
    if (blocks) numbers = (double)mpno_weight_count(&s->graph->weights[e->param]);
    return to.u / (1 - to.u) * norm + to.eta * sqrt(numbers);
}

/* -------- the walk -------- */

static double by_range(const mpno_set_walk *s, int edge) {
    const mpno_range *r = &s->ranges.edges[edge];
    double sum = 0;
    for (int64_t c = 0; c < r->channels; c++) {
        const double x = s->graph->edges[edge].kind == MPNO_EDGE_SUMS ? r->most[c] : r->rms[c];
        sum += x * x;
    }
    return MORE * sqrt(sum);
}

static double at_zero(const mpno_set_walk *s, const mpno_node *node) {
    const int b = node->n_in > 1 ? node->in[1] : -1, c = node->n_in > 2 ? node->in[2] : -1;
    if (node->op == &mpno_op_linear) return c < 0 ? 0 : s->edges[c].frobenius;
    if (node->op == &mpno_op_bias) return s->edges[b].frobenius;
    if (node->op == &mpno_op_columns_inverse && b >= 0)
        return s->edges[b].frobenius / fabs(node->attr.columns->mean);
    double sum = 0;
    if (node->op != &mpno_op_grid_embed) return 0;
    const mpno_range *y = &s->ranges.edges[node->out[0]];
    for (int64_t i = s->graph->edges[node->in[0]].channels; i < y->channels; i++)
        sum += y->rms[i] * y->rms[i];
    return MORE * sqrt(sum);
}

static double error_again(const mpno_set_walk *s, const mpno_node *node, const double *off) {
    return MORE * (pass_again(s, node, off, MPNO_SET_ERROR) +
                   stored_again(s, node->out[0], s->norm[node->out[0]]));
}

static double heart_again(const mpno_set_walk *s, const mpno_set_heart *h, const mpno_node *node,
                          double before_k, double before_w) {
    double *local = malloc((size_t)s->graph->n_edges * sizeof *local);
    assert_non_null(local);
    memcpy(local, s->error, (size_t)s->graph->n_edges * sizeof *local);
    local[h->x] = before_k;
    for (int i = h->n_nodes - 1; i >= 0; i--) {
        const mpno_node *inner = &s->graph->nodes[h->nodes[i]];
        local[inner->out[0]] = error_again(s, inner, local);
    }
    local[h->x] = before_w;
    if (h->skip >= 0)
        local[s->graph->nodes[h->skip].out[0]] = error_again(s, &s->graph->nodes[h->skip], local);
    const double error = error_again(s, node, local);
    free(local);
    return error;
}

/* |slack| of the block in which it is largest. */
static double slack_again(const mpno_weight *w, const double *slack) {
    double most = 0, sum = 0;
    for (int64_t i = 0; i < w->blocks * w->rows * w->cols; i++) {
        if (i % (w->rows * w->cols) == 0) sum = 0;
        sum += slack[i] * slack[i];
        most = greater(most, sqrt(sum));
    }
    return MORE * most;
}

static void check_walked(mpno_set_walk *s, const mpno_node *node) {
    const int edge = node->out[0];
    const mpno_edge_kind kind = s->graph->edges[edge].kind;
    const int n = (int)(node - s->graph->nodes);
    if (kind == MPNO_EDGE_BLOCKS) return;
    /* sizes */
    double norm = INFINITY;
    if (kind == MPNO_EDGE_FIELD || kind == MPNO_EDGE_SUMS) norm = by_range(s, edge);
    if (kind != MPNO_EDGE_SUMS) {
        double passed = pass_again(s, node, s->norm, MPNO_SET_NORM) + at_zero(s, node);
        passed += 32 * unit(s) * passed;
        norm = fmin(norm, MORE * (passed + stored_again(s, edge, passed)));
    }
    assert_near(s->norm[edge], norm);
    assert_near(s->edges[edge].most, mpno_range_most(&s->ranges, edge));
    /* drifts */
    double drift = stored_again(s, edge, norm), before = 0;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0) before = greater(before, s->drift[node->in[i]]);
    if (before > 0)
        drift += pass_again(s, node, s->drift, MPNO_SET_DRIFT) +
                 pass_again(s, node, s->zero, MPNO_SET_DRIFT);
    if (node->op->class != MPNO_OP_TILE || s->unfused) drift = 0;
    met[DRIFT] += before > 0 && drift > 0;
    assert_near(s->drift[edge], drift <= 2 * norm ? drift : 2 * norm);
    /* errors and slopes */
    double error = error_again(s, node, s->error),
           slope = MORE * pass_again(s, node, s->slope, MPNO_SET_SLOPE);
    mpno_set_heart h;
    if (mpno_set_find_heart(s->graph, node, &h)) {
        double constant;
        assert_int_equal(mpno_set_heart_slope(s, &h, &constant), MPNO_OK);
        assert_true(s->blocks[n] == constant);
        const int made = s->graph->nodes[h.contract].in[1];
        if (s->graph->edges[made].kind == MPNO_EDGE_BLOCKS) { /* of factors: they are off */
            const mpno_weight *w = &s->graph->weights[s->graph->edges[made].param];
            const size_t bytes = (size_t)(w->blocks * w->rows * w->cols) * sizeof(double);
            double *slack = s->ranges.edges[made].slack, *none = calloc(1, bytes), exact;
            s->ranges.edges[made].slack = none;
            assert_int_equal(mpno_set_heart_slope(s, &h, &exact), MPNO_OK);
            s->ranges.edges[made].slack = slack;
            met[MADE] += isfinite(exact) && slack_again(w, slack) > 0;
            assert_near(constant, exact + slack_again(w, slack));
            free(none);
        }
        const double apart = s->drift[h.x],
                     own = fmin(heart_again(s, &h, node, 0, apart),
                                heart_again(s, &h, node, apart, 0)),
                     whole = MORE * (s->error[h.x] * constant + own);
        met[HEART] += whole < error;
        if (whole < error || error != error) error = whole;
        if (constant * s->slope[h.x] < slope || slope != slope) slope = constant * s->slope[h.x];
    }
    const mpno_saving *saving = &s->savings[n];
    if (saving->edge >= 0 && error < INFINITY) {
        error -= saving->less * s->error[saving->edge],
            slope -= saving->less * s->slope[saving->edge];
        met[LINEARS] += saving->less > 0;
    }
    assert_near(s->error[edge], error);
    assert_near(s->slope[edge], slope);
}

/* -------- weights -------- */

/* The first reader's copy counts. */
static void check_param(mpno_set_walk *s, const mpno_model *model, const mpno_node *node, int i) {
    const int edge = node->in[i], param = s->graph->edges[edge].param;
    const mpno_weight *w = &s->graph->weights[param];
    const int64_t plane = w->rows * w->cols, one = w->is_complex ? 2 * plane : plane;
    const bool plain = mpno_range_copy(&s->ranges, node, param).format == MPNO_F32;
    double *values = calloc((size_t)(w->blocks * one), sizeof *values),
           *copy = calloc((size_t)one, sizeof *copy),
           *slack = calloc((size_t)(w->blocks * plane), sizeof *slack);
    const float *master = mpno_model_raw(model, param).data;
    mpno_bound own, off = {0};
    assert_true(values != NULL && copy != NULL && slack != NULL);
    for (int64_t k = 0; k < w->blocks * one; k++) values[k] = master[k];
    const mpno_matrices m = {values, MPNO_F64, w->blocks, w->rows, w->cols, w->is_complex};
    assert_int_equal(mpno_block_norms(ctx, &m, 5, &own), MPNO_OK);
    for (int64_t b = 0; b < w->blocks && !plain; b++) {
        mpno_range_block(&s->ranges, node, i, b, copy, slack + b * plane);
        for (int64_t k = 0; k < one; k++) values[b * one + k] = copy[k] - master[b * one + k];
    }
    if (!plain) assert_int_equal(mpno_block_norms(ctx, &m, 5, &off), MPNO_OK);
    const double more = plain ? 0 : slack_again(w, slack),
                 most = mpno_range_copy_most(&s->ranges, node, param);
    assert_near(mpno_set_slack(w, slack), more);
    assert_near(s->edges[edge].norm, own.norm);
    assert_near(s->edges[edge].most, own.most);
    assert_near(s->edges[edge].frobenius, own.frobenius + off.frobenius + more);
    assert_near(s->edges[edge].error, isinf(most) ? INFINITY : off.norm + more);
    free(values), free(copy), free(slack);
}

static void check_blocks(const mpno_set_walk *s, int edge) {
    const mpno_weight *w = &s->graph->weights[s->graph->edges[edge].param];
    const mpno_range *r = &s->ranges.edges[edge];
    const mpno_matrices m = {r->values, MPNO_F64, w->blocks, w->rows, w->cols, w->is_complex};
    const double slack = slack_again(w, r->slack);
    mpno_bound own;
    assert_int_equal(mpno_block_norms(ctx, &m, 5, &own), MPNO_OK);
    assert_near(s->edges[edge].norm, own.norm + slack);
    assert_near(s->edges[edge].most, own.most + slack);
    assert_near(s->edges[edge].frobenius, own.frobenius + slack);
    assert_near(s->edges[edge].error, slack);
    assert_near(s->error[edge], slack);
}

/* -------- random networks -------- */

static void check_network(const mpno_model *model, const mpno_network *network,
                          const mpno_set_opts *ball) {
    mpno_set_walk s;
    assert_int_equal(mpno_set_walk_along(model, network, ball, &s), MPNO_OK);
    const mpno_graph *g = s.graph;
    const int input = mpno_network_edges(network)->input;
    double *off = calloc((size_t)g->n_edges, sizeof *off);
    bool *seen = calloc((size_t)g->n_edges, sizeof *seen);
    assert_true(off != NULL && seen != NULL);
    const mpno_range *x = &s.ranges.edges[input];
    const bool sup = ball->ball == MPNO_BALL_SUP;
    for (int64_t c = 0; c < x->channels; c++) {
        assert_near(x->most[c], sup ? ball->radius : ball->radius * sqrt(points(&s, input)) * MORE);
        assert_near(x->rms[c], ball->radius);
    }
    assert_near(s.norm[input],
                sup ? by_range(&s, input) : lesser(by_range(&s, input), ball->radius * MORE));
    assert_true(s.slope[input] == 1);
    for (int n = 0; n < g->n_nodes; n++) {
        const mpno_node *node = &g->nodes[n];
        check_walked(&s, node);
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0 && g->edges[node->in[i]].kind == MPNO_EDGE_PARAM &&
                g->edges[node->out[0]].kind != MPNO_EDGE_BLOCKS && !seen[node->in[i]]) {
                check_param(&s, model, node, i);
                seen[node->in[i]] = true;
            }
        if (g->edges[node->out[0]].kind == MPNO_EDGE_BLOCKS) check_blocks(&s, node->out[0]);
    }
    for (int trial = 0; trial < 4; trial++) { /* of any sizes, which need not be those of a run */
        const double size = trial == 2 ? 1e12 : trial == 3 ? 1e-38 : 1;
        for (int e = 0; e < g->n_edges; e++) {
            const mpno_edge_kind kind = g->edges[e].kind;
            off[e] = exp(2 * mpno_rng_normal(&rng)) * (trial == 3 ? 1e-40 : 1);
            s.drift[e] = exp(2 * mpno_rng_normal(&rng));
            if (kind == MPNO_EDGE_PARAM || kind == MPNO_EDGE_BLOCKS)
                s.edges[e].error = 0.1 * off[e];
            if (kind == MPNO_EDGE_PARAM || kind == MPNO_EDGE_BLOCKS) continue;
            s.edges[e].norm = exp(2 * mpno_rng_normal(&rng)) * size;
            s.edges[e].most = exp(2 * mpno_rng_normal(&rng));
        }
        for (int n = 0; n < g->n_nodes; n++) {
            const mpno_node *node = &g->nodes[n];
            const bool norm = node->op == &mpno_op_normalize || node->op == &mpno_op_line_normalize;
            mpno_node bare = *node; /* without gamma and beta */
            if (norm) bare.in[2] = bare.in[3] = -1;
            if (g->edges[node->out[0]].kind == MPNO_EDGE_BLOCKS) continue;
            for (int q = 0; q < 4; q++) {
                assert_near(mpno_set_pass(&s, node, off, (mpno_set_question)q),
                            pass_again(&s, node, off, (mpno_set_question)q));
                assert_near(mpno_set_pass(&s, &bare, off, (mpno_set_question)q),
                            pass_again(&s, &bare, off, (mpno_set_question)q));
            }
            assert_near(mpno_set_stored(&s, node->out[0], off[0]),
                        stored_again(&s, node->out[0], off[0]));
        }
    }
    free(off), free(seen);
    mpno_set_close(&s);
}

static void one_network(uint64_t seed) {
    quad_case q;
    quad_case_draw(ctx, seed, MPNO_F32, &q);
    mpno_network_opts opts = quad_case_low_opts(&q);
    opts.unfused = seed % 5 == 0;
    if (q.config.factorization == MPNO_FACTORIZATION_DENSE && seed % 8 == 1)
        opts.storage.rounding = MPNO_ROUND_STOCHASTIC;
    if (seed % 5 == 2) far_means(q.model);
    mpno_network *network = make_network(ctx, q.model, &opts);
    text = quad_case_text(&q, seed);
    const mpno_set_opts ball = {.ball = seed % 2 == 0 ? MPNO_BALL_SUP : MPNO_BALL_L2,
                                .radius = exp2(4 * mpno_rng_uniform(&rng) - 3),
                                .embedding = 5};
    mpno_set_certificate c;
    check_network(q.model, network, &ball);
    assert_int_equal(mpno_set_certify(q.model, network, &ball, &c), MPNO_OK);
    const double size = sqrt((double)q.config.out_channels);
    assert_true(c.size == (c.norm < size ? c.norm : size)); /* of numbers around 1 */
    met[SMALL] += c.norm < size;
    assert_true(c.vacuous == !(c.error <= c.size && c.error < INFINITY));
    mpno_set_clear(&c);
    mpno_network_destroy(&network);
    quad_case_drop(&q);
}

/* Channels enough for products in bf16; a skip of W = -K, so that roundings are all there is. */
static void one_wide_network(void) {
    const int64_t grid[2] = {6, 7};
    mpno_fno_config c = small_config(2);
    c.hidden_channels = 24;
    mpno_model *model = make_model(ctx, &c, MPNO_F32);
    const mpno_network_opts opts = make_opts(2, grid, 1, false, "amp", MPNO_BF16);
    mpno_network *network = make_network(ctx, model, &opts);
    text = "wide";
    check_network(model, network, &(mpno_set_opts){.ball = MPNO_BALL_SUP, .radius = 1});
    mpno_network_destroy(&network);
    mpno_model_destroy(&model);
}

static void steps_are_their_statements(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < CASES; seed++) one_network(seed);
    one_wide_network();
    for (int i = 0; i < 12; i++)
        if (met[i] == 0) fail_msg("no network has a %s", kinds[i]);
}

/* -------- L4 and L5: a block -------- */

/* Frequencies of a line of n points, keep of them, and the one that stands for itself. */
static void slopes_of_blocks(void **state) {
    (void)state;
    int seen = 0;
    text = "block";
    for (int trial = 0; trial < 60; trial++) {
        const int64_t n = 4 + trial % 3, keep = trial % 2 == 0 ? n / 2 + 1 : 2, c = 2,
                      plane = c * c;
        const bool cancels = trial % 5 == 4, skipped = trial % 7 != 3;
        const double low = cancels ? 1 : 0.25 * (trial % 4), high = 1, middle = (low + high) / 2;
        mpno_fft_problem p = {
            .kind = MPNO_FFT_REAL, .arithmetic = MPNO_F64, .ndim = 1, .size = {n}, .keep = {keep}};
        double r[4 * 2 * 4], w[4], alone = 0, both = 0, skip = 0, slope, norm;
        mpno_fft *fft;
        for (int i = 0; i < 4; i++) w[i] = mpno_rng_normal(&rng);
        for (int64_t k = 0; k < keep; k++)
            for (int64_t i = 0; i < 2 * plane; i++)
                r[k * 2 * plane + i] =
                    cancels ? i < plane ? -w[i % c * c + i / c] : 0 : 3 * mpno_rng_normal(&rng);
        assert_int_equal(mpno_fft_create(ctx, &p, &fft), MPNO_OK);
        const mpno_set_block block = {fft, c, c, NULL, r, skipped ? w : NULL, low, high};
        int32_t rows[4] = {0, 1, 2, 3};
        mpno_set_block with = block;
        with.mode_rows = rows;
        assert_int_equal(mpno_set_block_slope(ctx, &with, &slope), MPNO_OK);
        for (int64_t k = 0; k < keep; k++) {
            double one[8], sum[8];
            const bool real = k == 0 || 2 * k == n; /* its imaginary part is lost */
            for (int64_t o = 0; o < c; o++)
                for (int64_t i = 0; i < c; i++) {
                    one[o * c + i] = r[k * 2 * plane + i * c + o];
                    one[plane + o * c + i] = real ? 0 : r[k * 2 * plane + plane + i * c + o];
                }
            for (int i = 0; i < 8; i++) sum[i] = middle * one[i] + (i < 4 && skipped ? w[i] : 0);
            assert_int_equal(mpno_spectral_norm(ctx, c, c, one, one + plane, 6, &norm), MPNO_OK);
            alone = greater(alone, norm);
            assert_int_equal(mpno_spectral_norm(ctx, c, c, sum, sum + plane, 6, &norm), MPNO_OK);
            both = greater(both, norm);
        }
        if (skipped) assert_int_equal(mpno_spectral_norm(ctx, c, c, w, NULL, 6, &skip), MPNO_OK);
        const double elsewhere = keep == n / 2 + 1 ? 0 : skip,
                     least = fmin(greater(both, elsewhere) + (high - low) / 2 * alone,
                                  skip + high * alone);
        /* 8 u of both norms for each number of a row and a column, all of the matrix together */
        const double formed = 8 * (double)(c + c) * 0x1p-53 * (skip + high * alone) * 2;
        assert_near(slope, MORE * (least + formed));
        seen += cancels && skipped && both == 0 && elsewhere == 0; /* nothing but roundings */
        mpno_fft_destroy(ctx, &fft);
    }
    assert_true(seen > 0);
}

static int setup(void **state) {
    (void)state;
    rng = mpno_rng_make(31, MPNO_STREAM_TEST, 9);
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
        cmocka_unit_test(steps_are_their_statements),
        cmocka_unit_test(slopes_of_blocks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
