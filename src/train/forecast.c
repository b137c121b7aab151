/* SPDX-License-Identifier: MIT
 * See forecast.h. */
#include "train/forecast.h"

#include <string.h>

#include "core/memory.h"

static mpno_status check_model(mpno_ctx *ctx, const mpno_settings *s, const char *checkpoint) {
    MPNO_CHECK(ctx, s->data.time_in != MPNO_UNSET, MPNO_E_CONFIG,
               "%s was not trained on trajectories: for a roll-out give data.time_in, and "
               "data.time_out where a prediction has several steps",
               checkpoint);
    MPNO_CHECK(
        ctx,
        s->model.in_channels % s->data.time_in == 0 &&
            s->model.out_channels % s->data.time_out == 0 &&
            s->model.in_channels / s->data.time_in == s->model.out_channels / s->data.time_out,
        MPNO_E_SHAPE,
        "%s takes %lld channels for data.time_in = %lld steps and gives %lld for "
        "data.time_out = %lld: a roll-out needs the same fields in every step",
        checkpoint, (long long)s->model.in_channels, (long long)s->data.time_in,
        (long long)s->model.out_channels, (long long)s->data.time_out);
    return MPNO_OK;
}

static mpno_status check_data(mpno_forecast *r, const char *path, int64_t steps) {
    const mpno_settings *s = &r->restored->checkpoint->settings;
    const mpno_dataset *data = r->data;
    const int64_t there = mpno_trajectory_steps(data);
    bool same = true;
    for (int d = 0; d < data->ndim; d++) same = same && data->grid[d] == data->out_grid[d];
    r->fields = mpno_trajectory_channels(data);
    r->steps = steps > 0 ? steps : there;
    MPNO_CHECK(r->ctx, data->in_channels == s->model.in_channels, MPNO_E_SHAPE,
               "%s: '%s' has %lld channels in %lld steps, the model takes %lld", path,
               s->data.x_key, (long long)data->in_channels, (long long)s->data.time_in,
               (long long)s->model.in_channels);
    MPNO_CHECK(r->ctx, same && r->fields * s->data.time_out == s->model.out_channels, MPNO_E_SHAPE,
               "%s: a step of '%s' has %lld fields, but the model gives %lld channels for %lld "
               "steps, and both must lie on the grid of '%s'",
               path, s->data.y_key, (long long)r->fields, (long long)s->model.out_channels,
               (long long)s->data.time_out, s->data.x_key);
    MPNO_CHECK(
        r->ctx, r->steps <= there, MPNO_E_CONFIG,
        "a roll-out of %lld steps was asked for, but the trajectories of %s have %lld behind "
        "their first %lld",
        (long long)r->steps, path, (long long)there, (long long)s->data.time_in);
    return MPNO_OK;
}

static mpno_status read_data(mpno_forecast *r, const char *path) {
    const mpno_checkpoint *c = r->restored->checkpoint;
    mpno_dataset_opts opts = mpno_sets_dataset_opts(&c->settings);
    opts.n_samples = c->settings.data.n_test == MPNO_UNSET ? 0 : c->settings.data.n_test;
    opts.time.out = MPNO_ALL_STEPS;
    opts.time.unroll = 1;
    MPNO_TRY(mpno_dataset_read(r->ctx, path, &opts, &r->data));
    mpno_status status = MPNO_OK;
    if (c->state.encode_x)
        status =
            mpno_normalizer_check_grid(r->ctx, &c->state.x, "inputs", r->data->ndim, r->data->grid);
    return status == MPNO_OK ? MPNO_OK : mpno_fail_in(r->ctx, status, "%s", path);
}

/* A data set of one batch of inputs, for the predictor. */
static mpno_status make_window(mpno_forecast *r) {
    const mpno_predictor_opts opts = mpno_restored_opts(r->restored);
    const mpno_dataset *data = r->data;
    const int64_t batch = opts.batch < data->n ? opts.batch : data->n;
    const size_t bytes = (size_t)(batch * data->points) * mpno_format_bytes(data->format);
    r->window = *data;
    r->window.n = batch;
    r->window.x = r->window.y = NULL;
    r->window.out_channels = r->restored->checkpoint->settings.model.out_channels;
    MPNO_TRY(mpno_alloc_raw(r->ctx, bytes * (size_t)data->in_channels, &r->window.x));
    MPNO_TRY(mpno_alloc_raw(r->ctx, bytes * (size_t)data->in_channels, &r->input));
    MPNO_TRY(mpno_alloc_raw(r->ctx, bytes * (size_t)r->fields, &r->truth));
    MPNO_TRY(mpno_alloc_raw(r->ctx, bytes * (size_t)r->fields, &r->prediction));
    return mpno_predictor_create(r->restored->model, r->ctx, &r->window, batch, &opts,
                                 &r->predictor);
}

