/* SPDX-License-Identifier: MIT
 * How strips pass through operations, see walk.h: statements D8 to D11. */
#include <math.h>
#include <string.h>

#include "certify/strip/scalars.h"
#include "certify/strip/walk.h"
#include "certify/upwards.h"

static const double *weights_of(const mpno_strip_walk *w, int edge) {
    return edge < 0 ? NULL : mpno_model_raw(w->model, w->graph->edges[edge].param).data;
}

static double norm_of(const double *x, int64_t n) {
    return MPNO_ENLARGED * mpno_strip_norm(x, n);
}

static void same(const mpno_strip_walk *w, const mpno_node *node, int radius) {
    const mpno_strip_field x = mpno_strip_at(w, node->in[0], radius),
                           y = mpno_strip_at(w, node->out[0], radius);
    memcpy(y.size, x.size, (size_t)(2 * x.channels + 2) * sizeof *x.size);
}

/* Real matrices map imaginary parts as they map values. */
static void linear(const mpno_strip_walk *w, const mpno_node *node, int radius) {
    const mpno_strip_field x = mpno_strip_at(w, node->in[0], radius),
                           y = mpno_strip_at(w, node->out[0], radius);
    const double *matrix = weights_of(w, node->in[1]),
                 *bias = node->n_in > 2 ? weights_of(w, node->in[2]) : NULL,
                 norm = w->set.edges[node->in[1]].norm;
    for (int64_t o = 0; o < y.channels; o++) {
        const double *row = matrix + o * x.channels, length = norm_of(row, x.channels);
        double size = 0, imag = 0;
        for (int64_t c = 0; c < x.channels; c++) {
            size += fabs(row[c]) * x.size[c];
            imag += fabs(row[c]) * x.imag[c];
        }
        y.size[o] = fmin(size, length * *x.all) + (bias == NULL ? 0 : fabs(bias[o]));
        y.imag[o] = fmin(imag, length * *x.all_imag);
    }
    *y.all = norm * *x.all + (bias == NULL ? 0 : norm_of(bias, y.channels));
    *y.all_imag = norm * *x.all_imag;
}

static void add(const mpno_strip_walk *w, const mpno_node *node, int radius) {
    const mpno_strip_field a = mpno_strip_at(w, node->in[0], radius),
                           b = mpno_strip_at(w, node->in[1], radius),
                           y = mpno_strip_at(w, node->out[0], radius);
    for (int64_t i = 0; i < 2 * y.channels + 2; i++) y.size[i] = a.size[i] + b.size[i];
}

static void bias(const mpno_strip_walk *w, const mpno_node *node, int radius) {
    const mpno_strip_field y = mpno_strip_at(w, node->out[0], radius);
    const double *b = weights_of(w, node->in[1]);
    same(w, node, radius);
    if (b == NULL) return;
    for (int64_t c = 0; c < y.channels; c++) y.size[c] += fabs(b[c]);
    *y.all += norm_of(b, y.channels);
}

static void gate(const mpno_strip_walk *w, const mpno_node *node, int radius) {
    const mpno_strip_field x = mpno_strip_at(w, node->in[0], radius),
                           y = mpno_strip_at(w, node->out[0], radius);
    const double *g = weights_of(w, node->in[1]);
    double most = 0;
    for (int64_t c = 0; c < y.channels; c++) {
        y.size[c] = fabs(g[c]) * x.size[c], y.imag[c] = fabs(g[c]) * x.imag[c];
        most = fmax(most, fabs(g[c]));
    }
    *y.all = most * *x.all, *y.all_imag = most * *x.all_imag;
}

static void scale(const mpno_strip_walk *w, const mpno_node *node, int radius) {
    const mpno_strip_field x = mpno_strip_at(w, node->in[0], radius),
                           y = mpno_strip_at(w, node->out[0], radius);
    const double factor = fabs(node->attr.scale);
    for (int64_t i = 0; i < 2 * y.channels + 2; i++) y.size[i] = factor * x.size[i];
}

static mpno_plane_bound bound_of(const mpno_strip_walk *w, const mpno_node *node, double imag) {
    if (node->op == &mpno_op_gelu) return mpno_plane_gelu(imag);
    if (node->op == &mpno_op_tanh) return mpno_plane_tanh(imag);
    if (node->op == &mpno_op_learned_tanh)
        return mpno_plane_learned_tanh(weights_of(w, node->in[1])[0], imag);
    return node->attr.squash == MPNO_SQUASH_SIGMOID ? mpno_plane_sigmoid(imag)
                                                    : mpno_plane_arcsinh(imag);
}

