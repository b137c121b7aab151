/* SPDX-License-Identifier: MIT
 * A tree of null, bool, integer, real, string, list and map (ordered): what YAML and JSON texts
 * become. Strict: duplicate keys, non-finite JSON numbers, anchors, tags and trailing text are
 * errors with line and column. */
#ifndef MPNO_CORE_VALUE_H
#define MPNO_CORE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/context.h"

typedef enum mpno_value_kind {
    MPNO_VALUE_NULL,
    MPNO_VALUE_BOOL,
    MPNO_VALUE_INT,
    MPNO_VALUE_REAL,
    MPNO_VALUE_STRING,
    MPNO_VALUE_LIST,
    MPNO_VALUE_MAP
} mpno_value_kind;

typedef struct mpno_value mpno_value;
struct mpno_value {
    mpno_value_kind kind;
    int line; /* where it stood in its text, 0 when built by code */
    bool boolean;
    int64_t integer;
    double real;        /* set for INT too */
    char *string;       /* owned */
    size_t n, capacity; /* LIST and MAP */
    char **keys;        /* MAP: owned */
    mpno_value **items; /* owned */
};

MPNO_WARN_UNUSED mpno_status mpno_value_null(mpno_ctx *ctx, mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_value_bool(mpno_ctx *ctx, bool v, mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_value_int(mpno_ctx *ctx, int64_t v, mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_value_real(mpno_ctx *ctx, double v, mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_value_string(mpno_ctx *ctx, const char *v, mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_value_list(mpno_ctx *ctx, mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_value_map(mpno_ctx *ctx, mpno_value **out);
void mpno_value_destroy(mpno_ctx *ctx, mpno_value **value);
MPNO_WARN_UNUSED mpno_status mpno_value_clone(mpno_ctx *ctx, const mpno_value *value,
                                              mpno_value **out);

/* takes `item` (even on error). Replaces an existing key. */
MPNO_WARN_UNUSED mpno_status mpno_value_set(mpno_ctx *ctx, mpno_value *map, const char *key,
                                            mpno_value *item);
MPNO_WARN_UNUSED mpno_status mpno_value_append(mpno_ctx *ctx, mpno_value *list, mpno_value *item);
/* Shorthands to build reports: map[key] = v. */
MPNO_WARN_UNUSED mpno_status mpno_value_set_int(mpno_ctx *ctx, mpno_value *map, const char *key,
                                                int64_t v);
MPNO_WARN_UNUSED mpno_status mpno_value_set_real(mpno_ctx *ctx, mpno_value *map, const char *key,
                                                 double v);
MPNO_WARN_UNUSED mpno_status mpno_value_set_bool(mpno_ctx *ctx, mpno_value *map, const char *key,
                                                 bool v);
MPNO_WARN_UNUSED mpno_status mpno_value_set_string(mpno_ctx *ctx, mpno_value *map, const char *key,
                                                   const char *v);
/* v, or null where it is NULL. */
MPNO_WARN_UNUSED mpno_status mpno_value_set_text(mpno_ctx *ctx, mpno_value *map, const char *key,
                                                 const char *v);
/* map[key] = {} (or []) and gives it, borrowed from the map. */
MPNO_WARN_UNUSED mpno_status mpno_value_set_map(mpno_ctx *ctx, mpno_value *map, const char *key,
                                                mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_value_set_list(mpno_ctx *ctx, mpno_value *map, const char *key,
                                                 mpno_value **out);
/* list[n] = {} and gives it, likewise. */
MPNO_WARN_UNUSED mpno_status mpno_value_append_map(mpno_ctx *ctx, mpno_value *list,
                                                   mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_value_append_int(mpno_ctx *ctx, mpno_value *list, int64_t v);
MPNO_WARN_UNUSED mpno_status mpno_value_append_real(mpno_ctx *ctx, mpno_value *list, double v);
const mpno_value *mpno_value_get(const mpno_value *map,
                                 const char *key); /* NULL: no such key or not a map */
/* map[key] where it is a string (else `otherwise`) or a number (else NAN). */
const char *mpno_value_get_string(const mpno_value *map, const char *key, const char *otherwise);
double mpno_value_get_real(const mpno_value *map, const char *key);

/* `name` is the file name used in messages. */
MPNO_WARN_UNUSED mpno_status mpno_yaml_parse(mpno_ctx *ctx, const char *name, const char *text,
                                             size_t n, mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_json_parse(mpno_ctx *ctx, const char *name, const char *text,
                                             size_t n, mpno_value **out);
/* The same of a file. */
MPNO_WARN_UNUSED mpno_status mpno_yaml_read(mpno_ctx *ctx, const char *path, mpno_value **out);
MPNO_WARN_UNUSED mpno_status mpno_json_read(mpno_ctx *ctx, const char *path, mpno_value **out);
/* *out is owned by the caller (mpno_free). JSON: one line when `pretty` is false; reals with 17
 * digits or fewer that round-trip; non-finite reals become null. YAML: block style, lists of
 * scalars on one line, parses back to an equal tree. */
MPNO_WARN_UNUSED mpno_status mpno_json_text(mpno_ctx *ctx, const mpno_value *value, bool pretty,
                                            char **out);
MPNO_WARN_UNUSED mpno_status mpno_yaml_text(mpno_ctx *ctx, const mpno_value *value, char **out);
/* The pretty text as a file, written atomically. */
MPNO_WARN_UNUSED mpno_status mpno_json_write(mpno_ctx *ctx, const char *path,
                                             const mpno_value *value);
/* A scalar or [a, b] / {a: b} flow text as on a command line ("1e-3", "[8, 8]", "true", "gelu") to
 * a value. */
MPNO_WARN_UNUSED mpno_status mpno_value_from_text(mpno_ctx *ctx, const char *text,
                                                  mpno_value **out);

/* Edit distance (insert, delete, replace, swap of neighbours) and the nearest of n names within
 * distance max(2, len/3); NULL: none. */
const char *mpno_nearest_name(const char *name, const char *const *names, size_t n);

#endif
