/* SPDX-License-Identifier: MIT
 * Every bound of an op is the formula of its statement in docs/theory/certificates.md, which stands
 * here once more: random norms, errors and sums, units and an eta so large that every term counts.
 * That errors keep to these formulas is what test_lemmas looks for; that a term is in the code for
 * which no worst case was found is seen here. An op with a bound and without a formula fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "graph/lower.h"
#include "number/format.h"
#include "unit/graph/rig.h"

static mpno_ctx *ctx;
static mpno_rng rng;

static int set_up(void **state) {
    mpno_policy full;
    (void)state;
    rng = mpno_rng_make(23, MPNO_STREAM_TEST, 2);
    return rig_open(&ctx, &full);
}

static int tear_down(void **state) {
    (void)state;
    return rig_close(&ctx);
}

/* -------- shorthands -------- */

typedef const mpno_bound_call *asked;

static const mpno_edge *edge_of(asked c, int i) {
    return &c->graph->edges[i < 0 ? c->node->out[0] : c->node->in[i]];
}

static double channels(asked c, int i) {
    return (double)edge_of(c, i)->channels;
}

static double points(asked c, int i) {
    return (double)c->graph->grids[edge_of(c, i)->grid].points;
}

static const mpno_weight *weight(asked c, int i) {
    return &c->graph->weights[edge_of(c, i)->param];
}

static double square(double x) {
    return x * x;
}

/* So many roundings of f64. */
static double wide(asked c, double k) {
    return k / 9007199254740992.0 / c->unit;
}

/* k eta times the norm of ones. */
static double underflow(asked c, double k) {
    const mpno_edge *out = edge_of(c, -1);
    double numbers = (double)out->channels;
    if (out->kind == MPNO_EDGE_SPECTRUM || out->kind == MPNO_EDGE_COLUMNS)
        numbers *= 4 * (double)out->modes;
    if (out->kind == MPNO_EDGE_BLOCKS) numbers = (double)mpno_weight_count(weight(c, -1));
    return k * c->eta * sqrt(numbers);
}

static double rounding(asked c, double k, double size) {
    return size * k / (1 / c->unit - k) + underflow(c, k);
}

static double own(asked c, double k, double size) {
    return c->captured >= 0 ? c->captured : rounding(c, k, size);
}

/* -------- statements B1 and B2 -------- */

static double moved(asked c) {
    return c->in[0].error;
}

static double nothing(asked c) {
    (void)c;
    return 0;
}

static double regridded(asked c) {
    return c->in[0].error * sqrt(points(c, 0)) / sqrt(points(c, -1));
}

static double taken(asked c) {
    return 1.41421356237309504880 * c->in[0].error;
}

static double embedded(asked c) {
    const mpno_box *box = &c->node->attr.box;
    const mpno_grid *grid = mpno_graph_grid(c->graph, c->node->in[0]);
    double squares = 0;
    for (int d = 0; d < grid->ndim; d++)
        for (int64_t i = 0; i < grid->size[d]; i++) {
            const double a = box->start[d], b = box->stop[d], n = (double)grid->size[d];
            const double at = a + (b - a) * ((double)i / n);
            const double stored = c->arithmetic == MPNO_F32 ? (double)(float)at : at;
            const long double exact = a + ((long double)b - a) * ((long double)i / (long double)n);
            const double off = (double)fabsl((long double)stored - exact) +
                               (fabs(a) + fabs(b)) * 8 * (double)LDBL_EPSILON;
            squares += off * off / n;
        }
    return c->in[0].error + 1.001 * sqrt(squares);
}

static double added(asked c) {
    return c->in[0].error + c->in[1].error + rounding(c, 1, c->out.norm);
}

static double biased(asked c) {
    return c->in[0].error + rounding(c, 1, c->out.norm);
}

static double gated(asked c) {
    return c->in[0].error * c->in[1].most + rounding(c, 1, c->out.norm);
}

static double scaled(asked c) {
    return c->in[0].error * fabs(c->node->attr.scale) + rounding(c, 2, c->out.norm) +
           c->eta * c->in[0].norm;
}

static double sum_terms(double rows) {
    return (rows < MPNO_CHUNK_ROWS ? rows : MPNO_CHUNK_ROWS) + ceil(rows / MPNO_CHUNK_ROWS);
}

