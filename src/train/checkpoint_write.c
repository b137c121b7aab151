/* SPDX-License-Identifier: MIT
 * Writing checkpoints: see checkpoint.h. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "data/safetensors.h"
#include "train/checkpoint.h"
#include "train/modes.h"

/* Keys that are kept although they do not decide numbers: what eval needs to find its data again.
 */
static bool kept(size_t index) {
    const mpno_field *field = &mpno_settings_fields()[index];
    return mpno_settings_field_matters(index) || strncmp(field->key, "data.", 5) == 0;
}

mpno_status mpno_checkpoint_config_tree(mpno_ctx *ctx, const mpno_settings *settings,
                                        mpno_value **out) {
    const size_t n = mpno_settings_n_fields();
    mpno_field *some = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, n, sizeof *some, &some));
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept(i)) some[count++] = mpno_settings_fields()[i];
    }
    mpno_status status = mpno_fields_dump(ctx, some, count, settings, out);
    mpno_free(ctx, some);
    return status;
}

static mpno_status put_normalizer(mpno_ctx *ctx, mpno_value *map, const char *key, bool used,
                                  const mpno_normalizer *normalizer) {
    if (!used) return MPNO_OK;
    mpno_value *entry = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, map, key, &entry));
    if (normalizer->encoding != MPNO_ENCODING_SCALAR) /* put_statistics keeps the numbers */
        return mpno_value_set_string(ctx, entry, "encoding",
                                     mpno_encoding_name(normalizer->encoding));
    MPNO_TRY(mpno_value_set_real(ctx, entry, "mean", normalizer->mean));
    return mpno_value_set_real(ctx, entry, "std", normalizer->std);
}

/* "normalizer.KEY.mean" and ".std" of one that is not scalar. */
static mpno_status put_statistics(mpno_ctx *ctx, const char *key, const mpno_normalizer *normalizer,
                                  mpno_tensor_file *file) {
    const mpno_field_layout *layout = &normalizer->layout;
    if (!normalizer->means) return MPNO_OK;
    const int axes = normalizer->encoding == MPNO_ENCODING_PIXEL_WISE ? layout->ndim : 0;
    int64_t shape[MPNO_MAX_DIMS] = {0};
    memcpy(shape, layout->grid, (size_t)axes * sizeof *shape);
    shape[axes] = layout->channels;
    for (int i = 0; i < 2; i++) {
        char name[64];
        mpno_named_tensor *tensor = NULL;
        snprintf(name, sizeof name, "normalizer.%s.%s", key, i == 0 ? "mean" : "std");
        MPNO_TRY(mpno_tensor_file_add(ctx, file, name, MPNO_ELEMENT_F64, axes + 1, shape, &tensor));
        memcpy(tensor->data, i == 0 ? normalizer->means : normalizer->stds,
               (size_t)mpno_normalizer_count(normalizer) * sizeof(double));
    }
    return MPNO_OK;
}

static mpno_status put_phases(mpno_ctx *ctx, const mpno_settings *settings,
                              const mpno_train_state *state, mpno_value *map) {
    mpno_schedule schedule;
    mpno_value *list = NULL;
    MPNO_TRY(mpno_settings_schedule(ctx, settings, &schedule));
    mpno_schedule_fit(&schedule, state->epoch_steps);
    MPNO_TRY(
        mpno_value_set_list(ctx, map, "phases", &list)); /* the map owns the list from here on */
    for (int i = 0; i < schedule.n; i++) {
        const mpno_phase *phase = &schedule.phase[i];
        const int64_t last = settings->opt.n_epochs, end = phase->end < last ? phase->end : last;
        if (phase->first >= last) break; /* a longer run would have it */
        const mpno_stabilizer used = mpno_settings_stabilizer(settings, phase);
        mpno_value *entry = NULL;
        MPNO_TRY(mpno_value_map(ctx, &entry));
        mpno_status status = mpno_value_set_string(ctx, entry, "policy", phase->policy);
        if (status == MPNO_OK) status = mpno_value_set_int(ctx, entry, "first", phase->first);
        if (status == MPNO_OK) status = mpno_value_set_int(ctx, entry, "end", end);
        if (status == MPNO_OK) {
            status =
                mpno_value_set_string(ctx, entry, "stabilizer", mpno_stabilizer_get(used)->name);
        }
        if (status != MPNO_OK) {
            mpno_value_destroy(ctx, &entry);
            return status;
        }
        MPNO_TRY(mpno_value_append(ctx, list, entry));
    }
    return MPNO_OK;
}

