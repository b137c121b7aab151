/* SPDX-License-Identifier: MIT
 * Reading checkpoints of ours: see checkpoint.h. State dicts of the PyTorch library: state_dict.c.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/readers.h"
#include "train/checkpoint.h"
#include "train/modes.h"
#include "train/state_dict.h"

static mpno_status want(mpno_ctx *ctx, const mpno_value *map, const char *key, mpno_value_kind kind,
                        const mpno_value **out) {
    const mpno_value *value = mpno_value_get(map, key);
    bool number = kind == MPNO_VALUE_REAL && value &&
                  (value->kind == MPNO_VALUE_INT || value->kind == MPNO_VALUE_REAL);
    MPNO_CHECK(ctx, number || (value && value->kind == kind), MPNO_E_FORMAT,
               "the training state has no usable entry '%s'; was it written by another version?",
               key);
    *out = value;
    return MPNO_OK;
}

static mpno_status want_int(mpno_ctx *ctx, const mpno_value *map, const char *key, int64_t *out) {
    const mpno_value *value = NULL;
    MPNO_TRY(want(ctx, map, key, MPNO_VALUE_INT, &value));
    MPNO_CHECK(ctx, value->integer >= 0, MPNO_E_FORMAT, "the training state has %s = %lld", key,
               (long long)value->integer);
    *out = value->integer;
    return MPNO_OK;
}

/* The tensor "normalizer.KEY.PART", checked against the configuration. */
static mpno_status read_statistics(mpno_ctx *ctx, const mpno_checkpoint *c, const char *key,
                                   const char *part, const mpno_normalizer *n,
                                   const mpno_named_tensor **out) {
    char name[64];
    snprintf(name, sizeof name, "normalizer.%s.%s", key, part);
    const mpno_named_tensor *tensor = mpno_tensor_file_find(c->file, name);
    MPNO_CHECK(ctx, tensor, MPNO_E_FORMAT, "there is no tensor %s, which data.encoding = %s needs",
               name, mpno_encoding_name(n->encoding));
    const int axes = n->encoding == MPNO_ENCODING_PIXEL_WISE ? (int)c->settings.model.n_modes.n : 0;
    const int64_t channels =
        key[0] == 'x' ? c->settings.model.in_channels : c->settings.model.out_channels;
    MPNO_CHECK(ctx,
               tensor->element == MPNO_ELEMENT_F64 && tensor->ndim == axes + 1 &&
                   tensor->shape[axes] == channels,
               MPNO_E_FORMAT, "tensor %s does not have the type f64, %d axes and %lld channels",
               name, axes, (long long)channels);
    *out = tensor;
    return MPNO_OK;
}

/* Mean and deviation of each channel, or of each at each point. */
static mpno_status read_places(mpno_ctx *ctx, const mpno_checkpoint *c, const char *key,
                               mpno_normalizer *out) {
    const mpno_named_tensor *mean = NULL, *std = NULL;
    MPNO_TRY(read_statistics(ctx, c, key, "mean", out, &mean));
    MPNO_TRY(read_statistics(ctx, c, key, "std", out, &std));
    mpno_field_layout layout = {.ndim = mean->ndim - 1,
                                .planes = c->settings.model.complex_data ? 2 : 1,
                                .channels = mean->shape[mean->ndim - 1]};
    for (int d = 0; d < layout.ndim; d++) {
        layout.grid[d] = mean->shape[d];
        MPNO_CHECK(ctx, std->shape[d] == mean->shape[d], MPNO_E_FORMAT,
                   "the tensors normalizer.%s.mean and .std differ in shape", key);
    }
    MPNO_TRY(mpno_normalizer_allocate(ctx, out->encoding, &layout, out));
    const int64_t n = mpno_normalizer_count(out);
    MPNO_TRY(mpno_named_tensor_values(ctx, mean, 0, n, MPNO_F64, out->means));
    MPNO_TRY(mpno_named_tensor_values(ctx, std, 0, n, MPNO_F64, out->stds));
    return mpno_normalizer_check(ctx, out);
}

