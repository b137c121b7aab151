/* SPDX-License-Identifier: MIT
 * mpno_predict: outputs of a trained model for a file of inputs, and pictures of them, beside the
 * truth where the file has it. See mpno/run.h. */
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/readers.h"
#include "mpno/run.h"
#include "train/objective.h"
#include "train/restore.h"
#include "train/sample_picture.h"
#include "train/sink.h"
#include "train/tolerance.h"
#include "train/trainer.h"

/* One prediction job. */
typedef struct job {
    mpno_ctx *ctx;
    const mpno_restored *restored;
    const char *pictures; /* folder, NULL: none */
    mpno_dataset *data;   /* inputs encoded; y is a copy of x where the file has no truth */
    bool has_truth;
    mpno_metrics metrics;
    mpno_tensor_file *out;
    mpno_named_tensor *y; /* [n][channel][grid..], in out */
} job;

static mpno_status make_output(job *j, const mpno_predictor *predictor) {
    mpno_dataset *data = j->data;
    const bool wide = data->format == MPNO_F64;
    memcpy(data->out_grid, predictor->grid, sizeof predictor->grid);
    data->out_points = predictor->points;
    int64_t shape[MPNO_MAX_DIMS] = {data->n, data->out_channels};
    for (int d = 0; d < data->ndim; d++) shape[2 + d] = data->out_grid[d];
    MPNO_TRY(mpno_tensor_file_create(j->ctx, &j->out));
    const mpno_element real = wide ? MPNO_ELEMENT_F64 : MPNO_ELEMENT_F32,
                       element = data->planes == 1 ? real
                                 : wide            ? MPNO_ELEMENT_C128
                                                   : MPNO_ELEMENT_C64;
    return mpno_tensor_file_add(j->ctx, j->out, "y", element, data->ndim + 2, shape, &j->y);
}

/* Channels last (as computed) to channels first (as data files have them), complex numbers as pairs
 * of real and imaginary part. */
static void store(job *j, int64_t sample, const void *y) {
    const mpno_dataset *data = j->data;
    const size_t bytes = mpno_format_bytes(data->format);
    const int64_t channels = data->out_channels, planes = data->planes,
                  points = data->out_points / planes;
    char *to = mpno_sample(j->y->data, data->format, data->out_points * channels, sample);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < points; i++)
            for (int64_t k = 0; k < planes; k++)
                memcpy(to + (size_t)((c * points + i) * planes + k) * bytes,
                       (const char *)y + (size_t)((i * planes + k) * channels + c) * bytes, bytes);
}

static mpno_status draw(job *j, int64_t sample, const void *prediction) {
    const mpno_checkpoint *c = j->restored->checkpoint;
    char label[64], name[32], path[4096];
    snprintf(label, sizeof label, "sample %lld", (long long)sample);
    snprintf(name, sizeof name, "sample_%04lld.png", (long long)sample);
    MPNO_TRY(mpno_path_join(j->ctx, j->pictures, name, path, sizeof path));
    mpno_sample_picture picture;
    MPNO_TRY(mpno_sample_picture_make(j->ctx, &c->settings, j->data, sample,
                                      c->state.encode_x ? &c->state.x : NULL, prediction,
                                      j->has_truth, label, &picture));
    mpno_status status =
        mpno_picture_panels(j->ctx, &picture.opts, picture.rows, picture.n_rows, path);
    mpno_sample_picture_clear(j->ctx, &picture);
    return status;
}

static mpno_status predict_batch(job *j, mpno_predictor *predictor, int64_t first, int64_t batch) {
    const mpno_dataset *data = j->data;
    const int64_t values = data->out_points * data->out_channels;
    MPNO_TRY(mpno_predictor_run(predictor, first, batch));
    for (int64_t i = 0; i < batch; i++) {
        const void *y = mpno_sample(predictor->y, data->format, values, i);
        store(j, first + i, y);
        if (j->pictures) MPNO_TRY(draw(j, first + i, y));
    }
    if (!j->has_truth) return MPNO_OK;
    const mpno_objective norms = mpno_settings_norms(&j->restored->checkpoint->settings);
    return mpno_metrics_add(j->ctx, &j->metrics, &norms, data->format, batch, data->ndim,
                            data->out_grid, data->planes, data->out_channels, predictor->y,
                            mpno_sample(data->y, data->format, values, first));
}

