/* SPDX-License-Identifier: MIT
 * Normalisers: see normalizer.h. */
#include "data/normalizer.h"

#include <math.h>

#include "core/memory.h"
#include "data/tensors.h"
#include "number/format.h"

const char *mpno_encoding_name(mpno_encoding encoding) {
    static const char *const names[] = {"scalar", "channel-wise", "pixel-wise"};
    return names[encoding];
}

static int64_t points_of(const mpno_field_layout *layout) {
    int64_t points = 1;
    for (int d = 0; d < layout->ndim; d++) points *= layout->grid[d];
    return points;
}

int64_t mpno_normalizer_count(const mpno_normalizer *n) {
    if (n->encoding == MPNO_ENCODING_SCALAR) return 0;
    const int64_t points = n->encoding == MPNO_ENCODING_PIXEL_WISE ? points_of(&n->layout) : 1;
    return points * n->layout.channels;
}

/* ---- fitting ---- */

/* The place of a row of channels in means and stds, and how many came there before (Welford). */
static int64_t first_of(const mpno_normalizer *n, int64_t row, int64_t *before) {
    const int64_t channels = n->layout.channels, planes = n->layout.planes;
    *before = row;
    if (n->encoding == MPNO_ENCODING_CHANNEL_WISE) return 0;
    const int64_t points = mpno_normalizer_count(n) / channels;
    *before = row / planes / points * planes + row % planes;
    return row / planes % points * channels;
}

mpno_status mpno_moments_start(mpno_ctx *ctx, mpno_encoding encoding,
                               const mpno_field_layout *layout, mpno_moments *m) {
    *m = (mpno_moments){.n = 0};
    return encoding == MPNO_ENCODING_SCALAR
               ? MPNO_OK
               : mpno_normalizer_allocate(ctx, encoding, layout, &m->of);
}

/* The tile's own mean and squares, merged with those of all before it. */
static void merge_tile(mpno_moments *m) {
    const double n = m->in_tile, before = (double)(m->n - m->in_tile);
    double sum = 0, squares = 0;
    if (m->in_tile == 0) return;
    for (int i = 0; i < m->in_tile; i++) sum += m->tile[i];
    const double mean = sum / n;
    for (int i = 0; i < m->in_tile; i++) squares += (m->tile[i] - mean) * (m->tile[i] - mean);
    const double apart = mean - m->of.mean;
    m->of.mean += apart * (n / (before + n));
    m->of.std += squares + apart * apart * (before * n / (before + n));
    m->in_tile = 0;
}

static void add_scalar(mpno_moments *m, mpno_format format, const void *data, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        m->tile[m->in_tile++] = mpno_real_at(format, data, i);
        m->n++;
        if (m->in_tile == MPNO_MOMENTS_TILE) merge_tile(m);
    }
}

void mpno_moments_add(mpno_moments *m, mpno_format format, const void *data, int64_t n) {
    mpno_normalizer *out = &m->of;
    const int64_t channels = out->layout.channels;
    int64_t before;
    if (out->encoding == MPNO_ENCODING_SCALAR) {
        add_scalar(m, format, data, n);
        return;
    }
    for (int64_t i = 0; i < n; i += channels, m->n += channels) {
        const int64_t first = first_of(out, m->n / channels, &before);
        for (int64_t c = 0; c < channels; c++) {
            double *mean = &out->means[first + c];
            const double x = mpno_real_at(format, data, i + c), deviation = x - *mean;
            *mean += deviation / (double)(before + 1);
            out->stds[first + c] += deviation * (x - *mean);
        }
    }
}

static mpno_status finish_scalar(mpno_ctx *ctx, mpno_moments *m) {
    MPNO_CHECK(ctx, m->n >= 2, MPNO_E_ARGUMENT, "a normaliser needs at least 2 values, not %lld",
               (long long)m->n);
    merge_tile(m);
    m->of.std = sqrt(m->of.std / (double)(m->n - 1));
    MPNO_CHECK(
        ctx, isfinite(m->of.mean) && isfinite(m->of.std), MPNO_E_NUMERIC,
        "mean %g and standard deviation %g of the values are not finite: clean the data first",
        m->of.mean, m->of.std);
    return MPNO_OK;
}

