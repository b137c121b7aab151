/* SPDX-License-Identifier: MIT
 * The tree of values: making, changing, copying. Maps keep their order and are searched from the
 * front: they are as long as a configuration, and the order is what the user wrote. */
#include "core/value.h"

#include <math.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"

static mpno_status make(mpno_ctx *ctx, mpno_value_kind kind, mpno_value **out) {
    MPNO_TRY(mpno_alloc(ctx, sizeof **out, out));
    (*out)->kind = kind;
    return MPNO_OK;
}

mpno_status mpno_value_null(mpno_ctx *ctx, mpno_value **out) {
    return make(ctx, MPNO_VALUE_NULL, out);
}
mpno_status mpno_value_list(mpno_ctx *ctx, mpno_value **out) {
    return make(ctx, MPNO_VALUE_LIST, out);
}
mpno_status mpno_value_map(mpno_ctx *ctx, mpno_value **out) {
    return make(ctx, MPNO_VALUE_MAP, out);
}

mpno_status mpno_value_bool(mpno_ctx *ctx, bool v, mpno_value **out) {
    MPNO_TRY(make(ctx, MPNO_VALUE_BOOL, out));
    (*out)->boolean = v;
    return MPNO_OK;
}

mpno_status mpno_value_int(mpno_ctx *ctx, int64_t v, mpno_value **out) {
    MPNO_TRY(make(ctx, MPNO_VALUE_INT, out));
    (*out)->integer = v;
    (*out)->real = (double)v;
    return MPNO_OK;
}

mpno_status mpno_value_real(mpno_ctx *ctx, double v, mpno_value **out) {
    MPNO_TRY(make(ctx, MPNO_VALUE_REAL, out));
    (*out)->real = v;
    return MPNO_OK;
}