/* Where modes change: those of each block, and the losses that the next decision looks at. */
static mpno_status put_modes(mpno_ctx *ctx, const mpno_settings *settings,
                             const mpno_train_state *state, const mpno_model *model,
                             mpno_value *map) {
    mpno_value *entry = NULL, *layers = NULL;
    if (!mpno_modes_own(settings)) return MPNO_OK;
    MPNO_TRY(mpno_value_set_map(ctx, map, "modes", &entry));
    MPNO_TRY(mpno_value_set_real(ctx, entry, "loss", state->modes.loss[0]));
    MPNO_TRY(mpno_value_set_real(ctx, entry, "loss_before", state->modes.loss[1]));
    MPNO_TRY(mpno_modes_list(ctx, model, &layers));
    return mpno_value_set(ctx, entry, "layers", layers);
}

/* What the schedule of the learning rate and early stopping remember, where they are on. */
static mpno_status put_memory(mpno_ctx *ctx, const mpno_settings *settings,
                              const mpno_train_state *state, mpno_value *map) {
    mpno_value *entry = NULL;
    if (settings->opt.scheduler == MPNO_LR_plateau) {
        MPNO_TRY(mpno_value_set_map(ctx, map, "plateau", &entry));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "rate", state->lr.rate));
        MPNO_TRY(mpno_value_set_real(ctx, entry, "best", state->lr.best));
        MPNO_TRY(mpno_value_set_int(ctx, entry, "bad", state->lr.bad));
        MPNO_TRY(mpno_value_set_int(ctx, entry, "cooldown", state->lr.cooldown));
    }
    if (settings->opt.early_stopping == MPNO_UNSET) return MPNO_OK;
    MPNO_TRY(mpno_value_set_map(ctx, map, "early_stopping", &entry));
    MPNO_TRY(mpno_value_set_real(ctx, entry, "best", state->early.best));
    MPNO_TRY(mpno_value_set_int(ctx, entry, "waiting", state->early.waiting));
    return mpno_value_set_bool(ctx, entry, "stopped", state->early.stopped);
}

static mpno_status fill_state(mpno_ctx *ctx, const mpno_settings *settings,
                              const mpno_train_state *state, const mpno_model *model,
                              mpno_value *map) {
    char checksum[24];
    snprintf(checksum, sizeof checksum, "%016" PRIx64, state->data_checksum);
    MPNO_TRY(mpno_value_set_int(ctx, map, "epoch", state->epoch));
    MPNO_TRY(mpno_value_set_int(ctx, map, "step", state->step));
    MPNO_TRY(mpno_value_set_int(ctx, map, "epoch_steps", state->epoch_steps));
    if (mpno_settings_adapts(settings))
        MPNO_TRY(mpno_value_set_int(ctx, map, "level", state->level));
    MPNO_TRY(mpno_value_set_string(ctx, map, "arithmetic",
                                   mpno_format_get(mpno_model_arithmetic(model))->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "half",
                                   mpno_format_get(mpno_settings_half(settings))->name));
    mpno_value *scale = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, map, "loss_scale", &scale));
    MPNO_TRY(mpno_value_set_real(ctx, scale, "scale", state->loss_scale.scale));
    MPNO_TRY(mpno_value_set_int(ctx, scale, "good_steps", state->loss_scale.good_steps));
    MPNO_TRY(mpno_value_set_int(ctx, scale, "skipped", state->loss_scale.skipped));
    MPNO_TRY(put_memory(ctx, settings, state, map));
    MPNO_TRY(put_modes(ctx, settings, state, model, map));
    mpno_value *normalizers = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, map, "normalizers", &normalizers));
    MPNO_TRY(put_normalizer(ctx, normalizers, "x", state->encode_x, &state->x));
    MPNO_TRY(put_normalizer(ctx, normalizers, "y", state->encode_y, &state->y));
    MPNO_TRY(mpno_value_set_string(ctx, map, "data_checksum", checksum));
    mpno_value *best = NULL;
    MPNO_TRY(mpno_value_set_map(ctx, map, "best", &best));
    MPNO_TRY(mpno_value_set_int(ctx, best, "epoch", state->best_epoch));
    MPNO_TRY(mpno_value_set_real(ctx, best, "error", state->best_error));
    return put_phases(ctx, settings, state, map);
}

/* metadata[key] = text of the tree, which is destroyed. */
static mpno_status put_json(mpno_ctx *ctx, mpno_value *metadata, const char *key,
                            mpno_value **tree) {
    char *text = NULL;
    mpno_status status = mpno_json_text(ctx, *tree, false, &text);
    mpno_value_destroy(ctx, tree);
    if (status == MPNO_OK) status = mpno_value_set_string(ctx, metadata, key, text);
    mpno_free(ctx, text);
    return status;
}

