/* SPDX-License-Identifier: MIT
 * Allocation: 64-byte aligned, counted per context, able to fail on demand (tests), and arenas.
 * Nothing below `cli` calls malloc directly, so that "no allocation during a step" can be checked.
 */
#ifndef MPNO_CORE_MEMORY_H
#define MPNO_CORE_MEMORY_H

#include <stddef.h>

#include "core/context.h"

#define MPNO_ALIGN 64
/* The next multiple of it: room for `bytes` before something that must be aligned. */
static inline size_t mpno_aligned(size_t bytes) {
    return (bytes + MPNO_ALIGN - 1) / MPNO_ALIGN * MPNO_ALIGN;
}

/* Zeroed. bytes == 0 gives a valid pointer. *out is NULL on failure (MPNO_E_MEMORY, message says
 * how many bytes). */
MPNO_WARN_UNUSED mpno_status mpno_alloc(mpno_ctx *ctx, size_t bytes, void *out_pointer);
/* Same, not zeroed and not touched: pages become resident when they are first used. */
MPNO_WARN_UNUSED mpno_status mpno_alloc_raw(mpno_ctx *ctx, size_t bytes, void *out_pointer);
/* count * size with overflow check; zeroed. */
MPNO_WARN_UNUSED mpno_status mpno_alloc_array(mpno_ctx *ctx, size_t count, size_t size,
                                              void *out_pointer);
/* Grows (or creates, from NULL) an array; new part zeroed; on failure the old array stays valid. */
MPNO_WARN_UNUSED mpno_status mpno_realloc_array(mpno_ctx *ctx, void *in_out_pointer,
                                                size_t old_count, size_t new_count, size_t size);
void mpno_free(mpno_ctx *ctx, void *pointer); /* accepts NULL */
MPNO_WARN_UNUSED mpno_status mpno_strdup(mpno_ctx *ctx, const char *text, char **out);

/* Tests: after n more successful allocations every one fails; n < 0 switches this off. */
void mpno_alloc_fail_after(mpno_ctx *ctx, int64_t n);

/* An arena: one allocation, bump pointer, freed as a whole. Under ASan the gaps are red zones.
 * One thread at a time. */
typedef struct mpno_arena mpno_arena;
MPNO_WARN_UNUSED mpno_status mpno_arena_create(mpno_ctx *ctx, size_t capacity, mpno_arena **out);
MPNO_WARN_UNUSED mpno_status mpno_arena_alloc(mpno_arena *arena, size_t bytes,
                                              void *out_pointer); /* not zeroed */
void mpno_arena_reset(mpno_arena *arena);
size_t mpno_arena_used(const mpno_arena *arena);
size_t mpno_arena_capacity(const mpno_arena *arena);
void mpno_arena_destroy(mpno_arena **arena);

#endif
