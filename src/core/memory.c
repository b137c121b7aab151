/* SPDX-License-Identifier: MIT
 * Allocation. In front of each block stands a header of one alignment unit that remembers the
 * block's size and what malloc gave, so that a free can be counted. Blocks come from malloc and
 * calloc rather than from a pool: the C library maps large ones straight from the system, untouched
 * and already zero. Under AddressSanitizer the header, the slack behind the block and the unused
 * parts of arenas are poisoned, so that a write one byte past any tensor is reported although the
 * blocks are over-aligned. */
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#endif

#if defined(HAVE_ASAN)
#include <sanitizer/asan_interface.h>
enum { RED_ZONE = MPNO_ALIGN }; /* bytes between two allocations of an arena */
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
enum { RED_ZONE = 0 };
#endif

typedef struct block_header {
    void *base;   /* what malloc gave */
    size_t bytes; /* what the caller asked for */
} block_header;

_Static_assert(sizeof(block_header) <= MPNO_ALIGN, "the header fits into one alignment unit");

static block_header *header_of(void *pointer) {
    return (block_header *)((char *)pointer - MPNO_ALIGN);
}

/* Room for the header and for moving the start to the next multiple of MPNO_ALIGN. */
enum { OVERHEAD = 2 * MPNO_ALIGN };

/* Large blocks ask for large pages: a step walks through hundreds of MiB, tile by tile of several
 * fields, and with pages of 4 KiB waits for addresses (ns128-m16: 2 % of a step). Only whole
 * large pages inside of the block are asked for, so that it grows by nothing. */
enum { LARGE_PAGE = 2 << 20, LARGE_BLOCK = 4 * LARGE_PAGE };