static double summed(asked c) {
    const double n = points(c, 0);
    return n * c->in[0].error + n * rounding(c, wide(c, sum_terms(n)), c->in[0].norm);
}

/* -------- B3 and B4 -------- */

static double linear(asked c) {
    const double bias = c->node->in[2] >= 0 ? 1 : 0;
    return c->in[0].error * c->in[1].norm +
           own(c, channels(c, 0) + bias, c->in[1].frobenius * c->in[0].norm + c->in[2].frobenius);
}

static double convolved(asked c) {
    const double offsets = (double)weight(c, 1)->blocks;
    return c->in[0].error * offsets * c->in[1].norm +
           rounding(c, offsets * channels(c, 0), offsets * c->in[1].frobenius * c->in[0].norm);
}

static double interpolated(asked c) {
    const mpno_lines *l = c->node->attr.lines;
    double gain = sqrt(points(c, 0) / points(c, -1)), after = 1, terms = 0;
    for (int d = 0; d < l->ndim; d++) {
        double one = 0, infinity = 0;
        for (int64_t i = 0; i < l->from[d]; i++) {
            double sum = 0;
            for (int64_t k = 0; k < l->to[d]; k++) sum += fabs(l->matrix[d][k * l->from[d] + i]);
            if (sum > one) one = sum;
        }
        for (int64_t k = 0; k < l->to[d]; k++) {
            double sum = 0;
            for (int64_t i = 0; i < l->from[d]; i++) sum += fabs(l->matrix[d][k * l->from[d] + i]);
            if (sum > infinity) infinity = sum;
        }
        const double norm = sqrt(one) * sqrt(infinity);
        gain *= norm, terms += 1 + wide(c, (double)l->from[d]);
        after *= (norm > 1 ? norm : 1) * sqrt((double)(l->from[d] + l->to[d]));
    }
    return gain * c->in[0].error + rounding(c, terms, gain * c->in[0].norm) +
           after * underflow(c, terms);
}

static double gelu(asked c) {
    return 1.129 * c->in[0].error + own(c, c->arithmetic == MPNO_F32 ? 2 : 7, c->in[0].norm);
}

static double hyperbolic(asked c) {
    return c->in[0].error + rounding(c, 4, c->out.norm);
}

static double learned(asked c) {
    return c->in[0].error + rounding(c, 7 + wide(c, 1), c->out.norm) +
           underflow(c, 5) * c->in[1].most;
}

static double squashed(asked c) {
    return c->in[0].error + rounding(c, 1 + wide(c, 5), c->out.norm);
}

/* -------- B5 and B6 -------- */

static double clipped(asked c) {
    const double n = points(c, 0), width = channels(c, 0);
    double mean = 0, squares = 0;
    for (int k = 0; k < (int)width; k++) {
        mean += c->values[1][2 * k];
        squares += c->values[1][2 * k + 1];
    }
    mean /= n * width,
        squares /= n * width; /* in the kernel's order: the variance may have few digits */
    const double t = (sum_terms(n) + width + 4) / 9007199254740992.0, off = 3 * t * squares;
    const double variance = squares - mean * mean, least = variance > off ? variance - off : 0;
    /* 2 (sqrt(v + 2 o) - sqrt(v)) */
    const double rise = 4 * off / (sqrt(least + off + off) + sqrt(least));
    const double limits = t * sqrt(squares) + rise;
    return 1.5 * c->in[0].error + sqrt(width) * limits +
           rounding(c, 1 + wide(c, 3), sqrt(width) * (fabs(mean) + 2 * sqrt(squares)));
}

static double modulated(asked c) {
    const int n = (int)channels(c, 0);
    double gain = 0, shift = 0;
    for (int k = 0; k < n; k++) {
        if (fabs(c->values[1][k]) > gain) gain = fabs(c->values[1][k]);
        if (!c->node->attr.no_shift) shift += square(c->values[1][n + k]);
    }
    return gain * c->in[0].error + hypot(c->in[0].most, 1) * c->in[1].error +
           c->in[0].error * c->in[1].error + rounding(c, 3, gain * c->in[0].norm + sqrt(shift)) +
           c->eta * c->in[0].norm;
}

