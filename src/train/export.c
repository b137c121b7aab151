/* SPDX-License-Identifier: MIT
 * mpno_export: the weights of a run for other programs. As a .pt file they are a state dict that
 * the PyTorch library loads into a model of the same arguments; see mpno/run.h. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "data/pt.h"
#include "data/readers.h"
#include "model/model.h"
#include "model/stabilizer.h"
#include "mpno/run.h"
#include "number/format.h"
#include "train/modes.h"
#include "train/restore.h"
#include "train/sink.h"

/* Arguments of the library's FNO under the same names as keys of model.*; those marked are written
 * only where they differ from the default, because its releases do not all know them. */
static const struct {
    const char *name;
    bool if_changed;
} arguments[] = {{"n_modes", false},
                 {"in_channels", false},
                 {"out_channels", false},
                 {"hidden_channels", false},
                 {"n_layers", false},
                 {"lifting_channel_ratio", false},
                 {"projection_channel_ratio", false},
                 {"positional_embedding", false},
                 {"norm", false},
                 {"norm_groups", true},
                 {"ada_in_features", true},
                 {"use_channel_mlp", false},
                 {"channel_mlp_dropout", false},
                 {"channel_mlp_expansion", false},
                 {"channel_mlp_skip", false},
                 {"fno_skip", false},
                 {"conv_bias_kernel", true},
                 {"resolution_scaling_factor", false},
                 {"domain_padding", false},
                 {"max_n_modes", false},
                 {"factorization", true},
                 {"rank", true},
                 {"fixed_rank_modes", true},
                 {"implementation", true},
                 {"separable", false},
                 {"preactivation", false},
                 {"complex_data", false}};

/* What the library computes otherwise from the same weights cannot be handed to it. */
static mpno_status check_meaning(mpno_ctx *ctx, const mpno_settings *s) {
    const bool own = s->compat == MPNO_COMPAT_NONE;
    const struct {
        bool differs;
        const char *key;
    } options[] = {
        {own && s->model.max_n_modes.n > 0, "model.max_n_modes"},
        {own && s->model.resolution_scaling_factor.n > 0, "model.resolution_scaling_factor"},
        {own && s->model.complex_data, "model.complex_data"},
        {s->model.grid_boundaries.n > 0, "model.grid_boundaries"}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        MPNO_CHECK(ctx, !options[i].differs, MPNO_E_UNSUPPORTED,
                   "the PyTorch library reads %s otherwise, so that the same weights would give "
                   "other outputs there: train with compat = neuralop to export such a model, or "
                   "write .safetensors",
                   options[i].key);
    return MPNO_OK;
}

/* Whole numbers are ranks there, and others shares: ours are all real. */
static mpno_status count_ranks(mpno_ctx *ctx, mpno_value *list) {
    for (size_t i = 0; i < list->n; i++) {
        const double rank = list->items[i]->real;
        if (rank != (double)(int64_t)rank || (list->n == 1 && rank == 1)) continue;
        mpno_value_destroy(ctx, &list->items[i]);
        MPNO_TRY(mpno_value_int(ctx, (int64_t)rank, &list->items[i]));
    }
    return MPNO_OK;
}

static mpno_status put_argument(mpno_ctx *ctx, const mpno_settings *s, const char *name,
                                bool if_changed, mpno_value *map) {
    char key[64], initial[64], text[64];
    const mpno_field *field;
    mpno_settings defaults;
    mpno_value *value;
    bool equal = false;
    snprintf(key, sizeof key, "model.%s", name);
    MPNO_TRY(mpno_fields_find(ctx, key, mpno_settings_fields(), mpno_settings_n_fields(), &field));
    if (if_changed) {
        MPNO_TRY(mpno_settings_default(ctx, &defaults));
        const mpno_status status =
            mpno_field_compare(ctx, field, s, &defaults, &equal, text, initial, sizeof text);
        mpno_settings_clear(ctx, &defaults);
        MPNO_TRY(status);
    }
    if (equal) return MPNO_OK;
    MPNO_TRY(mpno_field_value(ctx, field, s, &value));
    if (value->kind == MPNO_VALUE_STRING && strcmp(value->string, "none") == 0) {
        mpno_value_destroy(ctx, &value);
        MPNO_TRY(mpno_value_null(ctx, &value));
    }
    if (strcmp(name, "rank") == 0) MPNO_TRY(count_ranks(ctx, value));
    /* one number for all axes or blocks is a number there, a list of one is a mistake */
    if (field->type == MPNO_FIELD_REALS && value->kind == MPNO_VALUE_LIST && value->n == 1) {
        mpno_value *only;
        MPNO_TRY(mpno_value_clone(ctx, value->items[0], &only));
        mpno_value_destroy(ctx, &value);
        value = only;
    }
    return mpno_value_set(ctx, map, name, value);
}

/* The arguments that make the model again, as the library stores them. */
static mpno_status put_arguments(mpno_ctx *ctx, const mpno_settings *s, const mpno_model *model,
                                 mpno_value *map) {
    const mpno_fno_config *c = mpno_model_config(model);
    const bool tanh = c->stabilizer == MPNO_STABILIZER_TANH,
               none = mpno_stabilizer_is_identity(c->stabilizer);
    mpno_value *args;
    MPNO_CHECK(
        ctx,
        none || (tanh && c->stabilizer_placement == MPNO_PLACEMENT_ALL && c->stabilizer_blend == 0),
        MPNO_E_UNSUPPORTED,
        "the PyTorch library has no stabiliser but a whole tanh before every transform (this "
        "model's: %s), so that the same weights would give other outputs there: train with "
        "model.stabilizer tanh or none to export such a model, or write .safetensors",
        mpno_stabilizer_get(c->stabilizer)->name);
    for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++)
        MPNO_TRY(put_argument(ctx, s, arguments[i].name, arguments[i].if_changed, map));
    if (tanh) MPNO_TRY(mpno_value_set_string(ctx, map, "stabilizer", "tanh"));
    MPNO_TRY(mpno_value_set_string(ctx, map, "_version", "0.1.0"));
    MPNO_TRY(mpno_value_set_string(ctx, map, "_name", "FNO"));
    return mpno_value_set_list(ctx, map, "args", &args);
}