static void ask_for_large_pages(char *base, size_t bytes) {
#ifdef MADV_HUGEPAGE
    if (bytes < LARGE_BLOCK) return;
    const size_t skip = (LARGE_PAGE - (uintptr_t)base % LARGE_PAGE) % LARGE_PAGE;
    (void)madvise(base + skip, (bytes - skip) / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
#else
    (void)base, (void)bytes;
#endif
}

static void *block_new(size_t bytes, bool zeroed) {
    if (bytes > PTRDIFF_MAX - OVERHEAD) return NULL;
    size_t total = bytes + OVERHEAD;
    char *base = zeroed ? calloc(1, total) : malloc(total);
    if (base == NULL) return NULL;
    ask_for_large_pages(base, total);
    size_t past = (uintptr_t)base % MPNO_ALIGN;
    char *pointer = base + (MPNO_ALIGN - past) + MPNO_ALIGN;
    *header_of(pointer) = (block_header){base, bytes};
    ASAN_POISON_MEMORY_REGION(pointer - MPNO_ALIGN, MPNO_ALIGN);
    ASAN_POISON_MEMORY_REGION(pointer + bytes, (size_t)(base + total - (pointer + bytes)));
    return pointer;
}

static mpno_status allocate(mpno_ctx *ctx, size_t bytes, bool zeroed, void *out_pointer) {
    void *pointer = NULL;
    bool refuse = ctx != NULL && ctx->fail_after == 0;
    if (!refuse) pointer = block_new(bytes, zeroed);
    memcpy(out_pointer, &pointer, sizeof pointer);
    if (pointer == NULL) {
        return mpno_fail(ctx, MPNO_E_MEMORY,
                         "out of memory: %zu bytes wanted on top of %zu held; use a smaller batch, "
                         "fewer channels or a "
                         "policy with 16-bit storage",
                         bytes, ctx != NULL ? ctx->bytes : 0);
    }
    if (ctx == NULL) return MPNO_OK;
    if (ctx->fail_after > 0) ctx->fail_after--;
    ctx->n_allocs++;
    ctx->bytes += bytes;
    if (ctx->bytes > ctx->peak_bytes) ctx->peak_bytes = ctx->bytes;
    return MPNO_OK;
}

mpno_status mpno_alloc(mpno_ctx *ctx, size_t bytes, void *out_pointer) {
    return allocate(ctx, bytes, true, out_pointer);
}

mpno_status mpno_alloc_raw(mpno_ctx *ctx, size_t bytes, void *out_pointer) {
    return allocate(ctx, bytes, false, out_pointer);
}

mpno_status mpno_alloc_array(mpno_ctx *ctx, size_t count, size_t size, void *out_pointer) {
    if (size != 0 && count > SIZE_MAX / size) {
        void *none = NULL;
        memcpy(out_pointer, &none, sizeof none);
        return mpno_fail(
            ctx, MPNO_E_MEMORY,
            "out of memory: %zu elements of %zu bytes exceed the address space; check the shapes",
            count, size);
    }
    return mpno_alloc(ctx, count * size, out_pointer);
}

mpno_status mpno_realloc_array(mpno_ctx *ctx, void *in_out_pointer, size_t old_count,
                               size_t new_count, size_t size) {
    void *old, *grown;
    memcpy(&old, in_out_pointer, sizeof old);
    MPNO_TRY(mpno_alloc_array(ctx, new_count, size, &grown));
    size_t kept = old_count < new_count ? old_count : new_count;
    if (old != NULL && kept * size != 0) memcpy(grown, old, kept * size);
    mpno_free(ctx, old);
    memcpy(in_out_pointer, &grown, sizeof grown);
    return MPNO_OK;
}

void mpno_free(mpno_ctx *ctx, void *pointer) {
    if (pointer == NULL) return;
    ASAN_UNPOISON_MEMORY_REGION(header_of(pointer), MPNO_ALIGN);
    block_header header = *header_of(pointer);
    if (ctx != NULL) ctx->bytes -= header.bytes;
    free(header.base);
}

mpno_status mpno_strdup(mpno_ctx *ctx, const char *text, char **out) {
    size_t n = strlen(text) + 1;
    MPNO_TRY(mpno_alloc_raw(ctx, n, out));
    memcpy(*out, text, n);
    return MPNO_OK;
}

void mpno_alloc_fail_after(mpno_ctx *ctx, int64_t n) {
    ctx->fail_after = n;
}

/* Two counts: `used` is what callers see and plan with; `position` runs ahead of it by the red
 * zones, for which the memory behind an arena is twice its capacity under AddressSanitizer (each
 * allocation takes one unit at least). */
struct mpno_arena {
    mpno_ctx *ctx;
    char *memory;
    size_t capacity, used;
    size_t position, memory_bytes;
};

static size_t round_up(size_t bytes) {
    return (bytes + (MPNO_ALIGN - 1)) / MPNO_ALIGN * MPNO_ALIGN;
}

mpno_status mpno_arena_create(mpno_ctx *ctx, size_t capacity, mpno_arena **out) {
    *out = NULL;
    MPNO_CHECK(ctx, capacity <= PTRDIFF_MAX / 4, MPNO_E_MEMORY,
               "out of memory: an arena of %zu bytes exceeds the address space; check the shapes",
               capacity);
    mpno_arena *arena;
    MPNO_TRY(mpno_alloc(ctx, sizeof *arena, &arena));
    arena->ctx = ctx;
    arena->capacity = round_up(capacity);
    arena->memory_bytes = RED_ZONE != 0 ? 2 * arena->capacity : arena->capacity;
    mpno_status status = mpno_alloc_raw(ctx, arena->memory_bytes, &arena->memory);
    if (status != MPNO_OK) {
        mpno_free(ctx, arena);
        return status;
    }
    mpno_arena_reset(arena);
    *out = arena;
    return MPNO_OK;
}

mpno_status mpno_arena_alloc(mpno_arena *arena, size_t bytes, void *out_pointer) {
    void *pointer = NULL;
    memcpy(out_pointer, &pointer, sizeof pointer);
    size_t left = arena->capacity - arena->used;
    MPNO_CHECK(arena->ctx, bytes <= left, MPNO_E_MEMORY,
               "arena is full: %zu bytes wanted, %zu of %zu left; the plan that sized it counted "
               "too little",
               bytes, left, arena->capacity);
    size_t taken = round_up(bytes);
    pointer = arena->memory + arena->position;
    ASAN_UNPOISON_MEMORY_REGION(pointer, bytes);
    arena->used += taken;
    arena->position += taken != 0 ? taken + RED_ZONE : 0;
    memcpy(out_pointer, &pointer, sizeof pointer);
    return MPNO_OK;
}

void mpno_arena_reset(mpno_arena *arena) {
    arena->used = 0;
    arena->position = 0;
    ASAN_POISON_MEMORY_REGION(arena->memory, arena->memory_bytes);
}

size_t mpno_arena_used(const mpno_arena *arena) {
    return arena->used;
}
size_t mpno_arena_capacity(const mpno_arena *arena) {
    return arena->capacity;
}

void mpno_arena_destroy(mpno_arena **arena) {
    if (arena == NULL || *arena == NULL) return;
    mpno_ctx *ctx = (*arena)->ctx;
    mpno_free(ctx, (*arena)->memory);
    mpno_free(ctx, *arena);
    *arena = NULL;
}