static mpno_status read_normalizer(mpno_ctx *ctx, const mpno_checkpoint *c, const mpno_value *map,
                                   const char *key, bool *used, mpno_normalizer *out) {
    const mpno_value *entry = mpno_value_get(map, key), *mean = NULL, *std = NULL;
    *used = entry != NULL;
    if (!entry) return MPNO_OK;
    out->encoding = (mpno_encoding)c->settings.data.encoding;
    if (out->encoding != MPNO_ENCODING_SCALAR) return read_places(ctx, c, key, out);
    MPNO_TRY(want(ctx, entry, "mean", MPNO_VALUE_REAL, &mean));
    MPNO_TRY(want(ctx, entry, "std", MPNO_VALUE_REAL, &std));
    return mpno_normalizer_restore(ctx, mean->real, std->real, out);
}

/* A number that may be infinite, which is written as null. */
static mpno_status want_best(mpno_ctx *ctx, const mpno_value *map, double infinite, double *out) {
    const mpno_value *value = mpno_value_get(map, "best");
    *out = infinite;
    if (value && value->kind == MPNO_VALUE_NULL) return MPNO_OK;
    MPNO_TRY(want(ctx, map, "best", MPNO_VALUE_REAL, &value));
    *out = value->real;
    return MPNO_OK;
}

/* What the schedule of the learning rate and early stopping remember, where they are on. */
static mpno_status read_memory(mpno_ctx *ctx, const mpno_value *map, const mpno_settings *settings,
                               mpno_train_state *state) {
    const mpno_lr_opts lr = mpno_settings_lr(settings);
    const mpno_value *entry = NULL, *rate = NULL, *stopped = NULL;
    state->lr = mpno_lr_start(&lr);
    state->early = mpno_early_stopping_start();
    if (lr.kind == MPNO_LR_plateau) {
        MPNO_TRY(want(ctx, map, "plateau", MPNO_VALUE_MAP, &entry));
        MPNO_TRY(want(ctx, entry, "rate", MPNO_VALUE_REAL, &rate));
        MPNO_CHECK(ctx, rate->real >= 0, MPNO_E_FORMAT, "the learning rate is %g", rate->real);
        state->lr.rate = rate->real;
        MPNO_TRY(want_best(ctx, entry, state->lr.best, &state->lr.best));
        MPNO_TRY(want_int(ctx, entry, "bad", &state->lr.bad));
        MPNO_TRY(want_int(ctx, entry, "cooldown", &state->lr.cooldown));
    }
    if (settings->opt.early_stopping == MPNO_UNSET) return MPNO_OK;
    MPNO_TRY(want(ctx, map, "early_stopping", MPNO_VALUE_MAP, &entry));
    MPNO_TRY(want_best(ctx, entry, INFINITY, &state->early.best));
    MPNO_TRY(want_int(ctx, entry, "waiting", &state->early.waiting));
    MPNO_TRY(want(ctx, entry, "stopped", MPNO_VALUE_BOOL, &stopped));
    state->early.stopped = stopped->boolean;
    return MPNO_OK;
}

/* Modes of the blocks, where a rule changes them. */
static mpno_status read_modes(mpno_ctx *ctx, const mpno_value *map, const mpno_settings *settings,
                              mpno_mode_state *modes) {
    const mpno_value *entry = NULL, *layers = NULL;
    const size_t axes = settings->model.n_modes.n;
    *modes = mpno_modes_begin(settings);
    if (!mpno_modes_own(settings)) return MPNO_OK;
    MPNO_TRY(want(ctx, map, "modes", MPNO_VALUE_MAP, &entry));
    MPNO_TRY(want(ctx, entry, "layers", MPNO_VALUE_LIST, &layers));
    modes->loss[0] = mpno_value_get_real(entry, "loss");
    modes->loss[1] = mpno_value_get_real(entry, "loss_before");
    bool good = layers->n == (size_t)settings->model.n_layers && layers->n <= MPNO_MAX_BLOCKS;
    for (size_t l = 0; good && l < layers->n; l++) {
        const mpno_value *layer = layers->items[l];
        good = layer->kind == MPNO_VALUE_LIST && layer->n == axes && axes <= MPNO_MAX_AXES;
        for (size_t d = 0; good && d < axes; d++) {
            good = layer->items[d]->kind == MPNO_VALUE_INT && layer->items[d]->integer >= 1;
            if (good) modes->n[l][d] = layer->items[d]->integer;
        }
    }
    MPNO_CHECK(ctx, good, MPNO_E_FORMAT,
               "the training state's modes are not %zu whole numbers for each of the %lld blocks",
               axes, (long long)settings->model.n_layers);
    return MPNO_OK;
}

