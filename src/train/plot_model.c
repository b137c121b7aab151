/* SPDX-License-Identifier: MIT
 * Samples of a trained model's test data with its predictions. See plot.h. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/readers.h"
#include "train/plot.h"

mpno_status mpno_plot_is_model(mpno_ctx *ctx, const char *path, bool *out) {
    struct stat info;
    mpno_tensor_file *file;
    *out = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    if (*out) return MPNO_OK;
    MPNO_TRY(mpno_tensor_file_list(ctx, path, NULL, &file));
    *out = mpno_value_get(file->metadata, "state") != NULL ||
           mpno_tensor_file_find(file, "lifting.fcs.0.weight") != NULL;
    mpno_tensor_file_destroy(ctx, &file);
    return MPNO_OK;
}

/* -------- single predictions -------- */

/* Rows of channels; real parts of complex fields are the first channels, imaginary ones the others.
 */
static mpno_plot_field field_of(const mpno_dataset *data, const int64_t *grid, int64_t channels,
                                const void *values) {
    mpno_plot_field field = {.times = 1,
                             .view = {.format = data->format,
                                      .data = values,
                                      .ndim = data->ndim,
                                      .channels = data->planes * channels,
                                      .channel_stride = 1}};
    int64_t stride = data->planes * channels;
    for (int d = data->ndim - 1; d >= 0; d--) {
        field.view.size[d] = grid[d];
        field.view.stride[d] = stride;
        stride *= grid[d];
    }
    return field;
}

static mpno_status fetch(mpno_plot_source *s, int64_t sample, mpno_plot_sample *out) {
    const mpno_dataset *data = s->set->data;
    const mpno_train_state *state = &s->restored.checkpoint->state;
    const int64_t values = data->points * data->in_channels;
    memcpy(s->x, mpno_sample(data->x, data->format, values, s->set->first + sample),
           (size_t)values * mpno_format_bytes(data->format));
    if (state->encode_x) mpno_normalizer_decode(&state->x, data->format, s->x, values);
    MPNO_TRY(mpno_predictor_run(&s->predictor, s->set->first + sample, 1));
    const void *truth = mpno_sample(data->y, data->format, data->out_points * data->out_channels,
                                    s->set->first + sample);
    *out = (mpno_plot_sample){field_of(data, data->grid, data->in_channels, s->x),
                              field_of(data, data->out_grid, data->out_channels, truth),
                              field_of(data, data->out_grid, data->out_channels, s->predictor.y)};
    return MPNO_OK;
}

static void close_model(mpno_plot_source *s) {
    mpno_free(s->ctx, s->x);
    mpno_free(s->ctx, s->steps[0]);
    mpno_free(s->ctx, s->steps[1]);
    mpno_forecast_close(&s->forecast);
    mpno_predictor_destroy(&s->predictor);
    mpno_sets_clear(s->ctx, &s->sets);
    mpno_restored_clear(s->ctx, &s->restored);
}

/* -------- roll-outs -------- */

static size_t step_bytes(const mpno_forecast *f) {
    return (size_t)(f->data->points * f->fields) * mpno_format_bytes(f->data->format);
}

static mpno_status keep_step(void *user, int64_t step, int64_t batch, const void *prediction,
                             const void *truth) {
    mpno_plot_source *s = user;
    const size_t bytes = step_bytes(&s->forecast);
    (void)batch; /* 1 */
    memcpy((char *)s->steps[0] + (size_t)step * bytes, truth, bytes);
    memcpy((char *)s->steps[1] + (size_t)step * bytes, prediction, bytes);
    return MPNO_OK;
}

/* The steps of a roll-out are times; the input is its last step. */
static mpno_status fetch_steps(mpno_plot_source *s, int64_t sample, mpno_plot_sample *out) {
    const mpno_forecast *f = &s->forecast;
    const mpno_dataset *data = f->data;
    MPNO_TRY(mpno_forecast_run(&s->forecast, sample, 1, keep_step, s));
    const size_t bytes = mpno_format_bytes(data->format);
    const char *x = mpno_sample(data->x, data->format, data->points * data->in_channels, sample);
    *out = (mpno_plot_sample){field_of(data, data->grid, data->in_channels,
                                       x + (size_t)(data->in_channels - f->fields) * bytes),
                              field_of(data, data->grid, f->fields, s->steps[0]),
                              field_of(data, data->grid, f->fields, s->steps[1])};
    out->input.view.channels = f->fields;
    out->truth.times = out->prediction.times = f->steps;
    out->truth.time_stride = out->prediction.time_stride = data->points * f->fields;
    return MPNO_OK;
}