static double normalized_field(asked c, double error, double norm, double terms) {
    const mpno_attr *a = &c->node->attr;
    const int n = (int)channels(c, 0), groups = (int)a->groups, width = n / groups;
    double passed = 0, off_squares = 0, size_squares = 0;
    for (int g = 0; g < groups; g++) {
        double mean = 0, squares = 0, gamma = c->values[2] == NULL ? 1 : 0, beta = 0;
        for (int k = g * width; k < (g + 1) * width; k++) {
            mean += c->values[1][2 * k];
            squares += c->values[1][2 * k + 1];
            if (c->values[2] != NULL && fabs(c->values[2][k]) > gamma)
                gamma = fabs(c->values[2][k]);
            if (c->values[3] != NULL && fabs(c->values[3][k]) > beta) beta = fabs(c->values[3][k]);
        }
        mean /= points(c, 0) * width, squares /= points(c, 0) * width;
        if (a->uncentred) mean = 0;
        const double t = (terms + width + 6) / 9007199254740992.0, o = 3 * t * squares;
        const double mean_off = a->uncentred ? 0 : t * sqrt(squares);
        const double variance = squares - mean * mean - o;
        const double d = sqrt((variance > 0 ? variance : 0) + a->eps);
        const double rms = a->fixed ? norm / sqrt(width) : sqrt(squares);
        const double least = a->fixed ? d : d - error / sqrt(width);
        if (least <= d / 1000) return (double)INFINITY;
        const double by_variance =
            a->fixed ? (rms + fabs(mean)) * o / (2 * d * d * d) : o / (2 * d * d);
        if (gamma / least > passed) passed = gamma / least;
        off_squares += width * square(gamma * (by_variance + mean_off / d));
        size_squares += width * square(gamma * (rms + fabs(mean)) / d + beta);
    }
    return passed * error + 1.001 * sqrt(off_squares) + c->eta * norm +
           rounding(c, 3 + wide(c, 5), 1.001 * sqrt(size_squares));
}

static double normalized(asked c) {
    return normalized_field(c, c->in[0].error, c->in[0].norm, sum_terms(points(c, 0)));
}

/* -------- B7 and B8 -------- */

static double lost(asked c, double growth, double n, double scale) {
    return (scale > 1 ? scale : 1) * 4096 * n * n * underflow(c, growth);
}

static double transformed(asked c, bool inverse) {
    const mpno_attr *a = &c->node->attr;
    const mpno_fft_problem *p = mpno_fft_get_problem(a->fft);
    const bool hermitian = a->weighting == MPNO_FFT_HERMITIAN, real = p->kind == MPNO_FFT_REAL;
    const int64_t n = p->size[p->ndim - 1], last = p->keep[p->ndim - 1] - 1;
    const double points_of = (double)mpno_fft_points(a->fft), log2_scale = log2(fabs(a->scale));
    double gain = fabs(a->scale), growth = mpno_fft_growth(a->fft, inverse);
    if (!inverse) gain *= points_of;
    if (!inverse && hermitian) gain *= 2;
    if (!inverse && !hermitian && real && n % 2 == 0 && last == n / 2) gain *= sqrt(2);
    if (!real) gain *= inverse ? sqrt(0.5) : sqrt(2);
    if (log2_scale != floor(log2_scale)) growth += 2;
    if (c->captured >= 0) return gain * c->in[0].error + c->captured;
    return gain * c->in[0].error + rounding(c, growth, gain * c->in[0].norm) +
           lost(c, growth, points_of, 2 * fabs(a->scale));
}

static double forward(asked c) {
    return transformed(c, false);
}

static double backward(asked c) {
    return transformed(c, true);
}

static double line(asked c, bool inverse) {
    const mpno_columns *l = c->node->attr.columns;
    const double gain = mpno_columns_gain(l, inverse);
    return gain * c->in[0].error +
           rounding(c, mpno_columns_line_growth(l, inverse), gain * c->in[0].norm);
}

static double line_taken(asked c) {
    return line(c, false);
}

static double line_given(asked c) {
    return line(c, true);
}

