/* SPDX-License-Identifier: MIT
 * Tables of fields: see fields.h. Values are checked before anything is stored, so that a refused
 * value leaves the object as it was. */
#include "core/fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/memory.h"

#define MAX_KEY 256

static void *member(const mpno_field *field, void *object) {
    return (char *)object + field->offset;
}

static const void *member_const(const mpno_field *field, const void *object) {
    return (const char *)object + field->offset;
}

static bool may_be_null(const mpno_field *field) {
    return strcmp(field->initial, "null") == 0;
}

/* A whole number that may be left to the program. */
static bool may_be_auto(const mpno_field *field) {
    return field->type == MPNO_FIELD_INT && strcmp(field->initial, "auto") == 0;
}

static bool is_auto(const mpno_value *value) {
    return value->kind == MPNO_VALUE_STRING && strcmp(value->string, "auto") == 0;
}

const char *mpno_field_choice(const mpno_field *field, int index, char *out, size_t capacity) {
    const char *start = field->domain;
    for (int i = 0; i < index && start; i++) {
        start = strchr(start, '|');
        if (start) start++;
    }
    size_t length = start ? strcspn(start, "|") : 0;
    if (length >= capacity) length = capacity - 1;
    memcpy(out, start ? start : "", length);
    out[length] = '\0';
    return out;
}

static int choice_count(const mpno_field *field) {
    int count = 1;
    for (const char *p = field->domain; *p; p++) count += *p == '|';
    return count;
}

static int choice_index(const mpno_field *field, const char *text) {
    char name[64];
    for (int i = 0; i < choice_count(field); i++) {
        if (strcmp(mpno_field_choice(field, i, name, sizeof name), text) == 0) return i;
    }
    for (int i = 0; i < choice_count(field); i++) {
        if (strcasecmp(mpno_field_choice(field, i, name, sizeof name), text) == 0) return i;
    }
    return -1;
}

/* What was found, for a sentence. */
static const char *describe(const mpno_value *value, char *out, size_t capacity) {
    switch (value->kind) {
        case MPNO_VALUE_NULL:
            snprintf(out, capacity, "nothing (null)");
            break;
        case MPNO_VALUE_BOOL:
            snprintf(out, capacity, "%s", value->boolean ? "true" : "false");
            break;
        case MPNO_VALUE_INT:
            snprintf(out, capacity, "the number %lld", (long long)value->integer);
            break;
        case MPNO_VALUE_REAL:
            snprintf(out, capacity, "the number %g", value->real);
            break;
        case MPNO_VALUE_STRING:
            snprintf(out, capacity, "the text '%.60s'", value->string);
            break;
        case MPNO_VALUE_LIST:
            snprintf(out, capacity, "a list of %zu", value->n);
            break;
        case MPNO_VALUE_MAP:
            snprintf(out, capacity, "a map of %zu keys", value->n);
            break;
    }
    return out;
}

static mpno_status mistyped(mpno_ctx *ctx, const mpno_field *field, const mpno_value *value,
                            const char *expected) {
    char found[96];
    return mpno_fail(ctx, MPNO_E_CONFIG, "%s: expected %s, found %s", field->key, expected,
                     describe(value, found, sizeof found));
}

/* "[1,inf)": brackets include the end. */
static bool in_domain(const char *domain, double x) {
    if (!domain || !*domain) return true;
    char *end = NULL;
    double low = strtod(domain + 1, &end);
    double high = strtod(end + 1, &end);
    bool above = domain[0] == '[' ? x >= low : x > low;
    bool below = *end == ']' ? x <= high : x < high;
    return above && below;
}

static mpno_status check_domain(mpno_ctx *ctx, const mpno_field *field, double x) {
    MPNO_CHECK(ctx, in_domain(field->domain, x), MPNO_E_CONFIG,
               "%s: %g is out of range, expected a value in %s", field->key, x, field->domain);
    return MPNO_OK;
}

static mpno_status set_int(mpno_ctx *ctx, const mpno_field *field, const mpno_value *value,
                           int64_t *out) {
    if (value->kind != MPNO_VALUE_INT)
        return mistyped(ctx, field, value,
                        may_be_auto(field) ? "an integer or auto" : "an integer");
    MPNO_TRY(check_domain(ctx, field, (double)value->integer));
    *out = value->integer;
    return MPNO_OK;
}