static mpno_status put_tensor(mpno_ctx *ctx, const mpno_model *model, int param,
                              mpno_tensor_file *file) {
    const mpno_param_info info = mpno_model_param_info(model, param);
    const bool wide = mpno_model_arithmetic(model) == MPNO_F64;
    const bool counter = info.kind == MPNO_PARAM_COUNTER;
    const mpno_element element = counter           ? MPNO_ELEMENT_I64
                                 : info.is_complex ? (wide ? MPNO_ELEMENT_C128 : MPNO_ELEMENT_C64)
                                                   : (wide ? MPNO_ELEMENT_F64 : MPNO_ELEMENT_F32);
    mpno_named_tensor *tensor;
    double *values;
    MPNO_TRY(mpno_tensor_file_add(ctx, file, info.name, element, info.ndim, info.shape, &tensor));
    MPNO_TRY(mpno_alloc_array(ctx, info.count, sizeof *values, &values));
    mpno_model_get_param(model, param, values);
    if (counter)
        for (size_t i = 0; i < info.count; i++) ((int64_t *)tensor->data)[i] = (int64_t)values[i];
    else
        mpno_cast(tensor->data, wide ? MPNO_F64 : MPNO_F32, values, MPNO_F64, info.count);
    mpno_free(ctx, values);
    return MPNO_OK;
}

/* "NAME_state_dict.pt" and "NAME_metadata.pkl" are the pair that the library's from_checkpoint
 * reads: the second one is written beside the first. */
static mpno_status write_pair(mpno_ctx *ctx, const char *output, mpno_value *metadata,
                              const mpno_sink *sink) {
    static const char ending[] = "_state_dict.pt";
    const size_t n = strlen(output), m = sizeof ending - 1;
    mpno_tensor_file *file;
    char path[4096];
    if (n <= m || strcmp(output + n - m, ending) != 0) return MPNO_OK;
    const int length = snprintf(path, sizeof path, "%.*s_metadata.pkl", (int)(n - m), output);
    MPNO_CHECK(ctx, length < (int)sizeof path, MPNO_E_ARGUMENT, "%s: the path is too long", output);
    MPNO_TRY(mpno_tensor_file_create(ctx, &file));
    mpno_status status = mpno_value_clone(ctx, metadata, &file->object);
    if (status == MPNO_OK) status = mpno_pt_write(ctx, path, file);
    mpno_tensor_file_destroy(ctx, &file);
    if (status == MPNO_OK) mpno_say(sink, "arguments in %s\n", path);
    return status;
}

static mpno_status write_weights(mpno_ctx *ctx, const mpno_restored *r, const char *output,
                                 const mpno_sink *sink, mpno_tensor_file *file) {
    const size_t n = strlen(output);
    const bool torch = n > 3 && (strcmp(output + n - 3, ".pt") == 0 ||
                                 (n > 4 && strcmp(output + n - 4, ".pth") == 0));
    const mpno_settings *s = &r->checkpoint->settings;
    MPNO_TRY(mpno_modes_zero_unused(ctx, s, r->model));
    for (int p = 0; p < mpno_model_n_params(r->model); p++)
        MPNO_TRY(put_tensor(ctx, r->model, p, file));
    if (!torch) return mpno_tensor_file_write(ctx, output, file);
    mpno_value *metadata;
    MPNO_TRY(check_meaning(ctx, s));
    MPNO_TRY(mpno_value_map(ctx, &file->object));
    MPNO_TRY(mpno_value_set_map(ctx, file->object, "_metadata", &metadata));
    MPNO_TRY(put_arguments(ctx, s, r->model, metadata));
    MPNO_TRY(mpno_tensor_file_write(ctx, output, file));
    return write_pair(ctx, output, metadata, sink);
}