static mpno_status open_forecast(mpno_plot_source *s, int64_t steps) {
    const mpno_text_list *files = &s->restored.checkpoint->settings.data.test;
    mpno_forecast *f = &s->forecast;
    MPNO_TRY(mpno_forecast_open(s->ctx, &s->restored, files->v[0],
                                steps == MPNO_EVAL_WHOLE ? 0 : steps, f));
    MPNO_CHECK(s->ctx, f->data->planes == 1, MPNO_E_UNSUPPORTED,
               "roll-outs of complex fields are measured (mpno eval --rollout), but not drawn");
    s->fetch = fetch_steps;
    s->n = f->data->n;
    s->time = (mpno_plot_axis){"step", 1, 1};
    MPNO_TRY(mpno_alloc_raw(s->ctx, (size_t)f->steps * step_bytes(f), &s->steps[0]));
    return mpno_alloc_raw(s->ctx, (size_t)f->steps * step_bytes(f), &s->steps[1]);
}

/* -------- opening -------- */

static mpno_status open_data(mpno_plot_source *s, int64_t rollout) {
    const mpno_checkpoint *c = s->restored.checkpoint;
    mpno_predictor_opts opts = mpno_restored_opts(&s->restored);
    MPNO_CHECK(s->ctx, c->settings.data.test.n > 0, MPNO_E_CONFIG,
               "%s names no test data: give data.test=FILE", c->path);
    if (rollout != 0) return open_forecast(s, rollout);
    MPNO_TRY(mpno_sets_read_tests(s->ctx, &c->settings, &c->state, &s->sets));
    s->set = &s->sets.tests[0];
    s->n = s->set->n;
    opts.batch = 1;
    const mpno_dataset *data = s->set->data;
    const size_t bytes =
        (size_t)(data->points * data->in_channels) * mpno_format_bytes(data->format);
    MPNO_TRY(mpno_alloc_raw(s->ctx, bytes, &s->x));
    return mpno_predictor_create(s->restored.model, s->ctx, data, s->n, &opts, &s->predictor);
}

static void write_names(mpno_plot_source *s) {
    const mpno_settings *settings = &s->restored.checkpoint->settings;
    const mpno_dataset *data = s->set ? s->set->data : s->forecast.data;
    const char *in = settings->report.input_unit, *out = settings->report.output_unit;
    snprintf(s->title, sizeof s->title, "%.60s: test set %.40s", s->restored.checkpoint->path,
             s->set ? s->set->key : s->forecast.key);
    snprintf(s->input_name, sizeof s->input_name, in ? "input (%.60s)" : "input", in ? in : "");
    snprintf(s->output_name, sizeof s->output_name, "%.60s", out ? out : "");
    for (int d = 0; d < data->ndim && d < MPNO_VIEW_MAX_AXES; d++) {
        mpno_plot_axis *axis = &s->axes[d];
        snprintf(axis->name, sizeof axis->name, "x%d", d + 1);
        axis->step = 1 / (double)data->out_grid[d]; /* points lie at i / n */
    }
}

mpno_status mpno_plot_open_model(mpno_ctx *ctx, const char *path, const mpno_config *overrides,
                                 int64_t rollout, mpno_plot_source *out) {
    *out = (mpno_plot_source){.ctx = ctx,
                              .predicted = true,
                              .fetch = fetch,
                              .close = close_model,
                              .predictor = {.ctx = ctx}};
    MPNO_TRY(mpno_restore(ctx, path, overrides, &out->restored));
    mpno_status status = open_data(out, rollout);
    if (status == MPNO_OK)
        write_names(out);
    else
        close_model(out);
    return status;
}