static mpno_status finish_places(mpno_ctx *ctx, mpno_moments *m) {
    mpno_normalizer *out = &m->of;
    const int64_t count = mpno_normalizer_count(out), each = m->n / count;
    MPNO_CHECK(ctx, each >= 2, MPNO_E_CONFIG,
               "data.encoding = %s needs at least 2 values at each place, found %lld: give more "
               "training samples",
               mpno_encoding_name(out->encoding), (long long)each);
    for (int64_t i = 0; i < count; i++) {
        out->stds[i] = sqrt(out->stds[i] / (double)(each - 1));
        MPNO_CHECK(ctx, isfinite(out->means[i]) && isfinite(out->stds[i]), MPNO_E_NUMERIC,
                   "mean %g and standard deviation %g of channel %lld are not finite: clean the "
                   "data first",
                   out->means[i], out->stds[i], (long long)(i % out->layout.channels));
    }
    return MPNO_OK;
}

mpno_status mpno_moments_finish(mpno_ctx *ctx, mpno_moments *m, mpno_normalizer *out) {
    const bool scalar = m->of.encoding == MPNO_ENCODING_SCALAR;
    const mpno_status status = scalar ? finish_scalar(ctx, m) : finish_places(ctx, m);
    if (status == MPNO_OK)
        *out = m->of;
    else
        mpno_moments_discard(ctx, m);
    m->of = (mpno_normalizer){0};
    return status;
}

void mpno_moments_discard(mpno_ctx *ctx, mpno_moments *m) {
    mpno_normalizer_clear(ctx, &m->of);
}

mpno_status mpno_normalizer_fit_parts(mpno_ctx *ctx, mpno_encoding encoding,
                                      const mpno_field_layout *layout, mpno_format format,
                                      const mpno_values *parts, size_t n_parts,
                                      mpno_normalizer *out) {
    mpno_moments m;
    MPNO_CHECK(ctx, format == MPNO_F32 || format == MPNO_F64, MPNO_E_ARGUMENT,
               "a normaliser is fitted to f32 or f64 values only");
    MPNO_TRY(mpno_moments_start(ctx, encoding, layout, &m));
    for (size_t p = 0; p < n_parts; p++) mpno_moments_add(&m, format, parts[p].data, parts[p].n);
    return mpno_moments_finish(ctx, &m, out);
}

mpno_status mpno_normalizer_fit(mpno_ctx *ctx, mpno_format format, const void *data, int64_t n,
                                mpno_normalizer *out) {
    const mpno_values all = {data, n};
    return mpno_normalizer_fit_parts(ctx, MPNO_ENCODING_SCALAR, NULL, format, &all, 1, out);
}

/* ---- keeping ---- */

static mpno_status check_pair(mpno_ctx *ctx, double mean, double std) {
    MPNO_CHECK(ctx, isfinite(mean) && isfinite(std) && std >= 0, MPNO_E_FORMAT,
               "a normaliser with mean %g and standard deviation %g is not possible", mean, std);
    return MPNO_OK;
}

mpno_status mpno_normalizer_restore(mpno_ctx *ctx, double mean, double std, mpno_normalizer *out) {
    MPNO_TRY(check_pair(ctx, mean, std));
    *out = (mpno_normalizer){.mean = mean, .std = std};
    return MPNO_OK;
}

