/* SPDX-License-Identifier: MIT
 * A trained model made ready for use: see restore.h. */
#include "train/restore.h"

#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/select.h"
#include "train/foreign.h"
#include "train/objective.h"

/* Architecture and normalisers are the checkpoint's: a key that says otherwise is a mistake. */
static mpno_status check_architecture(mpno_ctx *ctx, const mpno_config *overrides,
                                      const mpno_settings *settings) {
    const mpno_field *fields = mpno_settings_fields();
    for (size_t i = 0; overrides && i < mpno_settings_n_fields(); i++) {
        const char *key = fields[i].key;
        const bool order =
            strcmp(key, "model.contraction") == 0 || strcmp(key, "model.implementation") == 0;
        const bool fixed = (strncmp(key, "model.", 6) == 0 && !order) ||
                           strncmp(key, "data.enc", 8) == 0 || strcmp(key, "compat") == 0;
        if (!fixed || !overrides->touched[i]) continue;
        char was[256], is[256];
        bool equal;
        MPNO_TRY(mpno_field_compare(ctx, &fields[i], settings, &overrides->settings, &equal, was,
                                    is, sizeof was));
        MPNO_CHECK(ctx, equal, MPNO_E_CONFIG,
                   "%s is %s, but the checkpoint was trained with %s: leave the key out",
                   fields[i].key, is, was);
    }
    return MPNO_OK;
}

/* The last phase that was trained. */
static mpno_status last_phase(mpno_ctx *ctx, const mpno_checkpoint *c, mpno_phase *out) {
    mpno_schedule schedule;
    MPNO_TRY(mpno_settings_schedule(ctx, &c->settings, &schedule));
    const int64_t epoch = c->state.epoch > 0 ? c->state.epoch - 1 : 0;
    schedule.level = (int)c->state.level;
    mpno_schedule_fit(&schedule, c->state.epoch_steps);
    *out =
        mpno_settings_phase(&c->settings, &schedule, mpno_schedule_at_end(&schedule, epoch), epoch);
    return MPNO_OK;
}

/* Overrides into the settings; the policy in force. */
static mpno_status apply(mpno_ctx *ctx, const mpno_config *overrides, const mpno_phase *phase,
                         mpno_restored *r) {
    mpno_settings *s = &r->checkpoint->settings;
    const bool new_policy = mpno_config_touched(overrides, "precision.policy");
    r->policy = phase->policy;
    if (new_policy) { /* phases of the training do not bind its use */
        mpno_free(ctx, s->precision.phases);
        s->precision.phases = NULL;
    }
    MPNO_TRY(mpno_settings_override(ctx, overrides, s));
    MPNO_TRY(mpno_settings_resolve(ctx, s));
    r->half = mpno_settings_half(s);
    if (!new_policy) return MPNO_OK;
    mpno_schedule schedule;
    MPNO_TRY(mpno_settings_schedule(ctx, s, &schedule));
    r->policy = schedule.phase[schedule.n - 1].policy;
    return MPNO_OK;
}

static mpno_status check_channels(mpno_ctx *ctx, const mpno_checkpoint *c) {
    const bool known =
        c->settings.model.in_channels != MPNO_UNSET && c->settings.model.out_channels != MPNO_UNSET;
    MPNO_CHECK(ctx, known, MPNO_E_CONFIG,
               "%s does not say the numbers of channels: give model.in_channels and "
               "model.out_channels",
               c->path);
    return MPNO_OK;
}

static mpno_status restore(mpno_ctx *ctx, const char *path, const mpno_config *overrides,
                           mpno_restored *r) {
    mpno_phase phase;
    MPNO_TRY(mpno_checkpoint_read(ctx, path, &r->checkpoint));
    mpno_checkpoint *c = r->checkpoint;
    if (mpno_foreign_naming(c->file)) {
        const mpno_status status = mpno_foreign_convert(ctx, overrides, &c->settings, &c->file);
        if (status != MPNO_OK) return mpno_fail_in(ctx, status, "%s", c->path);
    }
    if (!c->foreign) MPNO_TRY(check_architecture(ctx, overrides, &c->settings));
    MPNO_TRY(last_phase(ctx, c, &phase));
    MPNO_TRY(apply(ctx, overrides, &phase, r));
    MPNO_TRY(check_channels(ctx, c));
    const mpno_fno_config config = mpno_settings_model(&c->settings, &phase);
    MPNO_TRY(mpno_model_create(ctx, &config, mpno_settings_arithmetic(&c->settings),
                               (uint64_t)c->settings.seed, &r->model));
    MPNO_TRY(mpno_checkpoint_load_model(ctx, c, r->model));
    return mpno_settings_use_ema(&c->settings) ? mpno_checkpoint_load_averages(ctx, c, r->model)
                                               : MPNO_OK;
}

