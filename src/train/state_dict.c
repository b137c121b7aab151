/* SPDX-License-Identifier: MIT
 * Metadata of state dicts: see state_dict.h. Names and order of the constructor's arguments:
 * neuraloperator, FNO. */
#include "train/state_dict.h"

#include <stdio.h>
#include <string.h>

#include "train/foreign.h"

/* The first arguments may have been given by position. */
static const char *const positional[] = {"n_modes",
                                         "in_channels",
                                         "out_channels",
                                         "hidden_channels",
                                         "n_layers",
                                         "lifting_channel_ratio",
                                         "projection_channel_ratio",
                                         "positional_embedding"};

/* Arguments that are keys of model.* under the same name. */
static const char *const same_name[] = {"n_modes",
                                        "in_channels",
                                        "out_channels",
                                        "hidden_channels",
                                        "n_layers",
                                        "lifting_channel_ratio",
                                        "projection_channel_ratio",
                                        "positional_embedding",
                                        "max_n_modes",
                                        "norm",
                                        "norm_groups",
                                        "ada_in_features",
                                        "use_channel_mlp",
                                        "channel_mlp_expansion",
                                        "channel_mlp_dropout",
                                        "fno_skip",
                                        "channel_mlp_skip",
                                        "conv_bias_kernel",
                                        "preactivation",
                                        "separable",
                                        "complex_data",
                                        "domain_padding",
                                        "resolution_scaling_factor",
                                        "stabilizer"};

/* The same of factorised weights. */
static const char *const of_factors[] = {"factorization", "rank", "fixed_rank_modes",
                                         "implementation"};

/* Arguments that must stand at a value which means "not used". */
static const struct {
    const char *name;
    const char *neutral[3]; /* texts that are fine besides null */
} unused[] = {
    {"non_linearity", {"<global torch._C._nn.gelu>", "<global torch._C._nn gelu>", NULL}}};

static const mpno_value *argument(const mpno_value *metadata, const char *name) {
    const mpno_value *value = mpno_value_get(metadata, name);
    const mpno_value *args = mpno_value_get(metadata, "args");
    for (size_t i = 0; !value && i < sizeof positional / sizeof positional[0]; i++) {
        bool given = args && args->kind == MPNO_VALUE_LIST && i < args->n;
        if (given && strcmp(positional[i], name) == 0) value = args->items[i];
    }
    return value;
}

static const char *as_text(const mpno_value *value, char *out, size_t capacity) {
    switch (value->kind) {
        case MPNO_VALUE_BOOL:
            return value->boolean ? "true" : "false";
        case MPNO_VALUE_STRING:
            return value->string;
        case MPNO_VALUE_INT:
            snprintf(out, capacity, "%lld", (long long)value->integer);
            break;
        case MPNO_VALUE_REAL:
            snprintf(out, capacity, "%g", value->real);
            break;
        default:
            snprintf(out, capacity, "a list");
            break;
    }
    return out;
}

static mpno_status check_unused(mpno_ctx *ctx, const mpno_value *metadata) {
    for (size_t i = 0; i < sizeof unused / sizeof unused[0]; i++) {
        const mpno_value *value = argument(metadata, unused[i].name);
        if (!value || value->kind == MPNO_VALUE_NULL) continue;
        char number[32];
        const char *text = as_text(value, number, sizeof number);
        bool neutral = false;
        for (int k = 0; k < 3 && unused[i].neutral[k]; k++) {
            neutral = neutral || strcmp(text, unused[i].neutral[k]) == 0;
        }
        MPNO_CHECK(ctx, neutral, MPNO_E_UNSUPPORTED,
                   "the state dict was made with %s = %s, which this version does not have",
                   unused[i].name, text);
    }
    return MPNO_OK;
}

static mpno_status set_key(mpno_ctx *ctx, const char *key, const mpno_value *value,
                           mpno_settings *settings) {
    const mpno_field *field = NULL;
    MPNO_TRY(mpno_fields_find(ctx, key, mpno_settings_fields(), mpno_settings_n_fields(), &field));
    return mpno_field_set(ctx, field, value, settings);
}

static mpno_status set_argument(mpno_ctx *ctx, const mpno_value *metadata, const char *name,
                                mpno_settings *settings) {
    const mpno_value *value = argument(metadata, name);
    char key[64];
    snprintf(key, sizeof key, "model.%s", name);
    return value ? set_key(ctx, key, value, settings) : MPNO_OK;
}

/* tucker: the class TFNO, which is FNO with these defaults. Arguments that a dense weight does not
 * use may stand at anything. */
static mpno_status set_factors(mpno_ctx *ctx, const mpno_value *metadata, bool tucker,
                               mpno_settings *settings) {
    const mpno_value *fixed = argument(metadata, "fixed_rank_modes");
    MPNO_TRY(set_argument(ctx, metadata, "factorization", settings));
    if (tucker && !argument(metadata, "factorization"))
        settings->model.factorization = MPNO_FACTORIZATION_TUCKER;
    if (tucker && !argument(metadata, "rank")) settings->model.rank.v[0] = 0.1;
    if (settings->model.factorization == MPNO_FACTORIZATION_DENSE) return MPNO_OK;
    for (size_t i = 1; i < sizeof of_factors / sizeof of_factors[0]; i++) {
        const bool none = strcmp(of_factors[i], "fixed_rank_modes") == 0 && fixed &&
                          fixed->kind == MPNO_VALUE_NULL;
        if (!none) MPNO_TRY(set_argument(ctx, metadata, of_factors[i], settings));
    }
    return MPNO_OK;
}

mpno_status mpno_state_dict_settings(mpno_ctx *ctx, const mpno_tensor_file *file,
                                     mpno_settings *settings) {
    settings->data.encode_input = settings->data.encode_output = false;
    if (mpno_foreign_naming(file)) return MPNO_OK; /* what it is, mpno_restore finds out */
    MPNO_CHECK(ctx,
               mpno_tensor_file_find(file, "lifting.fcs.0.weight") != NULL ||
                   mpno_tensor_file_find(file, "lifting.fr.fcs.0.weight") != NULL,
               MPNO_E_FORMAT,
               "no tensor lifting.fcs.0.weight: this is not the state dict of an FNO");
    settings->compat = MPNO_COMPAT_NEURALOP;
    const mpno_value *metadata = mpno_value_get(file->object, "_metadata");
    if (!metadata) return MPNO_OK;
    const mpno_value *name = mpno_value_get(metadata, "_name");
    const bool named = name && name->kind == MPNO_VALUE_STRING,
               tucker = named && strcmp(name->string, "TFNO") == 0;
    MPNO_CHECK(ctx, !named || tucker || strcmp(name->string, "FNO") == 0, MPNO_E_UNSUPPORTED,
               "a state dict of the class %s, this version reads FNO and TFNO", name->string);
    MPNO_TRY(check_unused(ctx, metadata));
    for (size_t i = 0; i < sizeof same_name / sizeof same_name[0]; i++)
        MPNO_TRY(set_argument(ctx, metadata, same_name[i], settings));
    return set_factors(ctx, metadata, tucker, settings);
}
