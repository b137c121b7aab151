/* SPDX-License-Identifier: MIT
 * Ranges of transforms, whole and in two parts (S6 to S10). Forward: a coefficient is at most the
 * sum of all magnitudes, and by Bessel's inequality the sum of squares of all coefficients is that
 * of the field. Inverse: the sum of the magnitudes of what is added up (chain.h), and the same
 * equality backwards. Arithmetic of f32 adds a share of the sum of magnitudes (S8); arithmetic of
 * 16 bits rounds, and can overflow, before any scale is applied (S9). */
#include <math.h>

#include "certify/range/chain.h"
#include "core/memory.h"
#include "number/format.h"

static bool narrow(const mpno_fft_problem *p) {
    return p->arithmetic == MPNO_F16 || p->arithmetic == MPNO_BF16;
}

/* The weight of mode m, by its last frequency, in a sum over all modes of a real field. */
static double weight_of(bool real, int64_t points, int64_t keep, int64_t m) {
    const int64_t k = m % keep;
    return real && k != 0 && 2 * k != points ? 2 : 1;
}

static double fft_weight(const mpno_fft *fft, int64_t m) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    return weight_of(p->kind == MPNO_FFT_REAL, p->size[p->ndim - 1], p->keep[p->ndim - 1], m);
}

static double columns_weight(const mpno_columns *c, int64_t m) {
    return weight_of(true, c->n, c->keep, m);
}

static double fft_error(const mpno_fft *fft) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    const double u = mpno_format_unit(narrow(p) ? MPNO_F32 : p->arithmetic);
    double error = 0;
    for (int d = 0; d < p->ndim; d++) error += mpno_range_axis_error(u, p->size[d]);
    return error * (1 + error);
}

static double rest_error(const mpno_columns *c) {
    return c->rest != NULL ? fft_error(c->rest) : 0;
}

static double line_error(const mpno_columns *c) {
    return mpno_range_axis_error(mpno_format_unit(c->arithmetic), c->n);
}

/* ---- 16-bit arithmetic ---- */

/* Of one transform: by how much roundings make a sum of magnitudes grow; what they add besides, in
 * all; and the powers of two by which prescale divides. */
typedef struct narrowing {
    double growth, added, divided;
} narrowing;

/* A stage is a butterfly of prime radix p: (1 + u) for its result, (1 + u / sqrt 2) for its
 * twiddle, (2 p + 16) u32 for what it does in f32, and sqrt 2 eta. Each axis has two stages
 * besides: samples that are loaded, pairs of a real line that are split. */
static narrowing narrow_growth(const mpno_range_walk *w, const mpno_fft *fft, bool prescale) {
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    const mpno_format format = mpno_range_format(w, p->arithmetic);
    const double u = mpno_format_unit(format), u32 = mpno_format_unit(MPNO_F32),
                 eta = sqrt(2) * mpno_range_tiny(format);
    narrowing g = {1, 0, 1};
    for (int d = 0; d < p->ndim; d++) {
        double stages = 2;
        int64_t bits = 0, n = p->size[d];
        for (int64_t f = 2; n > 1; f++)
            for (; n % f == 0; n /= f, stages++)
                g.growth *= (1 + 2 * u) * (1 + 2 * (2 * (double)f + 16) * u32);
        while ((int64_t)1 << bits < p->size[d]) bits++;
        g.growth *= (1 + 2 * u) * (1 + 2 * u) * (1 + 64 * u32);
        if (prescale) g.divided *= ldexp(1, (int)bits);
        g.added = (prescale ? g.added : g.added * (double)p->size[d]) +
                  eta * (double)p->size[d] * (1 + stages);
    }
    g.added *= g.growth;
    return g;
}

static void note_inside(mpno_range_walk *w, const mpno_node *node, double inside, double growth) {
    const int n = (int)(node - w->graph->nodes);
    if (!(inside <= w->inside[n])) w->inside[n] = inside > 0 ? inside : INFINITY;
    w->growth[n] = growth;
}

/* ---- forward ---- */

static double sum_weights(const double *weights, int64_t modes) {
    double sum = 0;
    for (int64_t k = 0; k < modes; k++) sum += weights[k];
    return sum;
}