static mpno_status set_real(mpno_ctx *ctx, const mpno_field *field, const mpno_value *value,
                            double *out) {
    if (value->kind != MPNO_VALUE_REAL && value->kind != MPNO_VALUE_INT) {
        return mistyped(ctx, field, value, "a number");
    }
    MPNO_CHECK(ctx, isfinite(value->real), MPNO_E_CONFIG, "%s: expected a finite number, found %g",
               field->key, value->real);
    MPNO_TRY(check_domain(ctx, field, value->real));
    *out = value->real;
    return MPNO_OK;
}

static mpno_status set_choice(mpno_ctx *ctx, const mpno_field *field, const mpno_value *value,
                              int *out) {
    char expected[256], list[200];
    size_t length = 0;
    for (const char *p = field->domain; *p && length + 3 < sizeof list; p++) {
        list[length++] = *p == '|' ? ',' : *p;
        if (*p == '|') list[length++] = ' ';
    }
    list[length] = '\0';
    snprintf(expected, sizeof expected, "one of %s", list);
    const char *text = value->kind == MPNO_VALUE_STRING ? value->string
                       : value->kind == MPNO_VALUE_NULL
                           ? (choice_index(field, "dense") < 0 ? "none" : "dense")
                           : NULL;
    int index = text ? choice_index(field, text) : -1;
    if (index < 0) return mistyped(ctx, field, value, expected);
    *out = index;
    return MPNO_OK;
}

static mpno_status set_text(mpno_ctx *ctx, const mpno_field *field, const mpno_value *value,
                            char **out) {
    char *copy = NULL;
    if (value->kind == MPNO_VALUE_STRING) {
        MPNO_TRY(mpno_strdup(ctx, value->string, &copy));
    } else if (value->kind != MPNO_VALUE_NULL || !may_be_null(field)) {
        return mistyped(ctx, field, value, *field->domain ? field->domain : "text");
    }
    mpno_free(ctx, *out);
    *out = copy;
    return MPNO_OK;
}

static mpno_status set_ints(mpno_ctx *ctx, const mpno_field *field, const mpno_value *value,
                            mpno_int_list *out) {
    if (value->kind != MPNO_VALUE_LIST) {
        return mistyped(ctx, field, value, "a list of integers such as [8, 8]");
    }
    MPNO_CHECK(ctx, value->n <= MPNO_MAX_INTS, MPNO_E_CONFIG,
               "%s: expected at most %d entries, found %zu", field->key, MPNO_MAX_INTS, value->n);
    mpno_int_list list = {0, {0}};
    for (size_t i = 0; i < value->n; i++) {
        MPNO_TRY(set_int(ctx, field, value->items[i], &list.v[i]));
    }
    list.n = (int64_t)value->n;
    *out = list;
    return MPNO_OK;
}

/* Appends the numbers of one row. */
static mpno_status append_reals(mpno_ctx *ctx, const mpno_field *field, const mpno_value *row,
                                mpno_real_list *list) {
    for (size_t i = 0; i < row->n; i++) {
        MPNO_CHECK(ctx, list->n < MPNO_MAX_REALS, MPNO_E_CONFIG,
                   "%s: expected at most %d numbers in all", field->key, MPNO_MAX_REALS);
        MPNO_TRY(set_real(ctx, field, row->items[i], &list->v[list->n]));
        list->n++;
    }
    return MPNO_OK;
}

static mpno_status set_reals(mpno_ctx *ctx, const mpno_field *field, const mpno_value *value,
                             mpno_real_list *out) {
    mpno_real_list list = {0};
    const bool single = value->kind == MPNO_VALUE_INT || value->kind == MPNO_VALUE_REAL;
    if (!single && value->kind != MPNO_VALUE_LIST)
        return mistyped(ctx, field, value, "a number, or a list of numbers or of lists of them");
    const bool rows = !single && value->n > 0 && value->items[0]->kind == MPNO_VALUE_LIST;
    if (single) {
        MPNO_TRY(set_real(ctx, field, value, &list.v[list.n++]));
    } else if (!rows) {
        MPNO_TRY(append_reals(ctx, field, value, &list));
    }
    for (size_t i = 0; rows && i < value->n; i++) {
        const mpno_value *row = value->items[i];
        if (row->kind != MPNO_VALUE_LIST) return mistyped(ctx, field, row, "a list like the first");
        MPNO_CHECK(ctx, row->n > 0 && row->n == value->items[0]->n, MPNO_E_CONFIG,
                   "%s: expected lists of one length, found %zu and %zu entries", field->key,
                   value->items[0]->n, row->n);
        MPNO_TRY(append_reals(ctx, field, row, &list));
        list.row = (int64_t)row->n;
    }
    *out = list;
    return MPNO_OK;
}

