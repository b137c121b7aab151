/* SPDX-License-Identifier: MIT
 * See sample_picture.h. */
#include "train/sample_picture.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "train/predictor.h"

/* Rows of channels, [grid..][channels]. */
static mpno_view view_of(const mpno_dataset *data, const int64_t *grid, int64_t channels,
                         const void *values) {
    mpno_view view = {.format = data->format,
                      .data = values,
                      .ndim = data->ndim,
                      .channels = channels,
                      .channel_stride = 1};
    int64_t stride = channels;
    for (int d = data->ndim - 1; d >= 0; d--) {
        view.size[d] = grid[d];
        view.stride[d] = stride;
        stride *= grid[d];
    }
    return view;
}

static void write_label(const mpno_view *view, int plane, const char *label, int64_t channel,
                        bool several, char *out, size_t capacity) {
    const int fixed = mpno_view_fixed(view, plane);
    int n = snprintf(out, capacity, "%.60s", label);
    if (several) n += snprintf(out + n, capacity - (size_t)n, ", channel %d", (int)channel);
    if (fixed >= 0) {
        const int64_t size = view->size[fixed];
        snprintf(out + n, capacity - (size_t)n, ", plane x%d = %.3g", fixed + 1,
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
    const mpno_view views[] = {view_of(data, data->grid, in, picture->x),
                               view_of(data, data->out_grid, out, truth),
                               view_of(data, data->out_grid, out, prediction)};
    float *to = picture->values;
    for (int64_t c = 0; c < n; c++) {
        for (int k = 0; k < mpno_view_planes(&views[0]); k++) {
            mpno_panel_row *row = &picture->rows[picture->n_rows];
            char *text = picture->labels[picture->n_rows++];
            write_label(&views[2], k, label, c, n > 1, text, sizeof picture->labels[0]);
            row->label = text;
            if (c < in || in == 1) row->input = mpno_view_cut(&views[0], k, c < in ? c : 0, &to);
            if (c < out) row->prediction = mpno_view_cut(&views[2], k, c, &to);
            if (c < out && truth) row->truth = mpno_view_cut(&views[1], k, c, &to);
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
    const mpno_view in = view_of(data, data->grid, 1, NULL),
                    to = view_of(data, data->out_grid, 1, NULL);
    int64_t points = 0;
    for (int k = 0; k < mpno_view_planes(&in); k++) {
        const int64_t a = mpno_view_points(&in, k), b = mpno_view_points(&to, k);
        points += a > b ? a : b;
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
    out->opts.joined_rows = mpno_view_planes(&in);
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