mpno_status mpno_range_fft_forward(mpno_range_walk *w, const mpno_node *node) {
    const mpno_fft *fft = node->attr.fft;
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const int64_t modes = mpno_fft_modes(fft);
    const double s = fabs(node->attr.scale), n = (double)mpno_fft_points(fft),
                 planes = p->kind == MPNO_FFT_COMPLEX ? sqrt(2) : 1;
    const narrowing g =
        narrow(p) ? narrow_growth(w, fft, node->attr.prescale) : (narrowing){1, 0, 1};
    const double error = narrow(p) ? g.growth - 1 : fft_error(fft);
    if (node->attr.weighting != MPNO_FFT_PLAIN) return MPNO_OK;
    for (int64_t k = 0; k < modes; k++) y->weights[k] = fft_weight(fft, k);
    const double total = sqrt(sum_weights(y->weights, modes));
    for (int64_t c = 0; c < y->channels; c++) {
        const double sum = n * planes * mpno_range_mean(x, c),
                     off = error * sum + g.added * g.divided + mpno_range_guard(w, 4 * n * sum);
        const double most = node->attr.prescale ? planes * x->most[c] : sum;
        y->most[c] = s * (sum + off);
        y->rms[c] = s * (n * planes * x->rms[c] + off * total);
        if (narrow(p)) note_inside(w, node, most * g.growth + g.added, g.growth);
    }
    return MPNO_OK;
}

/* c[k] = s sum over a line, with s = T[n][0, 0]. */
mpno_status mpno_range_line_forward(mpno_range_walk *w, const mpno_node *node) {
    const mpno_columns *t = node->attr.columns;
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double s = fabs(t->mean), n = (double)t->n, lines = (double)t->lines,
                 error = line_error(t), total = sqrt(2 * (double)t->keep);
    const bool plain = t->middle_count == 0 || t->square[MPNO_COLUMNS_MIDDLE] <= 0.75 * s * s * n;
    if (!plain) return MPNO_OK;
    const double cap = w->assume_tanh && w->tamed[node->out[0]] ? 1 : INFINITY;
    for (int64_t c = 0; c < y->channels; c++) {
        const double most = fmin(x->most[c], cap), rms = fmin(x->rms[c], cap);
        y->most[c] = s * n * fmin(most, sqrt(lines) * rms) * (1 + error) +
                     mpno_range_guard(w, 2 * n * most); /* however small the sums of all are */
        y->rms[c] = s * n * rms * (1 + error * total); /* the mean of a line's means */
    }
    return MPNO_OK;
}

/* The mean over the lines of |c[k]| is at most the largest, and the root mean square. */
mpno_status mpno_range_columns_forward(mpno_range_walk *w, const mpno_node *node) {
    const mpno_columns *t = node->attr.columns;
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const double lines = (double)t->lines, error = rest_error(t);
    for (int64_t k = 0; k < t->modes; k++) y->weights[k] = columns_weight(t, k);
    const double total = sqrt(sum_weights(y->weights, t->modes));
    for (int64_t c = 0; c < y->channels; c++) {
        const double sum = lines * mpno_range_mean(x, c) +
                           mpno_range_guard(w, 4 * lines * lines * mpno_range_mean(x, c));
        y->most[c] = sum * (1 + error);
        y->rms[c] = lines * x->rms[c] + error * sum * total;
    }
    return MPNO_OK;
}

/* ---- inverse ---- */

/* sqrt of the largest v[k] / w[k]: from the sum of squares with the weights w of the grid in to
 * that with the weights v of the grid out. */
static double to_weights(const mpno_range *x, const double *v, int64_t modes) {
    double most = 0;
    for (int64_t k = 0; k < modes; k++)
        if (x->weights[k] > 0) most = fmax(most, v[k] / x->weights[k]);
    return sqrt(most);
}

mpno_status mpno_range_fft_inverse(mpno_range_walk *w, const mpno_node *node) {
    const mpno_fft *fft = node->attr.fft;
    const mpno_fft_problem *p = mpno_fft_get_problem(fft);
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const int64_t modes = mpno_fft_modes(fft);
    const bool hermitian = node->attr.weighting == MPNO_FFT_HERMITIAN;
    const double s = fabs(node->attr.scale), planes = mpno_range_planes(w->graph, node->out[0]);
    const narrowing g = narrow(p) ? narrow_growth(w, fft, false) : (narrowing){1, 0, 1};
    const double error = narrow(p) ? g.growth - 1 : fft_error(fft);
    double *v;
    mpno_chain chain;
    if (p->kind == MPNO_FFT_REAL && !hermitian) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)modes, sizeof *v, &v));
    for (int64_t k = 0; k < modes; k++) v[k] = fft_weight(fft, k);
    const mpno_chain_end end = {v, 1};
    const mpno_status status = mpno_chain_bounds(w, node->in[0], true, &end, &chain);
    const double times = to_weights(x, v, modes);
    for (int64_t c = 0; status == MPNO_OK && c < y->channels; c++) {
        const double n = (double)mpno_fft_points(fft),
                     off = error * chain.sum[c] + g.added / s +
                           mpno_range_guard(w, 4 * n * s * chain.sum[c]);
        y->most[c] = s * (chain.sum[c] + off);
        y->rms[c] = s * (times * fmin(x->rms[c], chain.rms[c]) / sqrt(planes) + off);
        /* the pairs that a real line is joined to are twice as large */
        if (narrow(p)) note_inside(w, node, 2 * s * chain.sum[c] * g.growth + g.added, g.growth);
    }
    mpno_free(w->ctx, v);
    if (status == MPNO_OK) mpno_chain_clear(w->ctx, &chain);
    return status;
}