mpno_status mpno_restore(mpno_ctx *ctx, const char *path, const mpno_config *overrides,
                         mpno_restored *out) {
    *out = (mpno_restored){0};
    mpno_status status = restore(ctx, path, overrides, out);
    if (status != MPNO_OK) mpno_restored_clear(ctx, out);
    return status;
}

void mpno_restored_clear(mpno_ctx *ctx, mpno_restored *restored) {
    mpno_model_destroy(&restored->model);
    mpno_checkpoint_destroy(ctx, &restored->checkpoint);
    mpno_value_destroy(ctx, &restored->planned);
}

mpno_predictor_opts mpno_restored_opts(const mpno_restored *restored) {
    const mpno_checkpoint *c = restored->checkpoint;
    return mpno_predictor_opts_of(&c->settings, restored->policy, &c->state);
}

/* Predictions lie where the truth does, else where predict.output_shape says, else where the model
 * puts them. */
static mpno_status choose_grid(mpno_ctx *ctx, const mpno_settings *s, bool has_truth,
                               mpno_dataset *data) {
    const mpno_int_list *asked = &s->predict.output_shape;
    MPNO_CHECK(ctx, asked->n == 0 || asked->n == data->ndim, MPNO_E_CONFIG,
               "predict.output_shape has %lld entries: give one for each of the %d axes",
               (long long)asked->n, data->ndim);
    for (int d = 0; d < data->ndim; d++) {
        MPNO_CHECK(ctx, asked->n == 0 || !has_truth || asked->v[d] == data->out_grid[d],
                   MPNO_E_CONFIG,
                   "predict.output_shape[%d] is %lld, but the true outputs in the file have %lld "
                   "points there: leave the key out",
                   d, (long long)asked->v[d], (long long)data->out_grid[d]);
        if (!has_truth) data->out_grid[d] = asked->n > 0 ? asked->v[d] : 0;
    }
    return MPNO_OK;
}

static mpno_status fit_dataset(mpno_ctx *ctx, const mpno_restored *r, const char *name,
                               bool has_truth, mpno_dataset *data) {
    const mpno_checkpoint *c = r->checkpoint;
    const mpno_settings *s = &c->settings;
    MPNO_CHECK(ctx, data->in_channels == s->model.in_channels, MPNO_E_SHAPE,
               "%s: '%s' has %lld channels, the model takes %lld", name, s->data.x_key,
               (long long)data->in_channels, (long long)s->model.in_channels);
    MPNO_CHECK(ctx, !has_truth || data->out_channels == s->model.out_channels, MPNO_E_SHAPE,
               "%s: '%s' has %lld channels, the model gives %lld", name, s->data.y_key,
               (long long)data->out_channels, (long long)s->model.out_channels);
    data->out_channels = s->model.out_channels;
    MPNO_TRY(choose_grid(ctx, s, has_truth, data));
    if (!c->state.encode_x) return MPNO_OK;
    const mpno_status fits =
        mpno_normalizer_check_grid(ctx, &c->state.x, "inputs", data->ndim, data->grid);
    return fits == MPNO_OK ? MPNO_OK : mpno_fail_in(ctx, fits, "%s", name);
}

mpno_status mpno_restored_fields(mpno_ctx *ctx, const mpno_restored *r, const char *name,
                                 const mpno_tensor_file *file, mpno_format format, bool *has_truth,
                                 mpno_dataset **out) {
    const mpno_settings *s = &r->checkpoint->settings;
    mpno_dataset_opts opts = mpno_sets_dataset_opts(s);
    *has_truth = mpno_tensor_file_find(file, s->data.y_key) != NULL;
    if (!*has_truth) opts.y_key = s->data.x_key;
    opts.other_grid = true;
    opts.format = format;
    MPNO_TRY(mpno_dataset_from_tensors(ctx, name, file, &opts, out));
    mpno_status status = fit_dataset(ctx, r, name, *has_truth, *out);
    if (status != MPNO_OK) mpno_dataset_destroy(ctx, out);
    return status;
}

mpno_status mpno_restored_dataset(mpno_ctx *ctx, const mpno_restored *r, const char *name,
                                  const mpno_tensor_file *file, bool *has_truth,
                                  mpno_dataset **out) {
    const mpno_train_state *state = &r->checkpoint->state;
    const mpno_format format = mpno_model_arithmetic(r->model);
    MPNO_TRY(mpno_restored_fields(ctx, r, name, file, format, has_truth, out));
    if (state->encode_x)
        mpno_normalizer_encode(&state->x, format, (*out)->x,
                               (*out)->n * (*out)->points * (*out)->in_channels);
    return MPNO_OK;
}

