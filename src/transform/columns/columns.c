/* SPDX-License-Identifier: MIT
 * Plans of the transform in two parts, see columns.h. The other axes are a complex transform whose
 * channels are the frequencies and channels of a line together, as groups. */
#include "transform/columns/columns.h"

#include <math.h>

#include <stdatomic.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "number/format.h"
#include "transform/columns/lines.h"

/* Scale and weight of each frequency, and what sums over them need to know. */
static void weigh(mpno_columns *c, double scale, mpno_fft_weighting weighting, double *weights) {
    for (int64_t k = 0; k < c->keep; k++) {
        const bool alone = k == 0 || 2 * k == c->n;
        const double w = scale * (weighting == MPNO_FFT_HERMITIAN && !alone ? 2 : 1);
        const mpno_columns_class class = k == 0          ? MPNO_COLUMNS_MEAN
                                         : 2 * k == c->n ? MPNO_COLUMNS_NYQUIST
                                                         : MPNO_COLUMNS_MIDDLE;
        c->square[class] = w * w * (double)c->n * (alone ? 1 : 0.5);
        if (class == MPNO_COLUMNS_MEAN) c->mean = w;
        if (class == MPNO_COLUMNS_MIDDLE) c->middle_count++;
        if (class == MPNO_COLUMNS_NYQUIST) c->has_nyquist = true;
        weights[k] = w;
    }
}

static mpno_status make_tables(mpno_ctx *ctx, double scale, mpno_fft_weighting weighting,
                               mpno_columns *c) {
    double *weights;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)c->keep, sizeof *weights, &weights));
    weigh(c, scale, weighting, weights);
    const mpno_status status = mpno_alloc_array(ctx, mpno_lines_table_count(c),
                                                mpno_format_bytes(c->arithmetic), &c->owned);
    if (status == MPNO_OK) mpno_lines_fill(c, weights, c->owned);
    mpno_free(ctx, weights);
    return status;
}

static mpno_status make_plan(mpno_ctx *ctx, const mpno_fft_problem *problem, int64_t part,
                             double scale, mpno_fft_weighting weighting, mpno_columns *c) {
    const int last = problem->ndim - 1;
    mpno_fft_problem rest = *problem;
    c->arithmetic = problem->arithmetic;
    c->kernels = mpno_kernels_get(ctx->isa, problem->arithmetic);
    c->n = problem->size[last], c->keep = problem->keep[last], c->part = part;
    c->method = mpno_lines_choose(c);
    c->lines = 1, c->modes = c->keep, c->middle_first = 1;
    for (int d = 0; d < last; d++) c->lines *= problem->size[d], c->modes *= problem->keep[d];
    MPNO_TRY(make_tables(ctx, scale, weighting, c));
    rest.kind = MPNO_FFT_COMPLEX, rest.ndim = last;
    return last > 0 ? mpno_fft_create(ctx, &rest, &c->rest) : MPNO_OK;
}

mpno_status mpno_columns_create(mpno_ctx *ctx, const mpno_fft_problem *problem, int64_t part,
                                double scale, mpno_fft_weighting weighting, mpno_columns **out) {
    MPNO_CHECK(ctx, problem->kind == MPNO_FFT_REAL && problem->ndim >= 1, MPNO_E_ARGUMENT,
               "columns: only transforms of real data come in two parts");
    MPNO_TRY(mpno_alloc(ctx, sizeof **out, out));
    const mpno_status status = make_plan(ctx, problem, part, scale, weighting, *out);
    if (status != MPNO_OK) mpno_columns_destroy(ctx, out);
    return status;
}

void mpno_columns_destroy(mpno_ctx *ctx, mpno_columns **columns) {
    if (columns == NULL || *columns == NULL) return;
    mpno_fft_destroy(ctx, &(*columns)->rest);
    mpno_free(ctx, (*columns)->owned);
    mpno_free(ctx, *columns);
    *columns = NULL;
}

/* T' = scale w F' with the plain transform F' of a line, whose norm is n in these norms, but for
 * the last frequency of an even line, which stands for itself alone and weighs 2. Inverse: T =
 * scale w Re F, the weights at most those of the norm. */
double mpno_columns_gain(const mpno_columns *c, bool inverse) {
    const double scale = fabs(c->mean);
    if (inverse) return scale;
    const double mean = c->square[MPNO_COLUMNS_MEAN]; /* scale^2 n */
    const double middle =
        c->middle_count > 0 ? 1.0001 * sqrt(2 * c->square[MPNO_COLUMNS_MIDDLE] / mean) : 1;
    const double last = c->has_nyquist ? sqrt(2) : 1;
    return scale * (double)c->n * fmax(fmax(1, last), middle);
}

/* Roundings one after the other: a chain of products, the table's and the product's own, and those
 * of folding. Their magnitudes are |x| |T| and |T| |c|, whose norms are sqrt(sum of w) in units of
 * the gain. Parts of a line are turned to its origin, two more chains of two: the product with a
 * rounded root mixes two sums. */
double mpno_columns_line_growth(const mpno_columns *c, bool inverse) {
    const double keep = (double)c->keep, n = (double)c->n,
                 together = (double)(c->part < c->n ? c->part : c->n), parts = ceil(n / together);
    double depth = 0, turned = 1;
    switch (c->method) {
        case MPNO_LINES_PLAIN:
            depth = inverse ? 2 * keep + 2 : n + 2;
            break;
        case MPNO_LINES_FOURS:
            depth = inverse ? keep + 4 : n / 4 + 5;
            break;
        case MPNO_LINES_PAIRS:
            depth = inverse ? keep + 4 : n / 2 + 4;
            break;
        case MPNO_LINES_TURNED:
            depth = inverse ? keep + 8 : together / 2 + 7 + 2 * parts;
            turned = sqrt(2);
            break;
    }
    return turned * depth * sqrt(2 * keep - 1);
}