static mpno_status read_state(mpno_ctx *ctx, const mpno_value *map, mpno_checkpoint *c) {
    const mpno_settings *settings = &c->settings;
    mpno_train_state *state = &c->state;
    const mpno_value *scale = NULL, *factor = NULL, *normalizers = NULL, *best = NULL;
    const mpno_value *checksum = NULL;
    MPNO_TRY(want_int(ctx, map, "epoch", &state->epoch));
    MPNO_TRY(want_int(ctx, map, "step", &state->step));
    if (mpno_value_get(map, "epoch_steps")) /* older checkpoints do not know it */
        MPNO_TRY(want_int(ctx, map, "epoch_steps", &state->epoch_steps));
    if (mpno_settings_adapts(settings)) MPNO_TRY(want_int(ctx, map, "level", &state->level));
    MPNO_TRY(want(ctx, map, "loss_scale", MPNO_VALUE_MAP, &scale));
    MPNO_TRY(want(ctx, scale, "scale", MPNO_VALUE_REAL, &factor));
    MPNO_CHECK(ctx, factor->real >= 1, MPNO_E_FORMAT, "the loss scale is %g", factor->real);
    state->loss_scale.scale = factor->real;
    state->loss_scale.growth_interval = settings->precision.growth_interval;
    MPNO_TRY(want_int(ctx, scale, "good_steps", &state->loss_scale.good_steps));
    MPNO_TRY(want_int(ctx, scale, "skipped", &state->loss_scale.skipped));
    MPNO_TRY(want(ctx, map, "normalizers", MPNO_VALUE_MAP, &normalizers));
    MPNO_TRY(read_normalizer(ctx, c, normalizers, "x", &state->encode_x, &state->x));
    MPNO_TRY(read_normalizer(ctx, c, normalizers, "y", &state->encode_y, &state->y));
    MPNO_TRY(want(ctx, map, "data_checksum", MPNO_VALUE_STRING, &checksum));
    MPNO_CHECK(ctx, sscanf(checksum->string, "%16" SCNx64, &state->data_checksum) == 1,
               MPNO_E_FORMAT, "the checksum of the data reads '%s'", checksum->string);
    MPNO_TRY(read_memory(ctx, map, settings, state));
    MPNO_TRY(read_modes(ctx, map, settings, &state->modes));
    state->own_modes = mpno_modes_own(settings);
    MPNO_TRY(want(ctx, map, "best", MPNO_VALUE_MAP, &best));
    MPNO_TRY(want_int(ctx, best, "epoch", &state->best_epoch));
    const mpno_value *error = mpno_value_get(best, "error");
    state->best_error = error && error->kind != MPNO_VALUE_NULL ? error->real : NAN;
    return MPNO_OK;
}

/* The metadata entry `key` as a tree. */
static mpno_status parse_entry(mpno_ctx *ctx, const mpno_checkpoint *c, const char *key,
                               mpno_value **out) {
    const mpno_value *text = mpno_value_get(c->file->metadata, key);
    MPNO_CHECK(ctx, text && text->kind == MPNO_VALUE_STRING, MPNO_E_FORMAT,
               "no entry '%s' in the metadata: this safetensors file is not a checkpoint of mpno",
               key);
    return mpno_json_parse(ctx, key, text->string, strlen(text->string), out);
}

/* The level of an adaptive policy is one of those that the (resolved) settings list: phases are
 * looked up by it. */
static mpno_status check_level(mpno_ctx *ctx, const mpno_checkpoint *c) {
    mpno_schedule schedule;
    MPNO_TRY(mpno_settings_schedule(ctx, &c->settings, &schedule));
    MPNO_CHECK(ctx, c->state.level < schedule.n, MPNO_E_FORMAT,
               "the training state has level = %lld, but precision.phases lists %d levels, counted "
               "from 0: the file was changed after it was written; use an older checkpoint",
               (long long)c->state.level, schedule.n);
    return MPNO_OK;
}