static double columns_taken(asked c) {
    const mpno_columns *l = c->node->attr.columns;
    const double n = (double)l->lines, growth = mpno_columns_rest_growth(l, false);
    return n * c->in[0].error + rounding(c, growth, n * c->in[0].norm) + lost(c, growth, n, 1);
}

static double columns_given(asked c) {
    const mpno_columns *l = c->node->attr.columns;
    const double growth = 2 + mpno_columns_rest_growth(l, true);
    return c->in[0].error +
           rounding(c, growth, c->in[0].norm + c->in[1].frobenius / fabs(l->mean)) +
           lost(c, growth, (double)l->lines, 1);
}

static double line_normalized(asked c) {
    const mpno_columns *l = c->node->attr.columns;
    const double terms = ceil((double)l->lines / 64) + 128 * (double)l->keep;
    return normalized_field(c, line(c, true), mpno_columns_gain(l, true) * c->in[0].norm, terms);
}

/* -------- B9 and B10 -------- */

static double contracted(asked c) {
    const mpno_bound *x = &c->in[0], *w = &c->in[1];
    return x->error * w->norm + x->error * w->error + x->norm * w->error +
           own(c, 2 * channels(c, 0), sqrt(2) * w->frobenius * x->norm);
}

static double modes_scaled(asked c) {
    const mpno_bound *x = &c->in[0], *w = &c->in[1];
    return x->error * w->most + x->error * w->error + x->norm * w->error +
           rounding(c, sqrt(5), w->most * x->norm);
}

static double low_rank(asked c) {
    const mpno_bound *x = &c->in[0], *a = &c->in[1], *s = &c->in[2], *b = &c->in[3];
    const double rank = (double)weight(c, 1)->cols;
    const long double above =
        ((long double)a->norm + a->error) * (s->most + s->error) * (b->norm + b->error);
    const double terms = 2 * sqrt(2) * (channels(c, 0) + 1 + rank);
    const double sums = (1 + sqrt(2)) * (channels(c, 0) + rank) +
                        sqrt(2) * (a->frobenius / a->norm + b->frobenius / b->norm + 2);
    const long double exact = (long double)a->norm * s->most * b->norm;
    const double by_products = rounding(c, terms, a->frobenius * s->most * b->frobenius * x->norm),
                 by_sums = rounding(c, sums, (double)exact * x->norm);
    return (double)(above * x->error + (above - exact) * x->norm) +
           (by_products < by_sums ? by_products : by_sums) +
           sqrt(rank) * (1 + s->most) * b->frobenius * underflow(c, terms);
}

static double rebuilt(asked c) {
    const mpno_contraction *k = c->node->attr.contraction;
    const double terms =
        sqrt(2) * (mpno_contract_cost_of(&k->problem, &k->path).error - (c->node->n_in - 1));
    double size = 1, others = 1;
    for (int i = 0; i < c->node->n_in; i++)
        size *= c->in[i].frobenius, others *= c->in[i].frobenius + 1;
    return rounding(c, terms, size) + others * underflow(c, terms);
}

/* -------- all of them -------- */

typedef struct formula {
    const mpno_op *op;
    const char *operands; /* as in test_ops */
    double (*expected)(asked);
    bool is_complex;
} formula;