mpno_status mpno_normalizer_allocate(mpno_ctx *ctx, mpno_encoding encoding,
                                     const mpno_field_layout *layout, mpno_normalizer *out) {
    *out = (mpno_normalizer){.encoding = encoding, .layout = *layout};
    const size_t count = (size_t)mpno_normalizer_count(out);
    mpno_status status = mpno_alloc_array(ctx, count, sizeof(double), &out->means);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, count, sizeof(double), &out->stds);
    if (status != MPNO_OK) mpno_normalizer_clear(ctx, out);
    return status;
}

mpno_status mpno_normalizer_check(mpno_ctx *ctx, const mpno_normalizer *n) {
    for (int64_t i = 0; i < mpno_normalizer_count(n); i++)
        MPNO_TRY(check_pair(ctx, n->means[i], n->stds[i]));
    return MPNO_OK;
}

void mpno_normalizer_clear(mpno_ctx *ctx, mpno_normalizer *n) {
    mpno_free(ctx, n->means);
    mpno_free(ctx, n->stds);
    *n = (mpno_normalizer){0};
}

mpno_status mpno_normalizer_check_grid(mpno_ctx *ctx, const mpno_normalizer *n, const char *what,
                                       int ndim, const int64_t *grid) {
    char own[128], found[128];
    bool same = n->encoding != MPNO_ENCODING_PIXEL_WISE || ndim == n->layout.ndim;
    for (int d = 0; same && n->encoding == MPNO_ENCODING_PIXEL_WISE && d < ndim; d++)
        same = grid[d] == n->layout.grid[d];
    MPNO_CHECK(ctx, same, MPNO_E_SHAPE,
               "data.encoding = pixel-wise normalises %s on the training grid %s alone, these lie "
               "on %s: use that grid, or train with data.encoding=channel-wise",
               what, mpno_shape_text(n->layout.ndim, n->layout.grid, own, sizeof own),
               mpno_shape_text(ndim, grid, found, sizeof found));
    return MPNO_OK;
}

/* ---- applying ---- */

static void encode_run(mpno_format format, void *data, int64_t first, int64_t n, double mean,
                       double scale) {
    if (format == MPNO_F64) {
        double *x = (double *)data + first;
        for (int64_t i = 0; i < n; i++) x[i] = (x[i] - mean) / scale;
    } else {
        float *x = (float *)data + first;
        for (int64_t i = 0; i < n; i++) x[i] = (float)((x[i] - mean) / scale);
    }
}

static void decode_run(mpno_format format, void *data, int64_t first, int64_t n, double mean,
                       double scale) {
    if (format == MPNO_F64) {
        double *x = (double *)data + first;
        for (int64_t i = 0; i < n; i++) x[i] = x[i] * scale + mean;
    } else {
        float *x = (float *)data + first;
        for (int64_t i = 0; i < n; i++) x[i] = (float)(x[i] * scale + mean);
    }
}

/* Both directions: over everything at once, or value by value where each has numbers of its own. */
static void map(const mpno_normalizer *normalizer, mpno_format format, void *data, int64_t n,
                void run(mpno_format, void *, int64_t, int64_t, double, double)) {
    const int64_t channels = normalizer->layout.channels;
    int64_t before;
    if (normalizer->encoding == MPNO_ENCODING_SCALAR) {
        run(format, data, 0, n, normalizer->mean, normalizer->std + MPNO_NORMALIZER_EPS);
        return;
    }
    for (int64_t i = 0; i < n; i += channels) {
        const int64_t first = first_of(normalizer, i / channels, &before);
        const double *mean = normalizer->means + first, *std = normalizer->stds + first;
        for (int64_t c = 0; c < channels; c++)
            run(format, data, i + c, 1, mean[c], std[c] + MPNO_NORMALIZER_EPS);
    }
}

void mpno_normalizer_encode(const mpno_normalizer *normalizer, mpno_format format, void *data,
                            int64_t n) {
    map(normalizer, format, data, n, encode_run);
}

void mpno_normalizer_decode(const mpno_normalizer *normalizer, mpno_format format, void *data,
                            int64_t n) {
    map(normalizer, format, data, n, decode_run);
}