static mpno_status read_ours(mpno_ctx *ctx, mpno_checkpoint *c) {
    mpno_value *config = NULL, *state = NULL;
    const mpno_value *version = mpno_value_get(c->file->metadata, "version");
    MPNO_TRY(parse_entry(ctx, c, "config", &config));
    mpno_status status = mpno_settings_parse(ctx, "config", config, &c->settings);
    mpno_value_destroy(ctx, &config);
    MPNO_TRY(status);
    /* runs write what they decided; older ones knew no other way */
    if (c->settings.data.streaming == MPNO_STREAMING_AUTO)
        c->settings.data.streaming = MPNO_STREAMING_NEVER;
    MPNO_CHECK(ctx,
               version && version->kind == MPNO_VALUE_STRING &&
                   strcmp(version->string, MPNO_CHECKPOINT_VERSION) == 0,
               MPNO_E_FORMAT, "checkpoint version '%s', this program reads version %s",
               version && version->string ? version->string : "?", MPNO_CHECKPOINT_VERSION);
    MPNO_TRY(parse_entry(ctx, c, "state", &state));
    status = read_state(ctx, state, c);
    mpno_value_destroy(ctx, &state);
    MPNO_TRY(status);
    MPNO_TRY(mpno_settings_resolve(ctx, &c->settings));
    return check_level(ctx, c);
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

mpno_status mpno_checkpoint_find(mpno_ctx *ctx, const char *path, char *out, size_t capacity) {
    struct stat info;
    MPNO_CHECK(ctx, stat(path, &info) == 0, MPNO_E_IO,
               "%s: no such file or folder: give a checkpoint or the folder of a run", path);
    if (!S_ISDIR(info.st_mode)) {
        MPNO_CHECK(ctx, strlen(path) < capacity, MPNO_E_ARGUMENT, "%.40s...: the path is too long",
                   path);
        snprintf(out, capacity, "%s", path);
        return MPNO_OK;
    }
    MPNO_TRY(mpno_path_join(ctx, path, "last.safetensors", out, capacity));
    MPNO_CHECK(ctx, mpno_path_exists(out), MPNO_E_IO,
               "%s holds no last.safetensors: it is not the folder of a run that got through an "
               "epoch",
               path);
    return MPNO_OK;
}

mpno_status mpno_checkpoint_read(mpno_ctx *ctx, const char *path, mpno_checkpoint **out) {
    *out = NULL;
    mpno_checkpoint *c = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *c, &c));
    mpno_status status = mpno_settings_default(ctx, &c->settings);
    if (status == MPNO_OK) status = mpno_checkpoint_find(ctx, path, c->path, sizeof c->path);
    if (status == MPNO_OK) status = mpno_tensor_file_read(ctx, c->path, NULL, &c->file);
    if (status == MPNO_OK) {
        c->foreign = !ends_with(c->path, ".safetensors");
        status =
            c->foreign ? mpno_state_dict_settings(ctx, c->file, &c->settings) : read_ours(ctx, c);
        if (status != MPNO_OK) mpno_fail_in(ctx, status, "%s", c->path);
    }
    if (status != MPNO_OK) {
        mpno_checkpoint_destroy(ctx, &c);
        return status;
    }
    *out = c;
    return MPNO_OK;
}

void mpno_train_state_clear(mpno_ctx *ctx, mpno_train_state *state) {
    mpno_normalizer_clear(ctx, &state->x);
    mpno_normalizer_clear(ctx, &state->y);
}

void mpno_checkpoint_destroy(mpno_ctx *ctx, mpno_checkpoint **checkpoint) {
    if (!checkpoint || !*checkpoint) return;
    mpno_train_state_clear(ctx, &(*checkpoint)->state);
    mpno_settings_clear(ctx, &(*checkpoint)->settings);
    mpno_tensor_file_destroy(ctx, &(*checkpoint)->file);
    mpno_free(ctx, *checkpoint);
    *checkpoint = NULL;
}

