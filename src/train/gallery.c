/* SPDX-License-Identifier: MIT
 * See gallery.h. Samples are ranked by their relative L2 error over all points and channels; the
 * three that are shown are predicted once more, so that no set of predictions is kept. */
#include "train/gallery.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"
#include "number/format.h"
#include "report/chart.h"
#include "report/page.h"
#include "report/png.h"
#include "train/sample_picture.h"
#include "train/spectrum.h"

enum { TRUTH, PREDICTION, ERROR, N_FIELDS, N_SHOWN = 3 };

typedef struct ranked {
    double error;
    int64_t sample;
} ranked;

typedef struct gallery {
    mpno_ctx *ctx;
    const mpno_restored *restored;
    const mpno_settings *settings;
    const mpno_set *set;
    mpno_predictor predictor;
    mpno_spectrum spectrum;
    void *error;             /* owned: one sample */
    ranked *order;           /* owned: [set.n] */
    double *shell;           /* owned: [n_shells] wave numbers */
    double *power[N_FIELDS]; /* owned: [n_shells] */
    double *shells;          /* owned: [n_shells][channels], of one field */
} gallery;

/* error = prediction - truth; gives its relative L2 norm (the norm itself where the truth is 0). */
static double subtract(mpno_format format, const void *prediction, const void *truth, int64_t n,
                       void *error) {
    double error2 = 0, truth2 = 0;
    for (int64_t i = 0; i < n; i++) {
        const double y = mpno_real_at(format, truth, i),
                     e = mpno_real_at(format, prediction, i) - y;
        if (format == MPNO_F64)
            ((double *)error)[i] = e;
        else
            ((float *)error)[i] = (float)e;
        error2 += e * e;
        truth2 += y * y;
    }
    return sqrt(truth2 > 0 ? error2 / truth2 : error2);
}

static int by_error(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->error != y->error) return x->error < y->error ? -1 : 1; /* NaN: behind the finite ones */
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

/* Mean over the channels. */
static void add_power(gallery *g, const void *field, double *power) {
    const int64_t channels = g->spectrum.channels;
    const size_t n = g->spectrum.n_shells;
    for (size_t k = 0; k < n * (size_t)channels; k++) g->shells[k] = 0;
    mpno_spectrum_transform(&g->spectrum, g->set->data->format, field);
    mpno_spectrum_add(&g->spectrum, g->shells);
    for (size_t k = 0; k < n; k++)
        for (int64_t c = 0; c < channels; c++)
            power[k] += g->shells[k * (size_t)channels + (size_t)c] / (double)channels;
}

static void add_sample(gallery *g, int64_t i, const void *prediction) {
    const mpno_dataset *data = g->set->data;
    const int64_t n = data->out_points * data->out_channels;
    const void *truth = mpno_sample(data->y, data->format, n, g->set->first + i);
    double error = subtract(data->format, prediction, truth, n, g->error);
    g->order[i] = (ranked){isfinite(error) ? error : INFINITY, i};
    add_power(g, truth, g->power[TRUTH]);
    add_power(g, prediction, g->power[PREDICTION]);
    add_power(g, g->error, g->power[ERROR]);
}

static mpno_status rank(gallery *g) {
    const mpno_set *set = g->set;
    const int64_t values = set->data->out_points * set->data->out_channels;
    const int64_t most = g->predictor.opts.batch;
    for (int64_t first = 0; first < set->n; first += most) {
        const int64_t batch = set->n - first < most ? set->n - first : most;
        MPNO_TRY(mpno_predictor_run(&g->predictor, set->first + first, batch));
        for (int64_t i = 0; i < batch; i++)
            add_sample(g, first + i, mpno_sample(g->predictor.y, set->data->format, values, i));
    }
    qsort(g->order, (size_t)set->n, sizeof *g->order, by_error);
    for (size_t k = 0; k < g->spectrum.n_shells; k++) {
        g->shell[k] = (double)k;
        for (int f = 0; f < N_FIELDS; f++) g->power[f][k] /= (double)set->n;
    }
    return MPNO_OK;
}

static mpno_status board_picture(gallery *g, const mpno_sample_picture *picture,
                                 mpno_tensorboard *board, int64_t step, double wall_time) {
    char tag[96];
    mpno_canvas canvas;
    mpno_text png = {.ctx = g->ctx};
    snprintf(tag, sizeof tag, "median_sample/%s", g->set->key);
    MPNO_TRY(
        mpno_picture_panels_draw(g->ctx, &picture->opts, picture->rows, picture->n_rows, &canvas));
    mpno_status status = mpno_png_encode(g->ctx, canvas.width, canvas.height, canvas.rgb, &png);
    if (status == MPNO_OK)
        status = mpno_tensorboard_image(board, step, wall_time, tag, canvas.width, canvas.height,
                                        png.data, png.size);
    mpno_text_discard(&png);
    mpno_canvas_destroy(g->ctx, &canvas);
    return status;
}

