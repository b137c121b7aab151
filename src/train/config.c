/* SPDX-License-Identifier: MIT
 * Configurations: file, overrides, resolved text. See config.h and mpno/run.h. */
#include "train/config.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/source.h"

#define MAX_PATH 4096

static const mpno_field fields[] = {
#define X(key, type, initial, domain, what, help) \
    {#key, MPNO_FIELD_##type, offsetof(mpno_settings, key), initial, domain, help},
#include "train/config.def"
#undef X
};

enum { FREE, RESULT };

static const bool matters[] = {
#define X(key, type, initial, domain, what, help) what,
#include "train/config.def"
#undef X
};

#define N_FIELDS (sizeof fields / sizeof fields[0])

size_t mpno_settings_n_fields(void) {
    return N_FIELDS;
}

const mpno_field *mpno_settings_fields(void) {
    return fields;
}

bool mpno_settings_field_matters(size_t index) {
    return matters[index];
}

int mpno_config_n_keys(void) {
    return (int)N_FIELDS;
}

static const char *type_name(mpno_field_type type) {
    switch (type) {
        case MPNO_FIELD_BOOL:
            return "true or false";
        case MPNO_FIELD_INT:
            return "whole number";
        case MPNO_FIELD_REAL:
            return "number";
        case MPNO_FIELD_TEXT:
            return "text";
        case MPNO_FIELD_CHOICE:
            return "one of";
        case MPNO_FIELD_INTS:
            return "list of whole numbers";
        case MPNO_FIELD_REALS:
            return "number, list or list of lists";
        case MPNO_FIELD_TEXTS:
            return "list of texts";
    }
    return "";
}

mpno_key_info mpno_config_key(int index) {
    const mpno_field *f = &fields[index];
    return (mpno_key_info){f->key,  type_name(f->type), f->domain, f->initial,
                           f->help, matters[index]};
}

mpno_status mpno_settings_default(mpno_ctx *ctx, mpno_settings *settings) {
    memset(settings, 0, sizeof *settings);
    return mpno_fields_default(ctx, fields, N_FIELDS, settings);
}

void mpno_settings_clear(mpno_ctx *ctx, mpno_settings *settings) {
    mpno_fields_clear(ctx, fields, N_FIELDS, settings);
}

/* One phase of a list; false when it is none. */
static bool phase_to_text(const mpno_value *entry, char *text, size_t capacity) {
    static const char *const units[][2] = {{"fraction", ""}, {"epochs", "ep"}, {"steps", "st"}};
    const mpno_value *policy = mpno_value_get(entry, "policy"),
                     *stabilizer = mpno_value_get(entry, "stabilizer");
    char length[48] = "";
    size_t known = 1 + (stabilizer != NULL), lengths = 0;
    bool good = policy && policy->kind == MPNO_VALUE_STRING &&
                (!stabilizer || stabilizer->kind == MPNO_VALUE_STRING);
    for (int i = 0; i < 3; i++) {
        const mpno_value *value = mpno_value_get(entry, units[i][0]);
        if (!value) continue;
        lengths++;
        good = good && (value->kind == MPNO_VALUE_REAL || value->kind == MPNO_VALUE_INT);
        snprintf(length, sizeof length, ":%.17g%s", value->real, units[i][1]);
    }
    if (!good || lengths > 1 || entry->n != known + lengths) return false;
    const int n = snprintf(text, capacity, "%s%s%s%s", policy->string, stabilizer ? "/" : "",
                           stabilizer ? stabilizer->string : "", length);
    return n > 0 && (size_t)n < capacity;
}

/* A list of {policy, fraction or epochs or steps, stabilizer} becomes the text that the field
 * takes. */
static mpno_status phases_to_text(mpno_ctx *ctx, const mpno_value *list, mpno_value **out) {
    char text[1024] = "";
    size_t length = 0;
    for (size_t i = 0; i < list->n; i++) {
        char item[160];
        MPNO_CHECK(
            ctx, phase_to_text(list->items[i], item, sizeof item), MPNO_E_CONFIG,
            "precision.phases: entry %zu is not {policy: NAME} with at most one of fraction, "
            "epochs, steps: NUMBER and perhaps stabilizer: NAME",
            i + 1);
        int more = snprintf(text + length, sizeof text - length, "%s%s", i ? "," : "", item);
        MPNO_CHECK(ctx, more > 0 && (size_t)more < sizeof text - length, MPNO_E_CONFIG,
                   "precision.phases: too many phases, expected at most %d", MPNO_MAX_PHASES);
        length += (size_t)more;
    }
    return mpno_value_string(ctx, text, out);
}

/* The same for a map {role: format}. */
static mpno_status storage_to_text(mpno_ctx *ctx, const mpno_value *map, mpno_value **out) {
    mpno_text text = {.ctx = ctx};
    mpno_status status = MPNO_OK;
    for (size_t i = 0; i < map->n && status == MPNO_OK; i++) {
        const mpno_value *format = map->items[i];
        if (format->kind != MPNO_VALUE_STRING)
            status =
                mpno_fail(ctx, MPNO_E_CONFIG,
                          "precision.storage: the format of '%s' is no text, expected one such "
                          "as f8e4m3",
                          map->keys[i]);
        else
            status =
                mpno_text_add(&text, "%s%s=%s", i > 0 ? ", " : "", map->keys[i], format->string);
    }
    if (status == MPNO_OK) status = mpno_value_string(ctx, map->n > 0 ? text.data : "", out);
    mpno_text_discard(&text);
    return status;
}

typedef mpno_status to_text(mpno_ctx *ctx, const mpno_value *value, mpno_value **out);

/* In the section precision of the tree, what stands under the key becomes a text if it is of that
 * kind. */
static mpno_status replace_by_text(mpno_ctx *ctx, mpno_value *tree, const char *key,
                                   mpno_value_kind kind, to_text *make) {
    for (size_t i = 0; i < tree->n; i++) {
        if (strcmp(tree->keys[i], "precision") != 0) continue;
        const mpno_value *value = mpno_value_get(tree->items[i], key);
        mpno_value *text;
        if (value == NULL || value->kind != kind) continue;
        MPNO_TRY(make(ctx, value, &text));
        MPNO_TRY(mpno_value_set(ctx, tree->items[i], key, text));
    }
    return MPNO_OK;
}

mpno_status mpno_settings_parse(mpno_ctx *ctx, const char *file, const mpno_value *tree,
                                mpno_settings *settings) {
    const mpno_value *precision = mpno_value_get(tree, "precision");
    if (precision == NULL || precision->kind != MPNO_VALUE_MAP)
        return mpno_fields_parse(ctx, file, tree, fields, N_FIELDS, settings);
    mpno_value *copy = NULL;
    MPNO_TRY(mpno_value_clone(ctx, tree, &copy));
    mpno_status status = replace_by_text(ctx, copy, "phases", MPNO_VALUE_LIST, phases_to_text);
    if (status == MPNO_OK)
        status = replace_by_text(ctx, copy, "storage", MPNO_VALUE_MAP, storage_to_text);
    if (status == MPNO_OK) status = mpno_fields_parse(ctx, file, copy, fields, N_FIELDS, settings);
    mpno_value_destroy(ctx, &copy);
    return status;
}

static mpno_status make_data_absolute(mpno_ctx *ctx, const char *folder, mpno_settings *s) {
    for (size_t i = 0; i < s->data.train.n; i++) {
        MPNO_TRY(mpno_data_path_settle(ctx, folder, &s->data.train.v[i]));
    }
    MPNO_TRY(mpno_data_path_settle(ctx, folder, &s->data.validation));
    for (size_t i = 0; i < s->data.test.n; i++) {
        MPNO_TRY(mpno_data_path_settle(ctx, folder, &s->data.test.v[i]));
    }
    return MPNO_OK;
}

/* Whether the dotted key stands in a tree of sections. */
static bool stands_in(const mpno_value *tree, const char *key) {
    const char *dot = strchr(key, '.');
    char section[64];
    if (dot == NULL) return mpno_value_get(tree, key) != NULL;
    snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
    const mpno_value *inner = mpno_value_get(tree, section);
    return inner != NULL && stands_in(inner, dot + 1);
}

/* touch: its keys count as overrides. */
static mpno_status load_file(mpno_config *config, const char *path, bool touch) {
    mpno_ctx *ctx = config->ctx;
    mpno_value *tree = NULL;
    MPNO_TRY(mpno_yaml_read(ctx, path, &tree));
    const mpno_status status = mpno_settings_parse(ctx, path, tree, &config->settings);
    for (size_t i = 0; i < N_FIELDS && touch && status == MPNO_OK; i++)
        if (stands_in(tree, fields[i].key)) config->touched[i] = true;
    mpno_value_destroy(ctx, &tree);
    if (status != MPNO_OK) return status;
    char folder[MAX_PATH];
    mpno_path_folder(path, folder, sizeof folder);
    return make_data_absolute(ctx, folder, &config->settings);
}

mpno_status mpno_config_load(mpno_ctx *ctx, const char *path, mpno_config **out) {
    *out = NULL;
    mpno_config *config = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *config, &config));
    config->ctx = ctx;
    mpno_status status = mpno_settings_default(ctx, &config->settings);
    if (status == MPNO_OK) {
        status = mpno_alloc_array(ctx, N_FIELDS, sizeof *config->touched, &config->touched);
    }
    if (status == MPNO_OK) {
        status = mpno_strdup(ctx, path ? path : "configuration", &config->file);
    }
    if (status == MPNO_OK && path) status = load_file(config, path, false);
    if (status != MPNO_OK) {
        mpno_config_destroy(&config);
        return status;
    }
    *out = config;
    return MPNO_OK;
}

