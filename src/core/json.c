/* SPDX-License-Identifier: MIT
 * JSON texts to values (by jansson, strict) and back. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "core/value.h"

static mpno_status convert(mpno_ctx *ctx, json_t *json, mpno_value **out);

static mpno_status convert_list(mpno_ctx *ctx, json_t *json, mpno_value *list) {
    for (size_t i = 0; i < json_array_size(json); i++) {
        mpno_value *item;
        MPNO_TRY(convert(ctx, json_array_get(json, i), &item));
        MPNO_TRY(mpno_value_append(ctx, list, item));
    }
    return MPNO_OK;
}

static mpno_status convert_map(mpno_ctx *ctx, json_t *json, mpno_value *map) {
    /* jansson iterates in the order of the text since 2.8 */
    for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at)) {
        mpno_value *item;
        MPNO_TRY(convert(ctx, json_object_iter_value(at), &item));
        MPNO_TRY(mpno_value_set(ctx, map, json_object_iter_key(at), item));
    }
    return MPNO_OK;
}

/* Recursion is as deep as jansson lets a text be (JSON_PARSER_MAX_DEPTH, 2048). */
static mpno_status convert(mpno_ctx *ctx, json_t *json, mpno_value **out) {
    mpno_status status;
    switch (json_typeof(json)) {
        case JSON_NULL:
            return mpno_value_null(ctx, out);
        case JSON_TRUE:
            return mpno_value_bool(ctx, true, out);
        case JSON_FALSE:
            return mpno_value_bool(ctx, false, out);
        case JSON_INTEGER:
            return mpno_value_int(ctx, json_integer_value(json), out);
        case JSON_REAL:
            return mpno_value_real(ctx, json_real_value(json), out);
        case JSON_STRING:
            return mpno_value_string(ctx, json_string_value(json), out);
        case JSON_ARRAY:
            MPNO_TRY(mpno_value_list(ctx, out));
            status = convert_list(ctx, json, *out);
            break;
        default:
            MPNO_TRY(mpno_value_map(ctx, out));
            status = convert_map(ctx, json, *out);
            break;
    }
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

mpno_status mpno_json_parse(mpno_ctx *ctx, const char *name, const char *text, size_t n,
                            mpno_value **out) {
    *out = NULL;
    json_error_t error;
    json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json == NULL) {
        if (json_error_code(&error) == json_error_out_of_memory) {
            return mpno_fail(ctx, MPNO_E_MEMORY,
                             "%s: out of memory while reading %zu bytes of JSON", name, n);
        }
        return mpno_fail(ctx, MPNO_E_FORMAT, "%s:%d:%d: %s; correct the JSON text there", name,
                         error.line, error.column, error.text);
    }
    mpno_status status = convert(ctx, json, out);
    json_decref(json);
    return status;
}

typedef struct layout {
    bool pretty;
    size_t indent; /* spaces in front of the line being written */
} layout;

static mpno_status write_value(mpno_text *text, const mpno_value *v, layout at);

static mpno_status write_scalar(mpno_text *text, const mpno_value *v) {
    char number[MPNO_REAL_TEXT];
    switch (v->kind) {
        case MPNO_VALUE_BOOL:
            return mpno_text_add(text, "%s", v->boolean ? "true" : "false");
        case MPNO_VALUE_INT:
            return mpno_text_add(text, "%lld", (long long)v->integer);
        case MPNO_VALUE_STRING:
            return mpno_text_add_quoted(text, v->string);
        case MPNO_VALUE_REAL:
            if (!isfinite(v->real)) break; /* JSON has no word for it */
            mpno_real_text(v->real, number);
            return mpno_text_add(text, "%s", number);
        default:
            break;
    }
    return mpno_text_add(text, "null");
}

static bool is_container(const mpno_value *v) {
    return v->kind == MPNO_VALUE_LIST || v->kind == MPNO_VALUE_MAP;
}

/* A list of numbers or words reads better on one line. */
static bool on_one_line(const mpno_value *v) {
    if (v->n == 0) return true;
    if (v->kind == MPNO_VALUE_MAP) return false;
    for (size_t i = 0; i < v->n; i++) {
        if (is_container(v->items[i])) return false;
    }
    return true;
}

static mpno_status write_container(mpno_text *text, const mpno_value *v, layout at) {
    bool map = v->kind == MPNO_VALUE_MAP;
    bool lines = at.pretty && !on_one_line(v);
    layout inside = {at.pretty, at.indent + 2};
    MPNO_TRY(mpno_text_add(text, "%s", map ? "{" : "["));
    for (size_t i = 0; i < v->n; i++) {
        if (i > 0) MPNO_TRY(mpno_text_add(text, "%s", lines ? "," : ", "));
        if (lines) {
            MPNO_TRY(mpno_text_add(text, "\n"));
            MPNO_TRY(mpno_text_add_spaces(text, inside.indent));
        }
        if (map) {
            MPNO_TRY(mpno_text_add_quoted(text, v->keys[i]));
            MPNO_TRY(mpno_text_add(text, ": "));
        }
        MPNO_TRY(write_value(text, v->items[i], inside));
    }
    if (lines) {
        MPNO_TRY(mpno_text_add(text, "\n"));
        MPNO_TRY(mpno_text_add_spaces(text, at.indent));
    }
    return mpno_text_add(text, "%s", map ? "}" : "]");
}

static mpno_status write_value(mpno_text *text, const mpno_value *v, layout at) {
    return is_container(v) ? write_container(text, v, at) : write_scalar(text, v);
}

mpno_status mpno_json_text(mpno_ctx *ctx, const mpno_value *value, bool pretty, char **out) {
    *out = NULL;
    mpno_text text = {.ctx = ctx};
    mpno_status status = write_value(&text, value, (layout){pretty, 0});
    if (status == MPNO_OK && pretty) status = mpno_text_add(&text, "\n");
    if (status != MPNO_OK) {
        mpno_text_discard(&text);
        return status;
    }
    *out = text.data;
    return MPNO_OK;
}