static void clear_texts(mpno_ctx *ctx, mpno_text_list *list) {
    for (size_t i = 0; i < list->n; i++) mpno_free(ctx, list->v[i]);
    mpno_free(ctx, list->v);
    *list = (mpno_text_list){0, NULL};
}

static mpno_status set_texts(mpno_ctx *ctx, const mpno_field *field, const mpno_value *value,
                             mpno_text_list *out) {
    bool single = value->kind == MPNO_VALUE_STRING;
    if (!single && value->kind != MPNO_VALUE_LIST) {
        return mistyped(ctx, field, value, "a list of texts");
    }
    size_t n = single ? 1 : value->n;
    mpno_text_list list = {0, NULL};
    MPNO_TRY(mpno_alloc_array(ctx, n, sizeof *list.v, &list.v));
    list.n = n;
    for (size_t i = 0; i < n; i++) {
        const mpno_value *item = single ? value : value->items[i];
        mpno_status status = item->kind == MPNO_VALUE_STRING
                                 ? mpno_strdup(ctx, item->string, &list.v[i])
                                 : mistyped(ctx, field, item, "a text in the list");
        if (status != MPNO_OK) {
            clear_texts(ctx, &list);
            return status;
        }
    }
    clear_texts(ctx, out);
    *out = list;
    return MPNO_OK;
}

static mpno_status set_null(mpno_ctx *ctx, const mpno_field *field, void *at) {
    switch (field->type) {
        case MPNO_FIELD_INT:
            *(int64_t *)at = MPNO_UNSET;
            break;
        case MPNO_FIELD_REAL:
            *(double *)at = NAN;
            break;
        case MPNO_FIELD_INTS:
            *(mpno_int_list *)at = (mpno_int_list){0, {0}};
            break;
        case MPNO_FIELD_REALS:
            *(mpno_real_list *)at = (mpno_real_list){0};
            break;
        case MPNO_FIELD_TEXTS:
            clear_texts(ctx, at);
            break;
        default:
            break;
    }
    return MPNO_OK;
}

mpno_status mpno_field_set(mpno_ctx *ctx, const mpno_field *field, const mpno_value *value,
                           void *object) {
    void *at = member(field, object);
    if (value->kind == MPNO_VALUE_NULL && may_be_null(field) && field->type != MPNO_FIELD_TEXT) {
        return set_null(ctx, field, at);
    }
    if (may_be_auto(field) && is_auto(value)) return set_null(ctx, field, at);
    switch (field->type) {
        case MPNO_FIELD_BOOL:
            if (value->kind != MPNO_VALUE_BOOL) return mistyped(ctx, field, value, "true or false");
            *(bool *)at = value->boolean;
            return MPNO_OK;
        case MPNO_FIELD_INT:
            return set_int(ctx, field, value, at);
        case MPNO_FIELD_REAL:
            return set_real(ctx, field, value, at);
        case MPNO_FIELD_TEXT:
            return set_text(ctx, field, value, at);
        case MPNO_FIELD_CHOICE:
            return set_choice(ctx, field, value, at);
        case MPNO_FIELD_INTS:
            return set_ints(ctx, field, value, at);
        case MPNO_FIELD_REALS:
            return set_reals(ctx, field, value, at);
        case MPNO_FIELD_TEXTS:
            return set_texts(ctx, field, value, at);
    }
    return mpno_fail(ctx, MPNO_E_ARGUMENT, "%s: a field of unknown type", field->key);
}

mpno_status mpno_field_set_text(mpno_ctx *ctx, const mpno_field *field, const char *text,
                                void *object) {
    bool bare = field->type == MPNO_FIELD_TEXT || field->type == MPNO_FIELD_CHOICE ||
                (field->type == MPNO_FIELD_TEXTS && text[0] != '[');
    bool null = strcmp(text, "null") == 0 || strcmp(text, "~") == 0;
    mpno_value *value = NULL;
    MPNO_TRY(bare && !null ? mpno_value_string(ctx, text, &value)
                           : mpno_value_from_text(ctx, text, &value));
    mpno_status status = mpno_field_set(ctx, field, value, object);
    mpno_value_destroy(ctx, &value);
    return status;
}