static const formula formulas[] = {
    {&mpno_op_stage, "f", moved, false},
    {&mpno_op_take_channels, "F", moved, false},
    {&mpno_op_times_i, "c", moved, true},
    {&mpno_op_moments, "f", nothing, false},
    {&mpno_op_columns_moments, "k", nothing, false},
    {&mpno_op_running_moments, "fuu", nothing, false},
    {&mpno_op_grid_embed, "f", embedded, false},
    {&mpno_op_pad, "f", regridded, false},
    {&mpno_op_crop, "w", regridded, false},
    {&mpno_op_take_modes, "s", taken, false},
    {&mpno_op_add, "ff", added, false},
    {&mpno_op_bias, "fu", biased, false},
    {&mpno_op_gate, "fu", gated, false},
    {&mpno_op_scale, "f", scaled, false},
    {&mpno_op_sample_sums, "f", summed, false},
    {&mpno_op_linear, "fWv", linear, false},
    {&mpno_op_linear, "fW-", linear, false},
    {&mpno_op_convolve, "fK", convolved, false},
    {&mpno_op_interpolate, "f", interpolated, false},
    {&mpno_op_gelu, "f", gelu, false},
    {&mpno_op_tanh, "f", hyperbolic, false},
    {&mpno_op_learned_tanh, "fx", learned, false},
    {&mpno_op_squash, "f", squashed, false},
    {&mpno_op_sigma_clip, "fm", clipped, false},
    {&mpno_op_modulate, "fn", modulated, false},
    {&mpno_op_normalize, "fmuu", normalized, false},
    {&mpno_op_normalize, "fm--", normalized, false},
    {&mpno_op_fft_forward, "f", forward, false},
    {&mpno_op_fft_inverse, "s", backward, false},
    {&mpno_op_fft_forward, "c", forward, true},
    {&mpno_op_fft_inverse, "s", backward, true},
    {&mpno_op_line_forward, "f", line_taken, false},
    {&mpno_op_line_inverse, "k", line_given, false},
    {&mpno_op_columns_forward, "k", columns_taken, false},
    {&mpno_op_columns_inverse, "su", columns_given, false},
    {&mpno_op_line_normalize, "kmuu", line_normalized, false},
    {&mpno_op_contract, "sZ", contracted, false},
    {&mpno_op_scale_modes, "sY", modes_scaled, false},
    {&mpno_op_contract_low_rank, "sadb", low_rank, false},
    {&mpno_op_rebuild, "labe", rebuilt, false},
};
enum { N_FORMULAS = sizeof formulas / sizeof formulas[0], VARIANTS = 12 };

static void every_bound_has_a_formula(void **state) {
    (void)state;
    for (int i = 0; i < mpno_op_count(); i++) {
        bool found = mpno_op_get(i)->bound == NULL;
        for (int k = 0; k < N_FORMULAS; k++) found |= formulas[k].op == mpno_op_get(i);
        if (!found) fail_msg("the bound of %s has no formula here", mpno_op_get(i)->name);
    }
}

static double draw(void) {
    return exp(mpno_rng_normal(&rng));
}

static mpno_bound draw_bound(void) {
    return (mpno_bound){
        .norm = draw(), .most = draw(), .frobenius = draw(), .error = 0.01 * draw()};
}

/* Sums of a field have more squares than their mean's, or less by rounding; errors that exceed
 * deviations give infinity in both. */
static void draw_values(const rig *r, mpno_bound_call *c, int variant) {
    for (int i = 0; i < c->node->n_in; i++) {
        const int edge = c->node->in[i];
        if (edge < 0) continue;
        c->in[i] = draw_bound();
        c->values[i] = r->data[edge];
        rig_random((rig *)(uintptr_t)r, edge);
        if (r->graph->edges[edge].kind != MPNO_EDGE_SUMS || c->node->op == &mpno_op_modulate)
            continue;
        const double n = points(c, 0), same = draw();
        for (size_t k = 0; k + 1 < rig_count(r, edge); k += 2) {
            const bool flat = variant % 3 == 0; /* all channels together as well */
            const double mean = flat ? same : draw(), deviation = flat ? 1e-6 * draw() : draw();
            r->data[edge][k] = n * mean;
            r->data[edge][k + 1] = n * (mean * mean + deviation * deviation);
        }
    }
    if (variant % 3 == 0) c->in[0].error *= 1e-8;
}

static void vary(rig *r, int variant) {
    static const double scales[] = {0.7, 0.25, -3, 2};
    r->attr.scale = scales[variant % 4];
    r->attr.groups = variant % 2 == 0 ? RIG_INPUTS : 1;
    r->attr.uncentred = variant % 5 == 1;
    r->attr.fixed = variant % 5 == 2;
    r->attr.no_shift = variant % 3 == 1;
    r->attr.eps = variant % 3 == 0 ? 1e-13 : 1e-5; /* less than what a variance may be off by */
}

static bool same(double found, double expected) {
    return found == expected || (isfinite(expected) && fabs(found - expected) <= 1e-9 * expected);
}