void mpno_config_destroy(mpno_config **config) {
    if (!config || !*config) return;
    mpno_config *c = *config;
    mpno_settings_clear(c->ctx, &c->settings);
    mpno_free(c->ctx, c->touched);
    mpno_free(c->ctx, c->file);
    mpno_free(c->ctx, c->yaml);
    mpno_free(c->ctx, c);
    *config = NULL;
}

static mpno_status override_phases(mpno_config *config, const char *text, size_t index) {
    mpno_ctx *ctx = config->ctx;
    mpno_value *list = NULL, *joined = NULL;
    MPNO_TRY(mpno_value_from_text(ctx, text, &list));
    mpno_status status = phases_to_text(ctx, list, &joined);
    if (status == MPNO_OK) {
        status = mpno_field_set(ctx, &fields[index], joined, &config->settings);
    }
    mpno_value_destroy(ctx, &list);
    mpno_value_destroy(ctx, &joined);
    return status;
}

mpno_status mpno_config_override(mpno_config *config, const char *key, const char *text) {
    mpno_ctx *ctx = config->ctx;
    const mpno_field *field = NULL;
    MPNO_TRY(mpno_fields_find(ctx, key, fields, N_FIELDS, &field));
    size_t index = (size_t)(field - fields);
    if (strcmp(key, "precision.phases") == 0 && text[0] == '[') {
        MPNO_TRY(override_phases(config, text, index));
    } else {
        MPNO_TRY(mpno_field_set_text(ctx, field, text, &config->settings));
    }
    config->touched[index] = true;
    if (strncmp(key, "data.", 5) == 0) {
        MPNO_TRY(make_data_absolute(ctx, NULL, &config->settings));
    }
    return MPNO_OK;
}