/* The tensor of a parameter, its shape and kind checked. */
static mpno_status find_tensor(mpno_ctx *ctx, const mpno_checkpoint *c, const char *prefix,
                               const mpno_param_info *info, const mpno_named_tensor **out) {
    char name[512], found[128], expected[128];
    snprintf(name, sizeof name, "%s%s", prefix, info->name);
    const mpno_named_tensor *tensor = mpno_tensor_file_find(c->file, name);
    MPNO_CHECK(ctx, tensor, MPNO_E_FORMAT,
               "%s: no tensor %s: the checkpoint is of another architecture than the "
               "configuration's",
               c->path, name);
    bool same =
        tensor->ndim == info->ndim && mpno_element_is_complex(tensor->element) == info->is_complex;
    for (int d = 0; d < info->ndim && same; d++) same = tensor->shape[d] == info->shape[d];
    MPNO_CHECK(ctx, same, MPNO_E_FORMAT,
               "%s: tensor %s is %s%s, the model's is %s%s: the checkpoint is of another "
               "architecture than the configuration's",
               c->path, name, mpno_element_is_complex(tensor->element) ? "complex " : "",
               mpno_shape_text(tensor->ndim, tensor->shape, found, sizeof found),
               info->is_complex ? "complex " : "",
               mpno_shape_text(info->ndim, info->shape, expected, sizeof expected));
    *out = tensor;
    return MPNO_OK;
}

/* Takes the numbers of parameter `param` in the outside order. */
typedef mpno_status (*taker)(void *user, int param, const double *values);

/* Every parameter's tensor "PREFIX NAME" to `take`. */
static mpno_status load(mpno_ctx *ctx, const mpno_checkpoint *c, const char *prefix,
                        const mpno_model *names, taker take, void *user) {
    for (int p = 0; p < mpno_model_n_params(names); p++) {
        const mpno_param_info info = mpno_model_param_info(names, p);
        const mpno_named_tensor *tensor = NULL;
        double *values = NULL;
        MPNO_TRY(find_tensor(ctx, c, prefix, &info, &tensor));
        MPNO_TRY(mpno_alloc_array(ctx, info.count, sizeof *values, &values));
        mpno_status status = mpno_named_tensor_values(
            ctx, tensor, 0, mpno_named_tensor_count(tensor), MPNO_F64, values);
        size_t bad = 0;
        while (status == MPNO_OK && bad < info.count && isfinite(values[bad])) bad++;
        if (status == MPNO_OK && bad < info.count) {
            status = mpno_fail(ctx, MPNO_E_NUMERIC, "%s: tensor %s%s holds %g at position %zu",
                               c->path, prefix, info.name, values[bad], bad);
        }
        if (status == MPNO_OK) status = take(user, p, values);
        mpno_free(ctx, values);
        MPNO_TRY(status);
    }
    return MPNO_OK;
}

/* A tensor that no parameter answers to: the configuration left something out. */
static mpno_status check_surplus(mpno_ctx *ctx, const mpno_checkpoint *c, const mpno_model *model) {
    for (size_t i = 0; i < c->file->n; i++) {
        const char *name = c->file->tensors[i].name;
        if (strncmp(name, "optimizer.", 10) == 0 || strncmp(name, "ema.", 4) == 0 ||
            strncmp(name, "normalizer.", 11) == 0)
            continue;
        MPNO_CHECK(ctx, mpno_model_find_param(model, name) >= 0, MPNO_E_FORMAT,
                   "%s: the model has no tensor %s: the checkpoint is of another architecture "
                   "than the configuration's",
                   c->path, name);
    }
    return MPNO_OK;
}

static mpno_status take_weight(void *user, int param, const double *values) {
    mpno_model_set_param(user, param, values);
    return MPNO_OK;
}

mpno_status mpno_checkpoint_load_model(mpno_ctx *ctx, const mpno_checkpoint *checkpoint,
                                       mpno_model *model) {
    MPNO_TRY(load(ctx, checkpoint, "", model, take_weight, model));
    if (checkpoint->state.own_modes) MPNO_TRY(mpno_modes_apply(&checkpoint->state.modes, model));
    return check_surplus(ctx, checkpoint, model);
}

mpno_status mpno_checkpoint_load_averages(mpno_ctx *ctx, const mpno_checkpoint *checkpoint,
                                          mpno_model *model) {
    char name[512];
    snprintf(name, sizeof name, "ema.%s", mpno_model_param_info(model, 0).name);
    MPNO_CHECK(
        ctx, mpno_tensor_file_find(checkpoint->file, name), MPNO_E_FORMAT,
        "%s holds no averaged weights (ema.*), as opt.ema_decay keeps them in training: give "
        "eval.weights=trained",
        checkpoint->path);
    return load(ctx, checkpoint, "ema.", model, take_weight, model);
}