static void pointwise(const mpno_strip_walk *w, const mpno_node *node, int radius) {
    const mpno_strip_field x = mpno_strip_at(w, node->in[0], radius),
                           y = mpno_strip_at(w, node->out[0], radius);
    double bend = 0, grow = 0, zero = 0;
    for (int64_t c = 0; c < y.channels; c++) {
        const mpno_plane_bound f = bound_of(w, node, x.imag[c]);
        y.size[c] = fmin(f.zero + f.grow * x.size[c], f.most);
        y.imag[c] = f.bend * x.imag[c];
        bend = fmax(bend, f.bend), grow = fmax(grow, f.grow), zero = f.zero;
    }
    *y.all = zero * sqrt((double)y.channels) + grow * *x.all;
    *y.all_imag = bend * *x.all_imag;
}

/* Of the coefficients that the run showed, and of what the continuum's may be off by. */
static void inverse(const mpno_strip_walk *w, const mpno_node *node, int radius) {
    const int edge = node->in[0];
    const mpno_strip_sight *s = &w->sights[edge];
    const mpno_strip_field y = mpno_strip_at(w, node->out[0], radius);
    const double *sums = s->sums + radius * 2 * (y.channels + 1), off = w->off[edge] + s->off,
                 more = off * s->noise[radius], bent = off * s->noise[MPNO_RADII + radius];
    for (int64_t c = 0; c < y.channels; c++) {
        y.size[c] = sums[c] + more;
        y.imag[c] = sums[y.channels + 1 + c] + bent;
    }
    *y.all = sums[y.channels] + more;
    *y.all_imag = sums[2 * y.channels + 1] + bent;
}

/* -------- which -------- */

#define spectrum NULL
mpno_strip_rule *mpno_strip_rule_of(const mpno_op *op) {
    static const struct {
        const mpno_op *op;
        mpno_strip_rule *rule;
    } rules[] = {
#define X(name, rule) {&mpno_op_##name, rule},
#include "certify/strip/rules.def"
#undef X
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].op == op) return rules[i].rule;
    return NULL;
}
#undef spectrum

static bool known(const mpno_op *op) {
    static const mpno_op *const ops[] = {
#define X(name, rule) &mpno_op_##name,
#include "certify/strip/rules.def"
#undef X
    };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i] == op) return true;
    return false;
}

static const char *refused_op(const mpno_op *op) {
    static const struct {
        const mpno_op *op;
        const char *why;
    } reasons[] = {
        {&mpno_op_grid_embed,
         "coordinates jump where the domain ends, so that no strip has them: "
         "model.positional_embedding none is without"},
        {&mpno_op_pad,
         "zeros around the domain are no continuation of the field: "
         "model.domain_padding 0 is without"},
        {&mpno_op_convolve, "a convolution over points changes with the grid"},
        {&mpno_op_interpolate, "an interpolated skip has corners"},
        {&mpno_op_take_modes, "no bound is known of modes that change their place between grids"},
        {&mpno_op_moments, "statistics of the points change with the grid"},
        {&mpno_op_sigma_clip, "statistics of the points change with the grid"},
        {&mpno_op_running_moments, "no bound is known of normalisation"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].op == op) return reasons[i].why;
    return "no bound is known of this operation";
}

static bool below_nyquist(const mpno_fft *fft) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    for (int d = 0; d < p->ndim; d++) {
        const bool halved = p->kind == MPNO_FFT_REAL && d == p->ndim - 1;
        const int64_t most = halved ? p->keep[d] - 1 : p->keep[d] / 2;
        if (2 * most >= p->size[d]) return false;
    }
    return true;
}

const char *mpno_strip_refusal(const mpno_graph *graph, const mpno_node *node) {
    const mpno_op *op = node->op;
    if (!known(op)) return refused_op(op);
    const bool analytic =
        node->attr.squash == MPNO_SQUASH_SIGMOID || node->attr.squash == MPNO_SQUASH_ARCSINH;
    if (op == &mpno_op_squash && !analytic)
        return "the stabiliser has corners, and no continuation to complex numbers";
    if (op != &mpno_op_fft_forward && op != &mpno_op_fft_inverse) return NULL;
    const bool forward = op == &mpno_op_fft_forward;
    if (graph->edges[node->out[0]].grid != graph->edges[node->in[0]].grid)
        return "no bound is known of a block that changes the grid";
    if (!below_nyquist(node->attr.fft))
        return "a kept frequency is not below half the number of points";
    const double scale = forward ? 1.0 / (double)mpno_fft_points(node->attr.fft) : 1;
    const bool plain = node->attr.weighting == (forward ? MPNO_FFT_PLAIN : MPNO_FFT_HERMITIAN);
    return plain && node->attr.scale == scale ? NULL : "no bound is known of this transform";
}
