/* SPDX-License-Identifier: MIT
 * See sample_picture.h. */
#include "train/sample_picture.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "train/predictor.h"

/* A plane (or line) of a field: where it begins and how it is walked, in points. */
typedef struct plane {
    int64_t start, n1, n2, stride1, stride2;
    int fixed; /* axis it is cut at, -1: none */
} plane;

static int planes_of(const mpno_dataset *data) {
    return data->ndim >= 3 ? MPNO_PICTURE_PLANES : 1;
}

static plane plane_of(int ndim, const int64_t *grid, int k) {
    int64_t stride[MPNO_MAX_DIMS + 1];
    stride[ndim - 1] = 1;
    for (int d = ndim - 1; d > 0; d--) stride[d - 1] = stride[d] * grid[d];
    plane p = {0, grid[0], 1, stride[0], 1, -1};
    if (ndim == 1) return p;
    int axes[2] = {0, 1};
    if (ndim >= 3) {
        const int first = ndim - 3;
        axes[0] = k == 0 ? first + 1 : first;
        axes[1] = k == 2 ? first + 1 : first + 2;
        p.fixed = first + k;
        for (int d = 0; d < first; d++) p.start += grid[d] / 2 * stride[d];
        p.start += grid[p.fixed] / 2 * stride[p.fixed];
    }
    p.n1 = grid[axes[0]], p.stride1 = stride[axes[0]];
    p.n2 = grid[axes[1]], p.stride2 = stride[axes[1]];
    return p;
}

/* One channel of values [grid..][channels] on the plane, at *to, which moves on. */
static mpno_panel_field cut(const mpno_dataset *data, const plane *p, const void *values,
                            int64_t channels, int64_t channel, float **to) {
    float *out = *to;
    for (int64_t i = 0; i < p->n1; i++) {
        for (int64_t j = 0; j < p->n2; j++) {
            const int64_t point = p->start + i * p->stride1 + j * p->stride2;
            const size_t at = (size_t)(point * channels + channel);
            out[i * p->n2 + j] = data->format == MPNO_F64 ? (float)((const double *)values)[at]
                                                          : ((const float *)values)[at];
        }
    }
    *to += p->n1 * p->n2;
    return (mpno_panel_field){out, p->n1, p->n2};
}

static void write_label(const mpno_dataset *data, const plane *p, const char *label,
                        int64_t channel, bool several, char *out, size_t capacity) {
    int n = snprintf(out, capacity, "%.60s", label);
    if (several) n += snprintf(out + n, capacity - (size_t)n, ", channel %d", (int)channel);
    if (p->fixed >= 0) {
        const int64_t size = data->out_grid[p->fixed];
        snprintf(out + n, capacity - (size_t)n, ", plane x%d = %.3g", p->fixed + 1,
                 (double)(size / 2) / (double)size);
    }
}

static void write_headings(const mpno_settings *s, mpno_sample_picture *picture) {
    static const char *const names[] = {"input", "truth", "prediction", "error"};
    const char **at[] = {&picture->opts.input_heading, &picture->opts.truth_heading,
                         &picture->opts.prediction_heading, &picture->opts.error_heading};
    for (int i = 0; i < 4; i++) {
        const char *unit = i == 0 ? s->report.input_unit : s->report.output_unit;
        snprintf(picture->headings[i], MPNO_PICTURE_HEADING, unit ? "%s (%.60s)" : "%s", names[i],
                 unit ? unit : "");
        *at[i] = picture->headings[i];
    }
}

static int64_t shown(int64_t channels) {
    return channels < MPNO_PICTURE_CHANNELS ? channels : MPNO_PICTURE_CHANNELS;
}

/* Inputs beyond the outputs get rows of their own; a single input stands beside every output. */
static void add_rows(const mpno_dataset *data, const void *prediction, const void *truth,
                     const char *label, mpno_sample_picture *picture) {
    /* of complex fields the real parts are the first channels, the imaginary ones the others */
    const int64_t in = data->planes * data->in_channels, out = data->planes * data->out_channels;
    const int64_t n = shown(in > out ? in : out);
    float *to = picture->values;
    for (int64_t c = 0; c < n; c++) {
        for (int k = 0; k < planes_of(data); k++) {
            const plane p = plane_of(data->ndim, data->out_grid, k),
                        q = plane_of(data->ndim, data->grid, k);
            mpno_panel_row *row = &picture->rows[picture->n_rows];
            char *text = picture->labels[picture->n_rows++];
            write_label(data, &p, label, c, n > 1, text, sizeof picture->labels[0]);
            row->label = text;
            if (c < in || in == 1) row->input = cut(data, &q, picture->x, in, c < in ? c : 0, &to);
            if (c < out) row->prediction = cut(data, &p, prediction, out, c, &to);
            if (c < out && truth) row->truth = cut(data, &p, truth, out, c, &to);
        }
    }
}

static mpno_status copy_input(mpno_ctx *ctx, const mpno_dataset *data, int64_t i,
                              const mpno_normalizer *x, void **out) {
    const int64_t n = data->points * data->in_channels;
    const size_t bytes = (size_t)n * mpno_format_bytes(data->format);
    MPNO_TRY(mpno_alloc_raw(ctx, bytes, out));
    memcpy(*out, mpno_sample(data->x, data->format, n, i), bytes);
    if (x) mpno_normalizer_decode(x, data->format, *out, n);
    return MPNO_OK;
}

mpno_status mpno_sample_picture_make(mpno_ctx *ctx, const mpno_settings *settings,
                                     const mpno_dataset *data, int64_t i, const mpno_normalizer *x,
                                     const void *prediction, bool truth, const char *label,
                                     mpno_sample_picture *out) {
    *out = (mpno_sample_picture){.opts = MPNO_PANEL_OPTS_INIT};
    int64_t points = 0;
    for (int k = 0; k < planes_of(data); k++) {
        const plane p = plane_of(data->ndim, data->out_grid, k),
                    q = plane_of(data->ndim, data->grid, k);
        points += p.n1 * p.n2 > q.n1 * q.n2 ? p.n1 * p.n2 : q.n1 * q.n2;
    }
    mpno_status status = copy_input(ctx, data, i, x, &out->x);
    if (status == MPNO_OK) {
        status = mpno_alloc_array(ctx, (size_t)(3 * MPNO_PICTURE_CHANNELS * points), sizeof(float),
                                  &out->values);
    }
    if (status != MPNO_OK) {
        mpno_sample_picture_clear(ctx, out);
        return status;
    }
    const int64_t values = data->out_points * data->out_channels;
    const void *y = truth ? mpno_sample(data->y, data->format, values, i) : NULL;
    write_headings(settings, out);
    out->opts.joined_rows = planes_of(data);
    if (data->ndim == 1 && data->out_grid[0] > 1) { /* points lie at i / n */
        out->opts.x_high = (double)(data->out_grid[0] - 1) / (double)data->out_grid[0];
    }
    add_rows(data, prediction, y, label, out);
    return MPNO_OK;
}

void mpno_sample_picture_clear(mpno_ctx *ctx, mpno_sample_picture *picture) {
    mpno_free(ctx, picture->x);
    mpno_free(ctx, picture->values);
    picture->x = NULL;
    picture->values = NULL;
    picture->n_rows = 0;
}