mpno_status mpno_fields_default(mpno_ctx *ctx, const mpno_field *fields, size_t n, void *object) {
    for (size_t i = 0; i < n; i++) {
        void *at = member(&fields[i], object);
        if (fields[i].type == MPNO_FIELD_TEXT) *(char **)at = NULL;
        if (fields[i].type == MPNO_FIELD_TEXTS) *(mpno_text_list *)at = (mpno_text_list){0, NULL};
    }
    for (size_t i = 0; i < n; i++) {
        mpno_status status = mpno_field_set_text(ctx, &fields[i], fields[i].initial, object);
        if (status != MPNO_OK) {
            mpno_fields_clear(ctx, fields, n, object);
            return status;
        }
    }
    return MPNO_OK;
}

static const mpno_field *find(const char *key, const mpno_field *fields, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].key, key) == 0) return &fields[i];
    }
    return NULL;
}

static bool is_section(const char *path, const mpno_field *fields, size_t n) {
    size_t length = strlen(path);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(fields[i].key, path, length) == 0 && fields[i].key[length] == '.') return true;
    }
    return false;
}

/* The name in the table that was probably meant by `key`, into `out`; "" when none is near. `keys`:
 * whole keys are looked at, not sections ("opt" of "opt.learning_rate") alone. */
static mpno_status suggest(mpno_ctx *ctx, const char *key, const mpno_field *fields, size_t n,
                           bool keys, char out[MAX_KEY]) {
    const char **names = NULL;
    char(*sections)[MAX_KEY] = NULL;
    size_t count = 0;
    out[0] = '\0';
    MPNO_TRY(mpno_alloc_array(ctx, n, sizeof *sections, &sections));
    mpno_status status = mpno_alloc_array(ctx, 2 * n, sizeof *names, &names);
    for (size_t i = 0; status == MPNO_OK && keys && i < n; i++) names[count++] = fields[i].key;
    for (size_t i = 0; status == MPNO_OK && i < n; i++) {
        const char *dot = strrchr(fields[i].key, '.');
        if (!dot) continue;
        snprintf(sections[i], MAX_KEY, "%.*s", (int)(dot - fields[i].key), fields[i].key);
        names[count++] = sections[i];
    }
    const char *near = status == MPNO_OK ? mpno_nearest_name(key, names, count) : NULL;
    /* "n_epochs" is the key that someone knows and whose section was forgotten. */
    for (size_t i = 0; keys && i < n; i++) {
        const char *dot = strrchr(fields[i].key, '.');
        if (dot && strcmp(dot + 1, key) == 0) near = fields[i].key;
    }
    if (near) snprintf(out, MAX_KEY, "%s", near);
    mpno_free(ctx, names);
    mpno_free(ctx, sections);
    return status;
}

static mpno_status fail_unknown(mpno_ctx *ctx, const char *kind, const char *key,
                                const char *near) {
    if (*near) {
        return mpno_fail(ctx, MPNO_E_CONFIG, "unknown %s %s; did you mean %s?", kind, key, near);
    }
    return mpno_fail(ctx, MPNO_E_CONFIG, "unknown %s %s; docs/reference/config.md lists the keys",
                     kind, key);
}

mpno_status mpno_fields_find(mpno_ctx *ctx, const char *key, const mpno_field *fields, size_t n,
                             const mpno_field **out) {
    *out = find(key, fields, n);
    if (*out) return MPNO_OK;
    MPNO_CHECK(ctx, !is_section(key, fields, n), MPNO_E_CONFIG,
               "%s is a section, not a key; give its keys one by one, as in %s.KEY=VALUE", key,
               key);
    char near[MAX_KEY];
    MPNO_TRY(suggest(ctx, key, fields, n, true, near));
    return fail_unknown(ctx, "key", key, near);
}

/* A key that holds keys of its own is a section, and is more likely a misspelt one than a key. */
static mpno_status find_for(mpno_ctx *ctx, const char *key, const mpno_value *item,
                            const mpno_field *fields, size_t n, const mpno_field **out) {
    char near[MAX_KEY] = "";
    *out = find(key, fields, n);
    if (*out) return MPNO_OK;
    if (item->kind == MPNO_VALUE_MAP) MPNO_TRY(suggest(ctx, key, fields, n, false, near));
    return *near ? fail_unknown(ctx, "section", key, near)
                 : mpno_fields_find(ctx, key, fields, n, out);
}