static mpno_status take_average(void *user, int param, const double *values) {
    mpno_ema_set(user, param, values);
    return MPNO_OK;
}

mpno_status mpno_checkpoint_load_ema(mpno_ctx *ctx, const mpno_checkpoint *checkpoint,
                                     const mpno_model *model, mpno_ema *ema) {
    return load(ctx, checkpoint, "ema.", model, take_average, ema);
}

/* One state of an optimiser. */
typedef struct state_of {
    mpno_optimizer *optimizer;
    int state;
} state_of;

static mpno_status take_state(void *user, int param, const double *values) {
    const state_of *s = user;
    return mpno_optimizer_set_state(s->optimizer, s->state, param, values);
}

mpno_status mpno_checkpoint_load_optimizer(mpno_ctx *ctx, const mpno_checkpoint *checkpoint,
                                           const mpno_model *model, mpno_optimizer *optimizer) {
    for (int k = 0; k < mpno_optimizer_n_states(optimizer); k++) {
        char prefix[64];
        state_of s = {optimizer, k};
        snprintf(prefix, sizeof prefix, "optimizer.%s.", mpno_optimizer_state_name(optimizer, k));
        MPNO_TRY(load(ctx, checkpoint, prefix, model, take_state, &s));
    }
    mpno_optimizer_set_steps(optimizer, checkpoint->state.step);
    return MPNO_OK;
}

/* Whether the epochs already run would run alike under both numbers of epochs. */
static mpno_status same_past(mpno_ctx *ctx, const mpno_checkpoint *c, const mpno_settings *s) {
    mpno_schedule old, new;
    MPNO_TRY(mpno_settings_schedule(ctx, &c->settings, &old));
    MPNO_TRY(mpno_settings_schedule(ctx, s, &new));
    MPNO_CHECK(ctx, s->opt.n_epochs >= c->state.epoch, MPNO_E_CONFIG,
               "opt.n_epochs is %lld but the checkpoint has run %lld epochs already",
               (long long)s->opt.n_epochs, (long long)c->state.epoch);
    mpno_schedule_fit(&old, c->state.epoch_steps);
    mpno_schedule_fit(&new, c->state.epoch_steps);
    for (int64_t epoch = 0; epoch < c->state.epoch; epoch++) {
        const mpno_phase was = mpno_settings_phase(&c->settings, &old,
                                                   mpno_schedule_at_end(&old, epoch), epoch),
                         is =
                             mpno_settings_phase(s, &new, mpno_schedule_at_end(&new, epoch), epoch);
        MPNO_CHECK(ctx,
                   strcmp(was.policy, is.policy) == 0 && was.stabilizer == is.stabilizer &&
                       was.blend == is.blend,
                   MPNO_E_CONFIG,
                   "cannot resume: opt.n_epochs moves the phases, epoch %lld ran under %s and "
                   "would now be %s (stabilised to %g and %g)",
                   (long long)epoch + 1, was.policy, is.policy, 1 - was.blend, 1 - is.blend);
    }
    return MPNO_OK;
}

mpno_status mpno_checkpoint_same_run(mpno_ctx *ctx, const mpno_checkpoint *checkpoint,
                                     const mpno_settings *settings) {
    const mpno_field *fields = mpno_settings_fields();
    for (size_t i = 0; i < mpno_settings_n_fields(); i++) {
        if (!mpno_settings_field_matters(i) || strcmp(fields[i].key, "opt.n_epochs") == 0) {
            continue;
        }
        char was[256], is[256];
        bool equal;
        MPNO_TRY(mpno_field_compare(ctx, &fields[i], &checkpoint->settings, settings, &equal, was,
                                    is, sizeof was));
        MPNO_CHECK(
            ctx, equal, MPNO_E_CONFIG,
            "cannot resume: %s is %s, the checkpoint was made with %s; give the same value or "
            "start anew in another output folder",
            fields[i].key, is, was);
    }
    return same_past(ctx, checkpoint, settings);
}
