/* SPDX-License-Identifier: MIT
 * A struct described by a table, filled from a map and written back to one. A row says where a
 * key's value lives in the struct, of what type it is, its default (as YAML text, so that a default
 * takes the same road as what a user writes) and what it may be. Unknown keys, wrong types and
 * values out of range are E_CONFIG with what was found, what was expected and the nearest known
 * name. */
#ifndef MPNO_CORE_FIELDS_H
#define MPNO_CORE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/value.h"

#define MPNO_UNSET \
    INT64_MIN /* an integer that was left null; a real is NaN, text NULL, a list empty */
#define MPNO_MAX_INTS 8

typedef struct mpno_int_list {
    int64_t n;
    int64_t v[MPNO_MAX_INTS];
} mpno_int_list;

/* Numbers, or rows of them: row is the length of each row, 0 when the list is flat. */
#define MPNO_MAX_REALS 256
typedef struct mpno_real_list {
    int64_t n, row;
    double v[MPNO_MAX_REALS];
} mpno_real_list;

typedef struct mpno_text_list {
    size_t n;
    char **v; /* owned, like its texts */
} mpno_text_list;

typedef enum mpno_field_type {
    MPNO_FIELD_BOOL,   /* bool */
    MPNO_FIELD_INT,    /* int64_t; domain "[1,inf)": brackets include the end, parentheses do not */
    MPNO_FIELD_REAL,   /* double; domain as above */
    MPNO_FIELD_TEXT,   /* char *, owned */
    MPNO_FIELD_CHOICE, /* int, the position in the domain "none|grid", in capitals or not; null
                          stands for "none" (or "dense") where that is a choice */
    MPNO_FIELD_INTS,   /* mpno_int_list; the domain is that of every entry */
    MPNO_FIELD_REALS,  /* mpno_real_list; one number stands for a list of one */
    MPNO_FIELD_TEXTS   /* mpno_text_list; one text stands for a list of one */
} mpno_field_type;

typedef struct mpno_field {
    const char *key; /* "opt.learning_rate": section by section */
    mpno_field_type type;
    size_t offset;
    const char *initial; /* "null": may be left unset */
    const char *domain;  /* "" or NULL: anything of the type */
    const char *help;
} mpno_field;

/* Sets every field to its default. The object is taken as raw memory: clear it first if it held
 * anything. */
MPNO_WARN_UNUSED mpno_status mpno_fields_default(mpno_ctx *ctx, const mpno_field *fields, size_t n,
                                                 void *object);
/* Fields named in `map` (nested, "opt: {learning_rate: 1}") replace those of the object; `file` is
 * for messages. */
MPNO_WARN_UNUSED mpno_status mpno_fields_parse(mpno_ctx *ctx, const char *file,
                                               const mpno_value *map, const mpno_field *fields,
                                               size_t n, void *object);
/* The row of `key`, or E_CONFIG with the nearest name. */
MPNO_WARN_UNUSED mpno_status mpno_fields_find(mpno_ctx *ctx, const char *key,
                                              const mpno_field *fields, size_t n,
                                              const mpno_field **out);
MPNO_WARN_UNUSED mpno_status mpno_field_set(mpno_ctx *ctx, const mpno_field *field,
                                            const mpno_value *value, void *object);
/* From a command line: "1e-3", "[8, 8]", "null". Text and choices are taken as they stand. */
MPNO_WARN_UNUSED mpno_status mpno_field_set_text(mpno_ctx *ctx, const mpno_field *field,
                                                 const char *text, void *object);
/* One field as a value, and all as a nested map in the order of the table; parsing it back gives an
 * equal object. */
MPNO_WARN_UNUSED mpno_status mpno_field_value(mpno_ctx *ctx, const mpno_field *field,
                                              const void *object, mpno_value **out);
/* Whether field of a and b is the same, and both as JSON text (capacity bytes each, cut when
 * longer). */
MPNO_WARN_UNUSED mpno_status mpno_field_compare(mpno_ctx *ctx, const mpno_field *field,
                                                const void *a, const void *b, bool *equal,
                                                char *text_a, char *text_b, size_t capacity);
MPNO_WARN_UNUSED mpno_status mpno_fields_dump(mpno_ctx *ctx, const mpno_field *fields, size_t n,
                                              const void *object, mpno_value **out);
/* Name of choice `index` of the field, copied into out. */
const char *mpno_field_choice(const mpno_field *field, int index, char *out, size_t capacity);
/* Frees what the fields own and leaves them null. */
void mpno_fields_clear(mpno_ctx *ctx, const mpno_field *fields, size_t n, void *object);

#endif