mpno_status mpno_value_string(mpno_ctx *ctx, const char *v, mpno_value **out) {
    MPNO_TRY(make(ctx, MPNO_VALUE_STRING, out));
    mpno_status status = mpno_strdup(ctx, v, &(*out)->string);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

void mpno_value_destroy(mpno_ctx *ctx, mpno_value **value) {
    if (value == NULL || *value == NULL) return;
    mpno_value *v = *value;
    for (size_t i = 0; i < v->n; i++) {
        if (v->keys != NULL) mpno_free(ctx, v->keys[i]);
        mpno_value_destroy(ctx, &v->items[i]);
    }
    mpno_free(ctx, v->keys);
    mpno_free(ctx, v->items);
    mpno_free(ctx, v->string);
    mpno_free(ctx, v);
    *value = NULL;
}

static mpno_status clone_items(mpno_ctx *ctx, const mpno_value *from, mpno_value *to) {
    for (size_t i = 0; i < from->n; i++) {
        mpno_value *item;
        MPNO_TRY(mpno_value_clone(ctx, from->items[i], &item));
        if (from->kind == MPNO_VALUE_MAP) {
            MPNO_TRY(mpno_value_set(ctx, to, from->keys[i], item));
        } else {
            MPNO_TRY(mpno_value_append(ctx, to, item));
        }
    }
    return MPNO_OK;
}

mpno_status mpno_value_clone(mpno_ctx *ctx, const mpno_value *value, mpno_value **out) {
    mpno_status status;
    if (value->kind == MPNO_VALUE_STRING) {
        status = mpno_value_string(ctx, value->string, out);
    } else {
        status = make(ctx, value->kind, out);
    }
    if (status != MPNO_OK) return status;
    mpno_value *copy = *out;
    copy->line = value->line;
    copy->boolean = value->boolean;
    copy->integer = value->integer;
    copy->real = value->real;
    status = clone_items(ctx, value, copy);
    if (status != MPNO_OK) mpno_value_destroy(ctx, out);
    return status;
}

/* Room for one more item (and its key). */
static mpno_status grow(mpno_ctx *ctx, mpno_value *v) {
    if (v->n < v->capacity) return MPNO_OK;
    size_t capacity = v->capacity == 0 ? 8 : 2 * v->capacity;
    if (v->kind == MPNO_VALUE_MAP)
        MPNO_TRY(mpno_realloc_array(ctx, &v->keys, v->n, capacity, sizeof *v->keys));
    MPNO_TRY(mpno_realloc_array(ctx, &v->items, v->n, capacity, sizeof *v->items));
    v->capacity = capacity;
    return MPNO_OK;
}

static size_t find(const mpno_value *map, const char *key) {
    size_t i = 0;
    while (i < map->n && strcmp(map->keys[i], key) != 0) i++;
    return i;
}

/* Does not take `item`. */
static mpno_status set_item(mpno_ctx *ctx, mpno_value *map, const char *key, mpno_value *item) {
    MPNO_CHECK(ctx, map->kind == MPNO_VALUE_MAP, MPNO_E_ARGUMENT,
               "key '%s' set in a value that is not a map", key);
    size_t i = find(map, key);
    if (i < map->n) {
        mpno_value_destroy(ctx, &map->items[i]);
        map->items[i] = item;
        return MPNO_OK;
    }
    MPNO_TRY(grow(ctx, map));
    MPNO_TRY(mpno_strdup(ctx, key, &map->keys[map->n]));
    map->items[map->n++] = item;
    return MPNO_OK;
}

static mpno_status append_item(mpno_ctx *ctx, mpno_value *list, mpno_value *item) {
    MPNO_CHECK(ctx, list->kind == MPNO_VALUE_LIST, MPNO_E_ARGUMENT,
               "item appended to a value that is not a list");
    MPNO_TRY(grow(ctx, list));
    list->items[list->n++] = item;
    return MPNO_OK;
}

mpno_status mpno_value_set(mpno_ctx *ctx, mpno_value *map, const char *key, mpno_value *item) {
    mpno_status status = set_item(ctx, map, key, item);
    if (status != MPNO_OK) mpno_value_destroy(ctx, &item);
    return status;
}

mpno_status mpno_value_append(mpno_ctx *ctx, mpno_value *list, mpno_value *item) {
    mpno_status status = append_item(ctx, list, item);
    if (status != MPNO_OK) mpno_value_destroy(ctx, &item);
    return status;
}

mpno_status mpno_value_set_int(mpno_ctx *ctx, mpno_value *map, const char *key, int64_t v) {
    mpno_value *item;
    MPNO_TRY(mpno_value_int(ctx, v, &item));
    return mpno_value_set(ctx, map, key, item);
}

mpno_status mpno_value_set_real(mpno_ctx *ctx, mpno_value *map, const char *key, double v) {
    mpno_value *item;
    MPNO_TRY(mpno_value_real(ctx, v, &item));
    return mpno_value_set(ctx, map, key, item);
}

mpno_status mpno_value_set_bool(mpno_ctx *ctx, mpno_value *map, const char *key, bool v) {
    mpno_value *item;
    MPNO_TRY(mpno_value_bool(ctx, v, &item));
    return mpno_value_set(ctx, map, key, item);
}

mpno_status mpno_value_set_string(mpno_ctx *ctx, mpno_value *map, const char *key, const char *v) {
    mpno_value *item;
    MPNO_TRY(mpno_value_string(ctx, v, &item));
    return mpno_value_set(ctx, map, key, item);
}

mpno_status mpno_value_set_text(mpno_ctx *ctx, mpno_value *map, const char *key, const char *v) {
    mpno_value *item;
    MPNO_TRY(v ? mpno_value_string(ctx, v, &item) : mpno_value_null(ctx, &item));
    return mpno_value_set(ctx, map, key, item);
}

static mpno_status set_empty(mpno_ctx *ctx, mpno_value *map, const char *key, mpno_value_kind kind,
                             mpno_value **out) {
    mpno_value *item;
    *out = NULL;
    MPNO_TRY(make(ctx, kind, &item));
    MPNO_TRY(mpno_value_set(ctx, map, key, item));
    *out = item;
    return MPNO_OK;
}

mpno_status mpno_value_set_map(mpno_ctx *ctx, mpno_value *map, const char *key, mpno_value **out) {
    return set_empty(ctx, map, key, MPNO_VALUE_MAP, out);
}

mpno_status mpno_value_set_list(mpno_ctx *ctx, mpno_value *map, const char *key, mpno_value **out) {
    return set_empty(ctx, map, key, MPNO_VALUE_LIST, out);
}

mpno_status mpno_value_append_map(mpno_ctx *ctx, mpno_value *list, mpno_value **out) {
    mpno_value *item;
    *out = NULL;
    MPNO_TRY(mpno_value_map(ctx, &item));
    MPNO_TRY(mpno_value_append(ctx, list, item));
    *out = item;
    return MPNO_OK;
}

mpno_status mpno_value_append_int(mpno_ctx *ctx, mpno_value *list, int64_t v) {
    mpno_value *item;
    MPNO_TRY(mpno_value_int(ctx, v, &item));
    return mpno_value_append(ctx, list, item);
}

mpno_status mpno_value_append_real(mpno_ctx *ctx, mpno_value *list, double v) {
    mpno_value *item;
    MPNO_TRY(mpno_value_real(ctx, v, &item));
    return mpno_value_append(ctx, list, item);
}

const mpno_value *mpno_value_get(const mpno_value *map, const char *key) {
    if (map == NULL || map->kind != MPNO_VALUE_MAP) return NULL;
    size_t i = find(map, key);
    return i < map->n ? map->items[i] : NULL;
}

const char *mpno_value_get_string(const mpno_value *map, const char *key, const char *otherwise) {
    const mpno_value *item = mpno_value_get(map, key);
    return item != NULL && item->kind == MPNO_VALUE_STRING ? item->string : otherwise;
}

double mpno_value_get_real(const mpno_value *map, const char *key) {
    const mpno_value *item = mpno_value_get(map, key);
    const bool number =
        item != NULL && (item->kind == MPNO_VALUE_INT || item->kind == MPNO_VALUE_REAL);
    return number ? item->real : NAN;
}

typedef mpno_status parse_fn(mpno_ctx *ctx, const char *name, const char *text, size_t n,
                             mpno_value **out);

static mpno_status read_file(mpno_ctx *ctx, const char *path, parse_fn *parse, mpno_value **out) {
    mpno_mapping file;
    *out = NULL;
    MPNO_TRY(mpno_map_open(ctx, path, &file));
    const mpno_status status = parse(ctx, path, (const char *)file.data, file.size, out);
    mpno_map_close(&file);
    return status;
}

mpno_status mpno_yaml_read(mpno_ctx *ctx, const char *path, mpno_value **out) {
    return read_file(ctx, path, mpno_yaml_parse, out);
}

mpno_status mpno_json_read(mpno_ctx *ctx, const char *path, mpno_value **out) {
    return read_file(ctx, path, mpno_json_parse, out);
}

mpno_status mpno_json_write(mpno_ctx *ctx, const char *path, const mpno_value *value) {
    char *text;
    MPNO_TRY(mpno_json_text(ctx, value, true, &text));
    const mpno_status status = mpno_file_write_atomic(ctx, path, text, strlen(text));
    mpno_free(ctx, text);
    return status;
}