static mpno_status show_sample(gallery *g, const char *name, const ranked *which,
                               mpno_tensorboard *board, int64_t step, double wall_time,
                               mpno_text *page) {
    const mpno_train_state *state = &g->restored->checkpoint->state;
    const int64_t sample = g->set->first + which->sample;
    char label[64];
    mpno_sample_picture picture;
    snprintf(label, sizeof label, "%s, sample %lld", name, (long long)sample);
    MPNO_TRY(mpno_predictor_run(&g->predictor, sample, 1));
    MPNO_TRY(mpno_sample_picture_make(g->ctx, g->settings, g->set->data, sample,
                                      state->encode_x ? &state->x : NULL, g->predictor.y, true,
                                      label, &picture));
    mpno_status status =
        mpno_picture_panels_html(g->ctx, &picture.opts, picture.rows, picture.n_rows, page);
    if (status == MPNO_OK && board) status = board_picture(g, &picture, board, step, wall_time);
    mpno_sample_picture_clear(g->ctx, &picture);
    return status;
}

static mpno_status show_spectra(const gallery *g, mpno_text *page) {
    static const char *const names[N_FIELDS] = {"truth", "prediction", "error"};
    mpno_chart_series series[N_FIELDS];
    for (int f = 0; f < N_FIELDS; f++)
        series[f] = (mpno_chart_series){
            names[f], g->shell + 1, g->power[f] + 1, g->spectrum.n_shells - 1, f, f == PREDICTION};
    const mpno_chart chart = {.title = "Radial spectrum",
                              .x_label = "wave number |k|",
                              .y_label = "mean square in a shell, over all samples",
                              .log_x = true,
                              .log_y = true,
                              .series = series,
                              .n_series = N_FIELDS};
    MPNO_TRY(mpno_text_add(page, "<div class=\"charts\">\n"));
    MPNO_TRY(mpno_chart_html(&chart, page));
    return mpno_text_add(page, "</div>\n");
}

/* "16 x 16" */
static void write_grid(const mpno_dataset *data, char *out, size_t capacity) {
    size_t n = 0;
    for (int d = 0; d < data->ndim && n < capacity; d++)
        n += (size_t)snprintf(out + n, capacity - n, "%s%lld", d ? " x " : "",
                              (long long)data->grid[d]);
}

static mpno_status show(gallery *g, mpno_tensorboard *board, int64_t step, double wall_time,
                        mpno_text *page) {
    const int64_t n = g->set->n, at[N_SHOWN] = {0, (n - 1) / 2, n - 1};
    static const char *const names[N_SHOWN] = {"best", "median", "worst"};
    MPNO_TRY(rank(g));
    char heading[256], grid[96];
    write_grid(g->set->data, grid, sizeof grid);
    snprintf(heading, sizeof heading, "Test set %s", g->set->key);
    MPNO_TRY(mpno_page_section(page, heading));
    snprintf(heading, sizeof heading,
             "%lld samples on a grid of %s, ranked by their relative L2 error.%s", (long long)n,
             grid, g->set->data->ndim > 1 ? " The first axis runs down." : "");
    MPNO_TRY(mpno_page_paragraph(page, heading));
    for (int k = 0; k < N_SHOWN; k++) {
        if (k > 0 && at[k] == at[k - 1]) continue;
        const bool median = at[k] == (n - 1) / 2;
        MPNO_TRY(show_sample(g, names[k], &g->order[at[k]], median ? board : NULL, step, wall_time,
                             page));
    }
    return show_spectra(g, page);
}

static mpno_status open_gallery(gallery *g) {
    const mpno_dataset *data = g->set->data;
    const mpno_predictor_opts opts = mpno_restored_opts(g->restored);
    const size_t bytes =
        (size_t)(data->out_points * data->out_channels) * mpno_format_bytes(data->format);
    const int64_t channels = data->planes * data->out_channels;
    MPNO_TRY(mpno_spectrum_create(g->ctx, data->ndim, data->out_grid, 1, channels, &g->spectrum));
    const size_t shells = g->spectrum.n_shells;
    MPNO_TRY(mpno_alloc(g->ctx, bytes, &g->error));
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)g->set->n, sizeof *g->order, &g->order));
    MPNO_TRY(mpno_alloc_array(g->ctx, shells, sizeof *g->shell, &g->shell));
    MPNO_TRY(mpno_alloc_array(g->ctx, shells * (size_t)channels, sizeof *g->shells, &g->shells));
    for (int f = 0; f < N_FIELDS; f++)
        MPNO_TRY(mpno_alloc_array(g->ctx, shells, sizeof *g->power[f], &g->power[f]));
    return mpno_predictor_create(g->restored->model, g->ctx, data, g->set->n, &opts, &g->predictor);
}

mpno_status mpno_gallery(mpno_ctx *ctx, const mpno_restored *restored,
                         const mpno_settings *settings, const mpno_set *set,
                         mpno_tensorboard *board, int64_t step, double wall_time, mpno_text *page) {
    gallery g = {.ctx = ctx,
                 .restored = restored,
                 .settings = settings,
                 .set = set,
                 .predictor = {.ctx = ctx},
                 .spectrum = {.ctx = ctx}};
    mpno_status status = open_gallery(&g);
    if (status == MPNO_OK) status = show(&g, board, step, wall_time, page);
    mpno_predictor_destroy(&g.predictor);
    mpno_spectrum_destroy(&g.spectrum);
    for (int f = 0; f < N_FIELDS; f++) mpno_free(ctx, g.power[f]);
    mpno_free(ctx, g.shell);
    mpno_free(ctx, g.shells);
    mpno_free(ctx, g.order);
    mpno_free(ctx, g.error);
    return status;
}