mpno_status mpno_range_columns_inverse(mpno_range_walk *w, const mpno_node *node) {
    const mpno_columns *t = node->attr.columns;
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    const bool biased = node->n_in > 1 && node->in[1] >= 0;
    const double error = rest_error(t), u = 2 * mpno_range_unit(w);
    double *v, *b = NULL;
    mpno_chain chain;
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)t->modes, sizeof *v, &v));
    for (int64_t k = 0; k < t->modes; k++) v[k] = columns_weight(t, k);
    const mpno_chain_end end = {v, t->keep};
    mpno_status status = mpno_chain_bounds(w, node->in[0], true, &end, &chain);
    const double times = to_weights(x, v, t->modes);
    if (status == MPNO_OK && biased) status = mpno_range_magnitudes(w, node, 1, &b);
    for (int64_t c = 0; status == MPNO_OK && c < y->channels; c++) {
        const double add = b != NULL ? b[c] / fabs(t->mean) : 0,
                     off = error * chain.sum[c] +
                           mpno_range_guard(w, 4 * (double)t->lines * chain.sum[c]);
        y->most[c] = (chain.column[c] * (1 + error) + add) * (1 + u);
        y->field[c] = (chain.sum[c] + off + add) * (1 + u);
        y->rms[c] = (times * fmin(x->rms[c], chain.rms[c]) + off + add) * (1 + u);
    }
    mpno_free(w->ctx, v);
    mpno_free(w->ctx, b);
    mpno_chain_clear(w->ctx, &chain);
    return status;
}

/* The field of columns: x = Re sum_k w c[k] e(kn), times T[n][0, 0]. */
static void field_of(const mpno_columns *t, const mpno_range *x, int64_t c, double *most,
                     double *rms) {
    double sum = 0;
    for (int64_t k = 0; k < t->keep; k++) sum += columns_weight(t, k) * x->most[c];
    const double s = fabs(t->mean), all = fmin(sum, x->field[c]), error = line_error(t);
    *most = s * all * (1 + error);
    *rms = fmin(s * (x->rms[c] + error * all), *most);
}

/* Only with the weights of the half that is not stored. */
static bool hermitian(const mpno_columns *t) {
    return t->middle_count == 0 ||
           t->square[MPNO_COLUMNS_MIDDLE] >= 1.5 * t->mean * t->mean * (double)t->n;
}

mpno_status mpno_range_line_inverse(mpno_range_walk *w, const mpno_node *node) {
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; hermitian(node->attr.columns) && c < y->channels; c++)
        field_of(node->attr.columns, mpno_range_in(w, node, 0), c, &y->most[c], &y->rms[c]);
    return MPNO_OK;
}

/* sums[2c] = sum x, sums[2c + 1] = sum x^2 of n points. */
static void sums_of(mpno_range *y, int64_t c, double n, double mean, double rms) {
    y->most[2 * c] = n * mean * (1 + 1e-9);
    y->most[2 * c + 1] = n * rms * rms * (1 + 1e-9);
}

mpno_status mpno_range_columns_moments(mpno_range_walk *w, const mpno_node *node) {
    mpno_range *y = mpno_range_out(w, node);
    const double n = mpno_range_points(w->graph, node->in[0]);
    for (int64_t c = 0; hermitian(node->attr.columns) && 2 * c < y->channels; c++) {
        double most, rms;
        field_of(node->attr.columns, mpno_range_in(w, node, 0), c, &most, &rms);
        sums_of(y, c, n, fmin(most, rms), rms);
    }
    return MPNO_OK;
}

mpno_status mpno_range_moments(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range *y = mpno_range_out(w, node);
    for (int64_t c = 0; c < x->channels; c++)
        sums_of(y, c, mpno_range_points(w->graph, node->in[0]), mpno_range_mean(x, c), x->rms[c]);
    return MPNO_OK;
}

mpno_status mpno_range_line_normalize(mpno_range_walk *w, const mpno_node *node) {
    const mpno_range *x = mpno_range_in(w, node, 0);
    mpno_range field = {.channels = x->channels};
    if (!hermitian(node->attr.columns)) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(w->ctx, (size_t)(4 * x->channels), sizeof(double), &field.most));
    field.rms = field.most + x->channels;
    field.low = field.rms + x->channels, field.high = field.low + x->channels;
    double off = 0; /* of the points from those whose sums were taken */
    for (int64_t c = 0; c < x->channels; c++) {
        double most, rms;
        field_of(node->attr.columns, x, c, &most, &rms);
        mpno_range_set(&field, c, -most, most, rms);
        off = fmax(off, 2 * line_error(node->attr.columns) * field.most[c]);
    }
    const mpno_status status = mpno_range_normalized(w, node, &field, off);
    mpno_free(w->ctx, field.most);
    return status;
}