static mpno_status put_metadata(mpno_ctx *ctx, const mpno_settings *settings,
                                const mpno_train_state *state, const mpno_model *model,
                                mpno_tensor_file *file) {
    mpno_value *tree = NULL;
    MPNO_TRY(mpno_value_set_string(ctx, file->metadata, "version", MPNO_CHECKPOINT_VERSION));
    MPNO_TRY(mpno_checkpoint_config_tree(ctx, settings, &tree));
    MPNO_TRY(put_json(ctx, file->metadata, "config", &tree));
    MPNO_TRY(mpno_value_map(ctx, &tree));
    mpno_status status = fill_state(ctx, settings, state, model, tree);
    if (status != MPNO_OK) {
        mpno_value_destroy(ctx, &tree);
        return status;
    }
    return put_json(ctx, file->metadata, "state", &tree);
}

/* Gives the numbers of parameter `param` in the outside order. */
typedef mpno_status (*giver)(const void *user, int param, double *values);

/* A tensor "PREFIX NAME" for every parameter. values: room for the largest one. */
static mpno_status put_tensors(mpno_ctx *ctx, const mpno_model *model, const char *prefix,
                               giver give, const void *user, double *values,
                               mpno_tensor_file *file) {
    const bool wide = mpno_model_arithmetic(model) == MPNO_F64;
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        const mpno_param_info info = mpno_model_param_info(model, p);
        const mpno_element element = info.is_complex ? (wide ? MPNO_ELEMENT_C128 : MPNO_ELEMENT_C64)
                                                     : (wide ? MPNO_ELEMENT_F64 : MPNO_ELEMENT_F32);
        char name[512];
        int length = snprintf(name, sizeof name, "%s%s", prefix, info.name);
        MPNO_CHECK(ctx, length < (int)sizeof name, MPNO_E_ARGUMENT, "the name %s is too long",
                   info.name);
        mpno_named_tensor *tensor = NULL;
        MPNO_TRY(mpno_tensor_file_add(ctx, file, name, element, info.ndim, info.shape, &tensor));
        MPNO_TRY(give(user, p, values));
        mpno_cast(tensor->data, wide ? MPNO_F64 : MPNO_F32, values, MPNO_F64, info.count);
    }
    return MPNO_OK;
}

static mpno_status give_weight(const void *user, int param, double *values) {
    mpno_model_get_param(user, param, values);
    return MPNO_OK;
}

static mpno_status give_average(const void *user, int param, double *values) {
    mpno_ema_get(user, param, values);
    return MPNO_OK;
}

/* One state of an optimiser. */
typedef struct state_of {
    const mpno_optimizer *optimizer;
    int state;
} state_of;

static mpno_status give_state(const void *user, int param, double *values) {
    const state_of *s = user;
    return mpno_optimizer_get_state(s->optimizer, s->state, param, values);
}

static mpno_status put_optimizer(mpno_ctx *ctx, const mpno_model *model,
                                 const mpno_optimizer *optimizer, double *values,
                                 mpno_tensor_file *file) {
    for (int k = 0; k < mpno_optimizer_n_states(optimizer); k++) {
        char prefix[64];
        const state_of s = {optimizer, k};
        snprintf(prefix, sizeof prefix, "optimizer.%s.", mpno_optimizer_state_name(optimizer, k));
        MPNO_TRY(put_tensors(ctx, model, prefix, give_state, &s, values, file));
    }
    return MPNO_OK;
}

static size_t largest_param(const mpno_model *model) {
    size_t largest = 0;
    for (int p = 0; p < mpno_model_n_params(model); p++) {
        size_t count = mpno_model_param_info(model, p).count;
        if (count > largest) largest = count;
    }
    return largest;
}

mpno_status mpno_checkpoint_write(mpno_ctx *ctx, const char *path, const mpno_settings *settings,
                                  const mpno_train_state *state, const mpno_model *model,
                                  const mpno_optimizer *optimizer, const mpno_ema *ema) {
    mpno_tensor_file *file = NULL;
    double *values = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, largest_param(model), sizeof *values, &values));
    mpno_status status = mpno_tensor_file_create(ctx, &file);
    if (status == MPNO_OK) status = put_tensors(ctx, model, "", give_weight, model, values, file);
    if (status == MPNO_OK && optimizer) {
        status = put_optimizer(ctx, model, optimizer, values, file);
    }
    if (status == MPNO_OK && ema) {
        status = put_tensors(ctx, model, "ema.", give_average, ema, values, file);
    }
    if (status == MPNO_OK) status = put_statistics(ctx, "x", &state->x, file);
    if (status == MPNO_OK) status = put_statistics(ctx, "y", &state->y, file);
    if (status == MPNO_OK) status = put_metadata(ctx, settings, state, model, file);
    if (status == MPNO_OK) status = mpno_safetensors_write(ctx, path, file);
    mpno_tensor_file_destroy(ctx, &file);
    mpno_free(ctx, values);
    return status;
}