static mpno_status parse_map(mpno_ctx *ctx, const char *prefix, const mpno_value *map,
                             const mpno_field *fields, size_t n, void *object, int *line) {
    for (size_t i = 0; i < map->n; i++) {
        char key[MAX_KEY];
        int length = snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "", map->keys[i]);
        MPNO_CHECK(ctx, length < MAX_KEY, MPNO_E_CONFIG, "a key is longer than %d bytes", MAX_KEY);
        const mpno_value *item = map->items[i];
        *line = item->line;
        if (is_section(key, fields, n)) {
            if (item->kind == MPNO_VALUE_NULL) continue; /* an empty section */
            char found[96];
            MPNO_CHECK(ctx, item->kind == MPNO_VALUE_MAP, MPNO_E_CONFIG,
                       "%s: expected a section of keys, found %s", key,
                       describe(item, found, sizeof found));
            MPNO_TRY(parse_map(ctx, key, item, fields, n, object, line));
            continue;
        }
        const mpno_field *field = NULL;
        MPNO_TRY(find_for(ctx, key, item, fields, n, &field));
        MPNO_TRY(mpno_field_set(ctx, field, item, object));
    }
    return MPNO_OK;
}

mpno_status mpno_fields_parse(mpno_ctx *ctx, const char *file, const mpno_value *map,
                              const mpno_field *fields, size_t n, void *object) {
    char found[96];
    if (map->kind == MPNO_VALUE_NULL) return MPNO_OK; /* an empty file */
    MPNO_CHECK(ctx, map->kind == MPNO_VALUE_MAP, MPNO_E_CONFIG,
               "%s: expected a map of keys at the top, found %s", file,
               describe(map, found, sizeof found));
    int line = 0;
    mpno_status status = parse_map(ctx, "", map, fields, n, object, &line);
    if (status == MPNO_OK) return status;
    return line > 0 ? mpno_fail_in(ctx, status, "%s:%d", file, line)
                    : mpno_fail_in(ctx, status, "%s", file);
}

static mpno_status list_value(mpno_ctx *ctx, const mpno_field *field, const void *at,
                              mpno_value **out) {
    mpno_value *list = NULL, *item = NULL;
    MPNO_TRY(mpno_value_list(ctx, &list));
    bool ints = field->type == MPNO_FIELD_INTS;
    size_t n = ints ? (size_t)((const mpno_int_list *)at)->n : ((const mpno_text_list *)at)->n;
    for (size_t i = 0; i < n; i++) {
        mpno_status status =
            ints ? mpno_value_int(ctx, ((const mpno_int_list *)at)->v[i], &item)
                 : mpno_value_string(ctx, ((const mpno_text_list *)at)->v[i], &item);
        if (status == MPNO_OK) status = mpno_value_append(ctx, list, item);
        if (status != MPNO_OK) {
            mpno_value_destroy(ctx, &list);
            return status;
        }
    }
    *out = list;
    return MPNO_OK;
}

static mpno_status append_real(mpno_ctx *ctx, mpno_value *list, double v) {
    mpno_value *item;
    MPNO_TRY(mpno_value_real(ctx, v, &item));
    return mpno_value_append(ctx, list, item);
}

static mpno_status fill_row(mpno_ctx *ctx, const double *v, int64_t n, mpno_value *row) {
    for (int64_t i = 0; i < n; i++) MPNO_TRY(append_real(ctx, row, v[i]));
    return MPNO_OK;
}

static mpno_status fill_reals(mpno_ctx *ctx, const mpno_real_list *reals, mpno_value *list) {
    mpno_value *row;
    if (reals->row == 0) return fill_row(ctx, reals->v, reals->n, list);
    for (int64_t i = 0; i < reals->n; i += reals->row) {
        MPNO_TRY(mpno_value_list(ctx, &row));
        const mpno_status status = fill_row(ctx, reals->v + i, reals->row, row);
        if (status != MPNO_OK) {
            mpno_value_destroy(ctx, &row);
            return status;
        }
        MPNO_TRY(mpno_value_append(ctx, list, row));
    }
    return MPNO_OK;
}

static mpno_status reals_value(mpno_ctx *ctx, const mpno_real_list *reals, mpno_value **out) {
    mpno_value *list;
    MPNO_TRY(mpno_value_list(ctx, &list));
    const mpno_status status = fill_reals(ctx, reals, list);
    if (status != MPNO_OK) mpno_value_destroy(ctx, &list);
    *out = list;
    return status;
}