static mpno_status predict_all(job *j) {
    const mpno_predictor_opts opts = mpno_restored_opts(j->restored);
    mpno_predictor predictor;
    MPNO_TRY(
        mpno_predictor_create(j->restored->model, j->ctx, j->data, j->data->n, &opts, &predictor));
    mpno_status status = make_output(j, &predictor);
    for (int64_t first = 0; first < j->data->n && status == MPNO_OK;) {
        const int64_t left = j->data->n - first;
        const int64_t batch = left < predictor.opts.batch ? left : predictor.opts.batch;
        status = predict_batch(j, &predictor, first, batch);
        first += batch;
    }
    mpno_predictor_destroy(&predictor);
    mpno_metrics_finish(&j->metrics);
    return status;
}

static mpno_status report(job *j, const char *output, const mpno_sink *sink, char **json) {
    mpno_ctx *ctx = j->ctx;
    mpno_value *map = NULL;
    char key[64];
    mpno_grid_key(j->data->ndim, j->data->out_grid, key, sizeof key);
    mpno_say(sink, "%lld predictions on a grid of %s in %s\n", (long long)j->data->n, key, output);
    if (j->has_truth) {
        mpno_say(sink, "relative L2 %.5f, relative H1 %.5f\n", j->metrics.l2, j->metrics.h1);
    }
    if (j->pictures) mpno_say(sink, "pictures in %s\n", j->pictures);
    MPNO_TRY(mpno_value_map(ctx, &map));
    mpno_status status = mpno_value_set_string(ctx, map, "output", output);
    if (status == MPNO_OK) status = mpno_value_set_int(ctx, map, "samples", j->data->n);
    if (status == MPNO_OK) status = mpno_value_set_string(ctx, map, "grid", key);
    if (status == MPNO_OK && j->has_truth) {
        status = mpno_metrics_put(ctx, map, "errors", &j->metrics);
    }
    if (status == MPNO_OK && j->pictures) {
        status = mpno_value_set_string(ctx, map, "pictures", j->pictures);
    }
    if (status == MPNO_OK) status = mpno_restored_report(ctx, j->restored, map);
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    return status;
}

static mpno_status predict(job *j, const char *input, const char *output, const mpno_sink *sink,
                           char **json) {
    MPNO_TRY(mpno_restored_read(j->ctx, j->restored, input, 0, &j->has_truth, &j->data));
    if (j->pictures) MPNO_TRY(mpno_folder_create(j->ctx, j->pictures));
    MPNO_TRY(predict_all(j));
    MPNO_TRY(mpno_tensor_file_write(j->ctx, output, j->out));
    return report(j, output, sink, json);
}

mpno_status mpno_predict(mpno_ctx *ctx, const char *checkpoint, const char *input,
                         const char *output, const char *pictures, mpno_config *overrides,
                         const mpno_sink *sink, char **json) {
    const int n_threads = ctx->n_threads;
    mpno_restored restored;
    if (json) *json = NULL;
    MPNO_TRY(mpno_tensor_file_can_write(ctx, output));
    mpno_override_threads(ctx, overrides);
    mpno_status status = mpno_restore_planned(ctx, checkpoint, overrides, input, sink, &restored);
    if (status == MPNO_OK) {
        job j = {.ctx = ctx, .restored = &restored, .pictures = pictures};
        status = predict(&j, input, output, sink, json);
        mpno_dataset_destroy(ctx, &j.data);
        mpno_tensor_file_destroy(ctx, &j.out);
        mpno_restored_clear(ctx, &restored);
    }
    ctx->n_threads = n_threads;
    return status;
}