mpno_status mpno_restored_select(mpno_ctx *ctx, const mpno_restored *r, const char *path,
                                 int64_t first, int64_t n_samples, int64_t *available,
                                 mpno_tensor_file **out) {
    const mpno_settings *s = &r->checkpoint->settings;
    const char *keys[3] = {s->data.x_key};
    size_t n = 1;
    if (s->data.embedding_key != NULL) keys[n++] = s->data.embedding_key;
    keys[n] = s->data.y_key; /* the truth may be missing */
    mpno_select_opts wanted = {.axes = s->data.axes,
                               .time = s->data.time_in != MPNO_UNSET,
                               .n = n + 1,
                               .n_required = n,
                               .keys = keys,
                               .first = first,
                               .n_samples = n_samples};
    const mpno_status status = mpno_tensor_file_select(ctx, path, &wanted, out);
    if (available != NULL) *available = wanted.available;
    return status;
}

const char *mpno_restored_data(const mpno_restored *r, const char *given) {
    const mpno_settings *s = &r->checkpoint->settings;
    return given != NULL ? given : s->data.test.n > 0 ? s->data.test.v[0] : NULL;
}

bool mpno_restored_trained_on(const mpno_restored *r, const char *path) {
    const mpno_settings *s = &r->checkpoint->settings;
    bool trained = s->data.validation != NULL && mpno_path_same(s->data.validation, path);
    for (size_t i = 0; i < s->data.train.n; i++)
        trained = trained || mpno_path_same(s->data.train.v[i], path);
    return trained;
}

mpno_status mpno_restored_read(mpno_ctx *ctx, const mpno_restored *r, const char *path,
                               int64_t n_samples, bool *has_truth, mpno_dataset **out) {
    mpno_tensor_file *file = NULL;
    MPNO_TRY(mpno_restored_select(ctx, r, path, 0, n_samples, NULL, &file));
    const mpno_status status = mpno_restored_dataset(ctx, r, path, file, has_truth, out);
    mpno_tensor_file_destroy(ctx, &file);
    return status;
}

mpno_status mpno_restored_certifier(const mpno_restored *r, const mpno_dataset *data,
                                    const int64_t *output_grid, const double *embedding,
                                    mpno_certifier **out) {
    const mpno_train_state *state = &r->checkpoint->state;
    mpno_certifier_opts opts = {.x = state->encode_x ? &state->x : NULL,
                                .y = state->encode_y ? &state->y : NULL,
                                .norms = mpno_settings_norms(&r->checkpoint->settings),
                                .embedding = embedding};
    for (int d = 0; d < data->ndim; d++) {
        opts.grid[d] = data->grid[d];
        opts.output_grid[d] = output_grid[d];
    }
    return mpno_certifier_create(r->model, &opts, out);
}

mpno_status mpno_restored_report(mpno_ctx *ctx, const mpno_restored *r, mpno_value *map) {
    const mpno_stabilizer used = mpno_model_config(r->model)->stabilizer;
    MPNO_TRY(mpno_value_set_string(ctx, map, "checkpoint", r->checkpoint->path));
    if (r->planned != NULL) {
        mpno_value *copy = NULL;
        MPNO_TRY(mpno_value_clone(ctx, r->planned, &copy));
        MPNO_TRY(mpno_value_set(ctx, map, "planned", copy));
    }
    MPNO_TRY(mpno_value_set_int(ctx, map, "epoch", r->checkpoint->state.epoch));
    MPNO_TRY(mpno_value_set_string(
        ctx, map, "weights", mpno_settings_use_ema(&r->checkpoint->settings) ? "ema" : "trained"));
    MPNO_TRY(mpno_value_set_string(ctx, map, "policy", r->policy));
    MPNO_TRY(mpno_value_set_string(ctx, map, "format", mpno_format_get(r->half)->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "stabilizer", mpno_stabilizer_get(used)->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "arithmetic",
                                   mpno_format_get(mpno_model_arithmetic(r->model))->name));
    MPNO_TRY(mpno_value_set_int(ctx, map, "parameters", (int64_t)mpno_model_n_weights(r->model)));
    MPNO_TRY(mpno_value_set_string(ctx, map, "isa", mpno_ctx_isa(ctx)));
    MPNO_TRY(mpno_value_set_int(ctx, map, "threads", mpno_ctx_n_threads(ctx)));
    return mpno_value_set_int(ctx, map, "peak_bytes", (int64_t)mpno_ctx_peak_bytes(ctx));
}