mpno_status mpno_config_override_file(mpno_config *config, const char *path) {
    return load_file(config, path, true);
}

bool mpno_config_touched(const mpno_config *config, const char *key) {
    for (size_t i = 0; config && i < N_FIELDS; i++) {
        if (strcmp(fields[i].key, key) == 0) return config->touched[i];
    }
    return false;
}

void mpno_override_threads(mpno_ctx *ctx, const mpno_config *overrides) {
    if (mpno_config_touched(overrides, "n_threads") && overrides->settings.n_threads > 0)
        ctx->n_threads = (int)overrides->settings.n_threads;
}

mpno_status mpno_settings_override(mpno_ctx *ctx, const mpno_config *overrides,
                                   mpno_settings *settings) {
    for (size_t i = 0; overrides && i < N_FIELDS; i++) {
        if (!overrides->touched[i]) continue;
        mpno_value *value = NULL;
        MPNO_TRY(mpno_field_value(ctx, &fields[i], &overrides->settings, &value));
        mpno_status status = mpno_field_set(ctx, &fields[i], value, settings);
        mpno_value_destroy(ctx, &value);
        MPNO_TRY(status);
    }
    return MPNO_OK;
}

mpno_status mpno_config_resolve(mpno_config *config, const char **yaml) {
    mpno_ctx *ctx = config->ctx;
    mpno_value *tree = NULL;
    char *text = NULL;
    mpno_status status = mpno_settings_resolve(ctx, &config->settings);
    if (status == MPNO_OK && config->settings.data.train.n == 0) {
        status = mpno_fail(ctx, MPNO_E_CONFIG,
                           "data.train is missing: give the file of the training data");
    }
    if (status != MPNO_OK) return mpno_fail_in(ctx, status, "%s", config->file);
    MPNO_TRY(mpno_fields_dump(ctx, fields, N_FIELDS, &config->settings, &tree));
    status = mpno_yaml_text(ctx, tree, &text);
    mpno_value_destroy(ctx, &tree);
    MPNO_TRY(status);
    mpno_free(ctx, config->yaml);
    config->yaml = text;
    if (yaml) *yaml = text;
    return MPNO_OK;
}