mpno_status mpno_forecast_open(mpno_ctx *ctx, const mpno_restored *restored, const char *path,
                               int64_t steps, mpno_forecast *out) {
    const mpno_checkpoint *c = restored->checkpoint;
    *out = (mpno_forecast){.ctx = ctx, .restored = restored, .predictor = {.ctx = ctx}};
    MPNO_TRY(check_model(ctx, &c->settings, c->path));
    mpno_status status = read_data(out, path);
    if (status == MPNO_OK) status = check_data(out, path, steps);
    if (status == MPNO_OK) status = make_window(out);
    if (status == MPNO_OK)
        mpno_grid_key(out->data->ndim, out->data->grid, out->key, sizeof out->key);
    else
        mpno_forecast_close(out);
    return status;
}

void mpno_forecast_close(mpno_forecast *r) {
    if (!r->ctx) return;
    mpno_predictor_destroy(&r->predictor);
    mpno_free(r->ctx, r->window.x);
    mpno_free(r->ctx, r->input);
    mpno_free(r->ctx, r->truth);
    mpno_free(r->ctx, r->prediction);
    mpno_dataset_destroy(r->ctx, &r->data);
    *r = (mpno_forecast){.ctx = r->ctx, .predictor = {.ctx = r->ctx}};
}

/* One application of the model. */
static mpno_status predict(mpno_forecast *r, int64_t first, int64_t batch) {
    const mpno_train_state *state = &r->restored->checkpoint->state;
    const mpno_dataset *data = r->data;
    const int64_t values = batch * data->points * data->in_channels;
    memcpy(r->window.x, r->input, (size_t)values * mpno_format_bytes(data->format));
    if (state->encode_x) mpno_normalizer_encode(&state->x, data->format, r->window.x, values);
    if (data->embedding)
        r->window.embedding = mpno_sample(data->embedding, data->format, data->n_features, first);
    return mpno_predictor_run(&r->predictor, 0, batch);
}

mpno_status mpno_forecast_run(mpno_forecast *r, int64_t first, int64_t batch,
                              mpno_forecast_visit visit, void *user) {
    const mpno_dataset *data = r->data;
    const size_t bytes = mpno_format_bytes(data->format);
    const int64_t values = data->points * data->in_channels, step_values = data->points * r->fields;
    memcpy(r->input, mpno_sample(data->x, data->format, values, first),
           (size_t)(batch * values) * bytes);
    const int64_t rows = batch * data->points, out = r->window.out_channels;
    for (int64_t step = 0; step < r->steps;) {
        MPNO_TRY(predict(r, first, batch));
        for (int64_t k = 0; k < out / r->fields && step < r->steps; k++, step++) {
            mpno_channels_copy(data->format, rows, r->fields, r->predictor.y, out, k * r->fields,
                               r->prediction, r->fields, 0);
            for (int64_t i = 0; i < batch; i++)
                mpno_trajectory_truth(data, first + i, step,
                                      mpno_sample(r->truth, data->format, step_values, i));
            MPNO_TRY(visit(user, step, batch, r->prediction, r->truth));
        }
        mpno_trajectory_shift(data->format, rows, data->in_channels, out, r->predictor.y, r->input);
    }
    return MPNO_OK;
}

mpno_status mpno_forecast_run_all(mpno_forecast *r, mpno_forecast_visit visit, void *user) {
    const int64_t most = r->predictor.opts.batch;
    for (int64_t first = 0; first < r->data->n; first += most) {
        const int64_t left = r->data->n - first;
        MPNO_TRY(mpno_forecast_run(r, first, left < most ? left : most, visit, user));
    }
    return MPNO_OK;
}