/* What export.factorization asks for, with what it costs. */
static mpno_status refactor(mpno_ctx *ctx, mpno_restored *r, const mpno_sink *sink,
                            double *errors) {
    mpno_settings *s = &r->checkpoint->settings;
    mpno_fno_config like = *mpno_model_config(r->model);
    mpno_model *made;
    char name[16];
    MPNO_CHECK(ctx,
               s->export.factorization > 0 || (s->export.rank.n == 1 && s->export.rank.v[0] == 1),
               MPNO_E_CONFIG,
               "export.rank is given, but export.factorization is not: nothing would read it");
    if (s->export.factorization == 0) return MPNO_OK;
    MPNO_CHECK(ctx, s->export.rank.row == 0 && s->export.rank.n <= MPNO_MAX_RANKS, MPNO_E_CONFIG,
               "export.rank: expected one number or a list of at most %d ranks", MPNO_MAX_RANKS);
    s->model.factorization = s->export.factorization - 1;
    s->model.rank = s->export.rank;
    s->model.fixed_rank_modes = false;
    s->model.contraction = MPNO_CONTRACTION_AUTO;
    s->model.implementation = MPNO_IMPLEMENTATION_FACTORIZED;
    like.factorization = (mpno_factorization)s->model.factorization;
    like.n_ranks = (int)s->model.rank.n;
    for (int i = 0; i < like.n_ranks; i++) like.rank[i] = s->model.rank.v[i];
    like.fixed_rank_modes = false;
    like.contraction = MPNO_CONTRACTION_AUTO;
    like.implementation = MPNO_IMPLEMENTATION_FACTORIZED;
    MPNO_TRY(mpno_model_refactor(r->model, &like, &made, errors));
    const size_t before = mpno_model_n_weights(r->model), after = mpno_model_n_weights(made);
    mpno_settings_choice(s, "export.factorization", name, sizeof name);
    mpno_say(sink, "spectral weights made %s, %zu parameters of %zu left\n", name, after, before);
    for (int l = 0; l < (int)like.n_layers; l++)
        mpno_say(sink, "block %d: relative error %.3g of its weight\n", l, errors[l]);
    mpno_model_destroy(&r->model);
    r->model = made;
    return MPNO_OK;
}

static mpno_status put_errors(mpno_ctx *ctx, const mpno_restored *r, const double *errors,
                              mpno_value *map) {
    mpno_value *list;
    if (r->checkpoint->settings.export.factorization == 0) return MPNO_OK;
    MPNO_TRY(mpno_value_set_list(ctx, map, "weight_errors", &list));
    for (int l = 0; l < (int)mpno_model_config(r->model)->n_layers; l++)
        MPNO_TRY(mpno_value_append_real(ctx, list, errors[l]));
    return MPNO_OK;
}

/* The state dict has no place for the normalisers: they are said. */
static mpno_status report(mpno_ctx *ctx, const mpno_restored *r, const char *output,
                          const mpno_sink *sink, const double *errors, char **json) {
    const mpno_train_state *state = &r->checkpoint->state;
    mpno_value *map;
    mpno_say(sink, "%zu parameters in %s\n", mpno_model_n_weights(r->model), output);
    if (state->encode_x || state->encode_y)
        mpno_say(sink,
                 "%s%s%s normalised by the run, and not by these weights: mpno eval and "
                 "predict do it themselves, other programs must (mpno info tells by what)\n",
                 state->encode_x ? "inputs" : "", state->encode_x && state->encode_y ? " and " : "",
                 state->encode_y ? "outputs are" : " are");
    MPNO_TRY(mpno_value_map(ctx, &map));
    mpno_status status = mpno_value_set_string(ctx, map, "output", output);
    if (status == MPNO_OK) status = mpno_value_set_bool(ctx, map, "encoded_input", state->encode_x);
    if (status == MPNO_OK)
        status = mpno_value_set_bool(ctx, map, "encoded_output", state->encode_y);
    if (status == MPNO_OK) status = mpno_restored_report(ctx, r, map);
    if (status == MPNO_OK) status = put_errors(ctx, r, errors, map);
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    return status;
}

mpno_status mpno_export(mpno_ctx *ctx, const char *checkpoint, const char *output,
                        mpno_config *overrides, const mpno_sink *sink, char **json) {
    mpno_restored restored;
    mpno_tensor_file *file = NULL;
    double errors[MPNO_MAX_BLOCKS] = {0};
    if (json) *json = NULL;
    MPNO_TRY(mpno_tensor_file_can_write(ctx, output));
    MPNO_TRY(mpno_restore(ctx, checkpoint, overrides, &restored));
    mpno_status status = refactor(ctx, &restored, sink, errors);
    if (status == MPNO_OK) status = mpno_tensor_file_create(ctx, &file);
    if (status == MPNO_OK) status = write_weights(ctx, &restored, output, sink, file);
    if (status == MPNO_OK) status = report(ctx, &restored, output, sink, errors, json);
    mpno_tensor_file_destroy(ctx, &file);
    mpno_restored_clear(ctx, &restored);
    return status;
}
