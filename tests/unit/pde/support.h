/* SPDX-License-Identifier: MIT
 * What the tests of src/pde share: one context for all tests of a program, which must end empty. */
#ifndef MPNO_TESTS_UNIT_PDE_SUPPORT_H
#define MPNO_TESTS_UNIT_PDE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/context.h"

static mpno_ctx *ctx;

static inline int set_up(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static inline int tear_down(void **state) {
    (void)state;
    const size_t left = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return left == 0 ? 0 : -1;
}

#endif
