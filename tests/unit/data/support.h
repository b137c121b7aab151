/* SPDX-License-Identifier: MIT
 * What the tests of src/data share: whole files in memory and contexts that must end empty. */
#ifndef MPNO_TESTS_UNIT_DATA_SUPPORT_H
#define MPNO_TESTS_UNIT_DATA_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/context.h"

typedef struct blob {
    unsigned char *data;
    size_t size;
} blob;

/* From malloc, so that a sanitizer sees every read past the end. */
static inline blob load(const char *path) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    blob b = {.size = (size_t)ftell(file)};
    rewind(file);
    b.data = malloc(b.size > 0 ? b.size : 1);
    assert_non_null(b.data);
    assert_int_equal(fread(b.data, 1, b.size, file), b.size);
    fclose(file);
    return b;
}

static inline int make_context(void **state) {
    return mpno_ctx_create(NULL, (mpno_ctx **)state) == MPNO_OK ? 0 : -1;
}

/* Fails the test when objects of the context are still alive. */
static inline int end_context(void **state) {
    int leaked = mpno_ctx_bytes(*state) != 0;
    mpno_ctx_destroy((mpno_ctx **)state);
    return leaked ? -1 : 0;
}

/* A status with its sentence when it is not OK. */
#define assert_ok(ctx, expression)                                                    \
    do {                                                                              \
        mpno_status status_ = (expression);                                           \
        if (status_ != MPNO_OK) fail_msg("%s: %s", #expression, mpno_ctx_error(ctx)); \
    } while (0)

#define assert_fails(ctx, expression, code, part)                       \
    do {                                                                \
        assert_int_equal(expression, code);                             \
        if (!strstr(mpno_ctx_error(ctx), part))                         \
            fail_msg("'%s' is not in '%s'", part, mpno_ctx_error(ctx)); \
    } while (0)

#endif