static void check(const formula *f, int grid, int variant, mpno_format format) {
    const rig_kind as = {.arithmetic = format, .is_complex = f->is_complex, .rank = 3};
    const mpno_fft_weighting weighting = variant % 2 == 0 ? MPNO_FFT_PLAIN : MPNO_FFT_HERMITIAN;
    static const int64_t sizes[][3] = {{2}, {9}, {5, 4}, {3, 6, 2}, {300}, {70, 131}, {4}};
    static const int ndims[] = {1, 1, 2, 3, 1, 2, 1};
    rig r;
    int in[MPNO_OP_MAX_IN];
    const int n = (int)strlen(f->operands);
    rig_create_as(&r, ctx, as, ndims[grid], sizes[grid], weighting);
    r.batch = 1;
    vary(&r, variant);
    for (int i = 0; i < n; i++)
        in[i] = f->operands[i] == '-' ? -1 : rig_operand(&r, f->operands[i]);
    const int out = rig_add(&r, f->op, n, in);
    mpno_bound_call c = {.graph = r.graph,
                         .node = &r.graph->nodes[r.graph->edges[out].producer],
                         .arithmetic = format,
                         .unit = variant / 4 % 2 == 0 ? 0x1p-51 : 0x1p-20,
                         .eta = variant / 2 % 3 == 2 ? 0x1p-1074 : 0x1p-60,
                         .captured = variant % 4 == 3 ? 1e-3 * draw() : -1,
                         .out = draw_bound()};
    draw_values(&r, &c, variant);
    if (f->operands[n - 1] == '-') c.values[2] = c.values[3] = NULL;
    const double found = f->op->bound(&c), expected = f->expected(&c);
    if (!same(found, expected))
        fail_msg("%s (%s), variant %d: the bound is %.17g, its statement says %.17g", f->op->name,
                 f->operands, variant, found, expected);
    /* without errors only what is rounded is left, which would drown */
    for (int i = 0; i < n; i++) c.in[i].error = 0;
    const double found_own = f->op->bound(&c), own_expected = f->expected(&c);
    if (!same(found_own, own_expected))
        fail_msg("%s (%s), variant %d: roundings of %.17g, its statement says %.17g", f->op->name,
                 f->operands, variant, found_own, own_expected);
    rig_destroy(&r);
}

static void bounds_are_their_statements(void **state) {
    (void)state;
    for (int i = 0; i < N_FORMULAS; i++)
        for (int grid = 0; grid < 7; grid++)
            for (int variant = 0; variant < (grid == 4 || grid == 5 ? 2 : VARIANTS); variant++)
                check(&formulas[i], grid, variant, variant / 2 % 2 == 0 ? MPNO_F64 : MPNO_F32);
}

/* A share of roundings below 1/2, and a learned limit of a size whose square is a number, have a
 * bound; beyond there is none. */
static void bounds_end_where_they_say(void **state) {
    static const double units[] = {0.3, 0.49, 0.5, 0.7},
                        limits[] = {0x1p-99, 0x1.8p-101, 0x1.8p99, 0x1p101};
    (void)state;
    for (int i = 0; i < 8; i++) {
        const int64_t size[3] = {5};
        const bool learned_limit = i >= 4;
        rig r;
        rig_create_as(&r, ctx, (rig_kind){.arithmetic = MPNO_F64, .rank = 3}, 1, size,
                      MPNO_FFT_PLAIN);
        r.batch = 1, r.attr.scale = 0.7;
        const int in[2] = {rig_operand(&r, 'f'),
                           learned_limit ? rig_operand(&r, 'x') : rig_operand(&r, 'f')};
        const int out = rig_add(&r, learned_limit ? &mpno_op_learned_tanh : &mpno_op_add, 2, in);
        mpno_bound_call c = {.graph = r.graph,
                             .node = &r.graph->nodes[r.graph->edges[out].producer],
                             .arithmetic = MPNO_F64,
                             .unit = learned_limit ? 0x1p-53 : units[i],
                             .eta = 0x1p-1074,
                             .captured = -1,
                             .in = {draw_bound(), draw_bound()},
                             .out = draw_bound()};
        if (learned_limit) c.in[1].most = limits[i - 4];
        const bool none = learned_limit ? i % 2 == 1 : units[i] >= 0.5;
        assert_true(isinf(c.node->op->bound(&c)) == none);
        rig_destroy(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bound_has_a_formula),
        cmocka_unit_test(bounds_end_where_they_say),
        cmocka_unit_test(bounds_are_their_statements),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
