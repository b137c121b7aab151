/* SPDX-License-Identifier: MIT
 * Reference cases of tests/golden in unit tests: index and binary file, arrays by kind and name.
 * Layout: tests/golden/README.md. */
#ifndef MPNO_TESTS_VECTORS_H
#define MPNO_TESTS_VECTORS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct vectors {
    char index[16384];
    char *bytes; /* owned: free */
} vectors;

/* stem: path without ".txt" and ".bin" */
static inline void vectors_open(const char *stem, vectors *v) {
    char path[256];
    snprintf(path, sizeof path, "%s.txt", stem);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(v->index, 1, sizeof v->index - 1, file);
    v->index[n] = '\0';
    (void)fclose(file);
    snprintf(path, sizeof path, "%s.bin", stem);
    file = fopen(path, "rb");
    assert_non_null(file);
    v->bytes = malloc(1 << 20);
    assert_non_null(v->bytes);
    assert_true(fread(v->bytes, 1, 1 << 20, file) > 0);
    (void)fclose(file);
}

/* Array "KIND NAME ..."; *bytes is its size. */
static inline const void *vectors_find(const vectors *v, const char *kind, const char *name,
                                       size_t *bytes) {
    char head[160];
    snprintf(head, sizeof head, "\n%s %s ", kind, name);
    const char *line = strstr(v->index, head);
    assert_non_null(line);
    char type[8];
    size_t offset = 0;
    assert_int_equal(sscanf(line + strlen(head), "%7s %zu %zu", type, &offset, bytes), 3);
    return v->bytes + offset;
}

/* f32 array; *count in numbers. */
static inline const float *vectors_get(const vectors *v, const char *kind, const char *name,
                                       size_t *count) {
    const float *values = vectors_find(v, kind, name, count);
    *count /= sizeof *values;
    return values;
}

/* f64 array, complex numbers as two; *count in numbers. */
static inline const double *vectors_get_f64(const vectors *v, const char *kind, const char *name,
                                            size_t *count) {
    const double *values = vectors_find(v, kind, name, count);
    *count /= sizeof *values;
    return values;
}

/* The next line "case NAME KEYS" after *at (NULL: the first); false at the end. */
static inline bool vectors_next_case(const vectors *v, const char **at, char name[64],
                                     char keys[512]) {
    *at = strstr(*at ? *at + 1 : v->index, "\ncase ");
    if (!*at) return false;
    assert_int_equal(sscanf(*at, "\ncase %63s %511[^\n]", name, keys), 2);
    return true;
}

static inline double vectors_scalar(const vectors *v, const char *name) {
    char head[160];
    snprintf(head, sizeof head, "\nscalar %s ", name);
    const char *line = strstr(v->index, head);
    assert_non_null(line);
    return strtod(line + strlen(head), NULL);
}

#endif
