/* SPDX-License-Identifier: MIT
 * Reference cases of tests/golden in unit tests: index and binary file, arrays by kind and name.
 * Layout: tests/golden/README.md. */
#ifndef MPNO_TESTS_VECTORS_H
#define MPNO_TESTS_VECTORS_H

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

/* f32 array "KIND NAME ..."; *count in numbers. */
static inline const float *vectors_get(const vectors *v, const char *kind, const char *name,
                                       size_t *count) {
    char head[160];
    snprintf(head, sizeof head, "\n%s %s ", kind, name);
    const char *line = strstr(v->index, head);
    assert_non_null(line);
    char type[8];
    size_t offset = 0, bytes = 0;
    assert_int_equal(sscanf(line + strlen(head), "%7s %zu %zu", type, &offset, &bytes), 3);
    *count = bytes / 4;
    return (const float *)(const void *)(v->bytes + offset);
}

static inline double vectors_scalar(const vectors *v, const char *name) {
    char head[160];
    snprintf(head, sizeof head, "\nscalar %s ", name);
    const char *line = strstr(v->index, head);
    assert_non_null(line);
    return strtod(line + strlen(head), NULL);
}

#endif