mpno_status mpno_field_value(mpno_ctx *ctx, const mpno_field *field, const void *object,
                             mpno_value **out) {
    const void *at = member_const(field, object);
    char name[64];
    switch (field->type) {
        case MPNO_FIELD_BOOL:
            return mpno_value_bool(ctx, *(const bool *)at, out);
        case MPNO_FIELD_INT:
            if (*(const int64_t *)at == MPNO_UNSET)
                return may_be_auto(field) ? mpno_value_string(ctx, "auto", out)
                                          : mpno_value_null(ctx, out);
            return mpno_value_int(ctx, *(const int64_t *)at, out);
        case MPNO_FIELD_REAL:
            if (isnan(*(const double *)at)) return mpno_value_null(ctx, out);
            return mpno_value_real(ctx, *(const double *)at, out);
        case MPNO_FIELD_TEXT:
            if (!*(char *const *)at) return mpno_value_null(ctx, out);
            return mpno_value_string(ctx, *(char *const *)at, out);
        case MPNO_FIELD_CHOICE:
            return mpno_value_string(
                ctx, mpno_field_choice(field, *(const int *)at, name, sizeof name), out);
        case MPNO_FIELD_INTS:
            if (may_be_null(field) && ((const mpno_int_list *)at)->n == 0) {
                return mpno_value_null(ctx, out);
            }
            return list_value(ctx, field, at, out);
        case MPNO_FIELD_REALS:
            if (may_be_null(field) && ((const mpno_real_list *)at)->n == 0) {
                return mpno_value_null(ctx, out);
            }
            return reals_value(ctx, at, out);
        case MPNO_FIELD_TEXTS:
            return list_value(ctx, field, at, out);
    }
    return mpno_fail(ctx, MPNO_E_ARGUMENT, "%s: a field of unknown type", field->key);
}

/* Puts `value` (taken) at the dotted `key` below `root`, making the sections on the way. */
static mpno_status place(mpno_ctx *ctx, mpno_value *root, const char *key, mpno_value *value) {
    mpno_value *map = root;
    const char *dot;
    while ((dot = strchr(key, '.')) != NULL) {
        char section[MAX_KEY];
        snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
        mpno_value *next = NULL;
        for (size_t i = 0; i < map->n; i++) {
            if (strcmp(map->keys[i], section) == 0) next = map->items[i];
        }
        if (!next) {
            mpno_status status = mpno_value_set_map(ctx, map, section, &next);
            if (status != MPNO_OK) {
                mpno_value_destroy(ctx, &value);
                return status;
            }
        }
        map = next;
        key = dot + 1;
    }
    return mpno_value_set(ctx, map, key, value);
}

mpno_status mpno_fields_dump(mpno_ctx *ctx, const mpno_field *fields, size_t n, const void *object,
                             mpno_value **out) {
    mpno_value *root = NULL;
    *out = NULL;
    MPNO_TRY(mpno_value_map(ctx, &root));
    for (size_t i = 0; i < n; i++) {
        mpno_value *value = NULL;
        mpno_status status = mpno_field_value(ctx, &fields[i], object, &value);
        if (status == MPNO_OK) status = place(ctx, root, fields[i].key, value);
        if (status != MPNO_OK) {
            mpno_value_destroy(ctx, &root);
            return status;
        }
    }
    *out = root;
    return MPNO_OK;
}

void mpno_fields_clear(mpno_ctx *ctx, const mpno_field *fields, size_t n, void *object) {
    for (size_t i = 0; i < n; i++) {
        void *at = member(&fields[i], object);
        if (fields[i].type == MPNO_FIELD_TEXT) {
            mpno_free(ctx, *(char **)at);
            *(char **)at = NULL;
        } else if (fields[i].type == MPNO_FIELD_TEXTS) {
            clear_texts(ctx, at);
        }
    }
}

static mpno_status field_text(mpno_ctx *ctx, const mpno_field *field, const void *object,
                              char **text) {
    mpno_value *value = NULL;
    *text = NULL;
    MPNO_TRY(mpno_field_value(ctx, field, object, &value));
    const mpno_status status = mpno_json_text(ctx, value, false, text);
    mpno_value_destroy(ctx, &value);
    return status;
}

mpno_status mpno_field_compare(mpno_ctx *ctx, const mpno_field *field, const void *a, const void *b,
                               bool *equal, char *text_a, char *text_b, size_t capacity) {
    char *of_a, *of_b = NULL;
    mpno_status status = field_text(ctx, field, a, &of_a);
    if (status == MPNO_OK) status = field_text(ctx, field, b, &of_b);
    if (status == MPNO_OK) {
        *equal = strcmp(of_a, of_b) == 0;
        snprintf(text_a, capacity, "%s", of_a);
        snprintf(text_b, capacity, "%s", of_b);
    }
    mpno_free(ctx, of_a);
    mpno_free(ctx, of_b);
    return status;
}