/* One axis is all: its columns are the spectrum, moved. */
double mpno_columns_rest_growth(const mpno_columns *c, bool inverse) {
    return c->rest == NULL ? 0 : mpno_fft_growth(c->rest, inverse);
}

double mpno_columns_rest_flops(const mpno_columns *columns) {
    return columns->rest != NULL ? mpno_fft_flops(columns->rest) * (double)columns->keep : 0;
}

int64_t mpno_columns_square(const mpno_columns *columns, int64_t m) {
    const int64_t k = m % columns->keep, others = m / columns->keep;
    return k * k + (columns->rest != NULL ? mpno_fft_square(columns->rest, others) : 0);
}

/* ---- the other axes ---- */

/* One axis is all: the copy between columns [batch][2][K][C] and the spectrum [K][batch][2][C]. */
typedef struct reorder {
    const mpno_columns *plan;
    const mpno_columns_call *call;
    char *columns, *spectrum;
    bool to_spectrum;
    atomic_bool bad;
} reorder;

static size_t row_bytes(const mpno_columns *c, int64_t channels) {
    return mpno_aligned((size_t)channels * mpno_format_bytes(c->arithmetic));
}

/* Through the room only what must be converted. */
static int reorder_row(const reorder *r, char *column, char *stored, bool mean, char *room) {
    const mpno_kernels *kernels = r->plan->kernels;
    const int64_t channels = r->call->channels;
    const mpno_format in = r->call->columns_format, out = r->call->spectrum_format;
    const mpno_format format = r->to_spectrum ? in : out;
    const mpno_codec *codec = r->to_spectrum ? r->call->columns_codec : r->call->spectrum_codec,
                     *to = r->to_spectrum ? r->call->spectrum_codec : r->call->columns_codec;
    const mpno_codec_kernels *codecs = mpno_codec_kernels_get(kernels->isa, kernels->arithmetic);
    const char *from = r->to_spectrum ? column : stored;
    if (format != r->plan->arithmetic) {
        if (codec != NULL) {
            codecs->load(codec, room, from, channels);
        } else {
            kernels->load(room, from, format, channels);
        }
        from = room;
    }
    if (mean) {
        kernels->channel_affine(room, from, NULL, r->call->mean, 1, channels);
        from = room;
    }
    if (to != NULL) return codecs->store(to, r->to_spectrum ? stored : column, from, channels);
    return r->to_spectrum ? kernels->store(stored, out, from, channels)
                          : kernels->store(column, in, from, channels);
}

static void reorder_mode(void *argument, int64_t k, int thread) {
    reorder *r = argument;
    const int64_t keep = r->plan->keep, batch = r->call->batch, channels = r->call->channels;
    const size_t column = (size_t)channels * mpno_format_bytes(r->call->columns_format),
                 stored = (size_t)channels * mpno_format_bytes(r->call->spectrum_format);
    char *room = (char *)r->call->scratch + (size_t)thread * row_bytes(r->plan, channels);
    int bad = 0;
    for (int64_t half = 0; half < 2 * batch; half++)
        bad |=
            reorder_row(r, r->columns + (size_t)(half * keep + k) * column,
                        r->spectrum + (size_t)(k * 2 * batch + half) * stored,
                        !r->to_spectrum && r->call->mean != NULL && k == 0 && half % 2 == 0, room);
    if (bad) atomic_store_explicit(&r->bad, true, memory_order_relaxed);
}

static int reorder_modes(const mpno_columns *plan, const mpno_columns_call *call, void *columns,
                         void *spectrum, bool to_spectrum) {
    reorder r = {.plan = plan,
                 .call = call,
                 .columns = columns,
                 .spectrum = spectrum,
                 .to_spectrum = to_spectrum};
    mpno_parallel(call->n_threads, plan->keep, reorder_mode, &r);
    return r.bad;
}

size_t mpno_columns_scratch_bytes(const mpno_columns *columns, int64_t channels, int n_threads) {
    return columns->rest == NULL
               ? (size_t)n_threads * row_bytes(columns, channels)
               : mpno_fft_groups_scratch_bytes(columns->rest, channels, columns->keep, n_threads);
}

/* Each frequency of a line is a group: its modes stand together in the spectrum. */
static mpno_fft_call rest_call(const mpno_columns *plan, const mpno_columns_call *call) {
    return (mpno_fft_call){.batch = call->batch,
                           .channels = plan->keep * call->channels,
                           .groups = plan->keep,
                           .scale = 1,
                           .weighting = MPNO_FFT_PLAIN,
                           .mean = call->mean,
                           .field_format = call->columns_format,
                           .spectrum_format = call->spectrum_format,
                           .field_codec = call->columns_codec,
                           .spectrum_codec = call->spectrum_codec,
                           .n_threads = call->n_threads,
                           .scratch = call->scratch};
}

int mpno_columns_forward(const mpno_columns *plan, const mpno_columns_call *call,
                         const void *columns, void *spectrum) {
    const mpno_fft_call rest = rest_call(plan, call);
    return plan->rest != NULL
               ? mpno_fft_forward(plan->rest, &rest, columns, spectrum)
               : reorder_modes(plan, call, (void *)(uintptr_t)columns, spectrum, true);
}

int mpno_columns_inverse(const mpno_columns *plan, const mpno_columns_call *call,
                         const void *spectrum, void *columns) {
    const mpno_fft_call rest = rest_call(plan, call);
    return plan->rest != NULL
               ? mpno_fft_inverse(plan->rest, &rest, spectrum, columns)
               : reorder_modes(plan, call, columns, (void *)(uintptr_t)spectrum, false);
}
