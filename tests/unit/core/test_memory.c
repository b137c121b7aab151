/* SPDX-License-Identifier: MIT
 * Allocation: alignment, zeroing, counting, failure on demand, untouched pages, arenas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#if defined(HAVE_ASAN)
#include <sanitizer/asan_interface.h>
#endif

static int open_context(void **state) {
    return mpno_ctx_create(NULL, (mpno_ctx **)state);
}

/* Every test gives back what it took. */
static int close_context(void **state) {
    mpno_ctx *ctx = *state;
    size_t held = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return held == 0 ? 0 : -1;
}

static void blocks_are_aligned_and_zeroed(void **state) {
    mpno_ctx *ctx = *state;
    const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 100000, 5000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int repeat = 0; repeat < 3; repeat++) {
            unsigned char *p;
            assert_int_equal(mpno_alloc(ctx, sizes[i], &p), MPNO_OK);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % MPNO_ALIGN, 0);
            for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(p[k], 0);
            if (sizes[i] > 0) memset(p, 0xff, sizes[i]); /* the next round must clean this */
            mpno_free(ctx, p);
        }
    }
    mpno_free(ctx, NULL);
}

static void bytes_and_peak_are_counted(void **state) {
    mpno_ctx *ctx = *state;
    void *a, *b;
    assert_int_equal(mpno_alloc(ctx, 1000, &a), MPNO_OK);
    assert_int_equal(mpno_alloc_raw(ctx, 500, &b), MPNO_OK);
    assert_int_equal(mpno_ctx_bytes(ctx), 1500);
    mpno_free(ctx, a);
    assert_int_equal(mpno_ctx_bytes(ctx), 500);
    assert_int_equal(mpno_ctx_peak_bytes(ctx), 1500);
    mpno_free(ctx, b);
    assert_int_equal(ctx->n_allocs, 2);
}

static void impossible_sizes_fail(void **state) {
    mpno_ctx *ctx = *state;
    void *p = &ctx;
    assert_int_equal(mpno_alloc(ctx, SIZE_MAX, &p), MPNO_E_MEMORY);
    assert_null(p);
    p = &ctx;
    assert_int_equal(mpno_alloc_raw(ctx, SIZE_MAX - 64, &p), MPNO_E_MEMORY);
    assert_null(p);
    p = &ctx;
    assert_int_equal(mpno_alloc_array(ctx, SIZE_MAX / 8 + 2, 8, &p), MPNO_E_MEMORY);
    assert_null(p);
    assert_non_null(strstr(mpno_ctx_error(ctx), "8 bytes"));
    mpno_arena *arena;
    assert_int_equal(mpno_arena_create(ctx, SIZE_MAX - 3, &arena), MPNO_E_MEMORY);
    assert_null(arena);
}

static void arrays_grow_and_keep(void **state) {
    mpno_ctx *ctx = *state;
    int *values = NULL;
    assert_int_equal(mpno_realloc_array(ctx, &values, 0, 4, sizeof *values), MPNO_OK);
    for (int i = 0; i < 4; i++) values[i] = i + 1;
    assert_int_equal(mpno_realloc_array(ctx, &values, 4, 100, sizeof *values), MPNO_OK);
    for (int i = 0; i < 100; i++) assert_int_equal(values[i], i < 4 ? i + 1 : 0);
    int *before = values;
    mpno_alloc_fail_after(ctx, 0);
    assert_int_equal(mpno_realloc_array(ctx, &values, 100, 200, sizeof *values), MPNO_E_MEMORY);
    mpno_alloc_fail_after(ctx, -1);
    assert_ptr_equal(values, before);
    assert_int_equal(values[3], 4);
    assert_int_equal(mpno_realloc_array(ctx, &values, 100, 2, sizeof *values), MPNO_OK);
    assert_int_equal(values[1], 2);
    assert_int_equal(mpno_ctx_bytes(ctx), 2 * sizeof *values);
    mpno_free(ctx, values);
}

static void failures_come_on_demand(void **state) {
    mpno_ctx *ctx = *state;
    void *a, *b, *c;
    mpno_alloc_fail_after(ctx, 2);
    assert_int_equal(mpno_alloc(ctx, 8, &a), MPNO_OK);
    assert_int_equal(mpno_alloc(ctx, 8, &b), MPNO_OK);
    assert_int_equal(mpno_alloc(ctx, 123456, &c), MPNO_E_MEMORY);
    assert_null(c);
    assert_non_null(strstr(mpno_ctx_error(ctx), "123456"));
    assert_int_equal(mpno_alloc(ctx, 8, &c), MPNO_E_MEMORY);
    mpno_alloc_fail_after(ctx, -1);
    assert_int_equal(mpno_alloc(ctx, 8, &c), MPNO_OK);
    mpno_free(ctx, a);
    mpno_free(ctx, b);
    mpno_free(ctx, c);
    char *text;
    assert_int_equal(mpno_strdup(ctx, "spectrum", &text), MPNO_OK);
    assert_string_equal(text, "spectrum");
    mpno_free(ctx, text);
}

static size_t resident_pages(void *p, size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char residency[4096];
    char *start = (char *)p + (page - (uintptr_t)p % page) % page;
    size_t pages = bytes / page - 1, resident = 0;
    assert_true(pages <= sizeof residency);
    assert_int_equal(mincore(start, pages * page, residency), 0);
    for (size_t i = 0; i < pages; i++) resident += residency[i] & 1;
    return resident;
}

static void large_blocks_stay_untouched(void **state) {
    mpno_ctx *ctx = *state;
    const size_t bytes = (size_t)8 << 20;
    char *raw, *zeroed;
    assert_int_equal(mpno_alloc_raw(ctx, bytes, &raw), MPNO_OK);
    assert_true(resident_pages(raw, bytes) < 64);
    memset(raw, 1, bytes);
    assert_true(resident_pages(raw, bytes) > 64); /* the instrument works */
    assert_int_equal(mpno_alloc(ctx, 2 * bytes - 8192, &zeroed), MPNO_OK);
#if !defined(HAVE_ASAN) /* its calloc may touch */
    assert_true(resident_pages(zeroed, bytes) < 64);
#endif
    mpno_free(ctx, raw);
    mpno_free(ctx, zeroed);
}

static void arena_gives_what_it_holds(void **state) {
    mpno_ctx *ctx = *state;
    mpno_arena *arena;
    assert_int_equal(mpno_arena_create(ctx, 64 * 10 - 5, &arena), MPNO_OK);
    assert_int_equal(mpno_arena_capacity(arena), 640);
    char *p[10];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 10; i++) {
            assert_int_equal(mpno_arena_alloc(arena, (size_t)(64 - i), &p[i]), MPNO_OK);
            assert_int_equal((uintptr_t)p[i] % MPNO_ALIGN, 0);
            memset(p[i], i, (size_t)(64 - i));
        }
        for (int i = 0; i < 10; i++) assert_int_equal(p[i][63 - i], i);
        assert_int_equal(mpno_arena_used(arena), 640);
        void *more = &arena;
        assert_int_equal(mpno_arena_alloc(arena, 1, &more), MPNO_E_MEMORY);
        assert_null(more);
        assert_int_equal(mpno_arena_alloc(arena, 0, &more), MPNO_OK);
        assert_non_null(more);
        mpno_arena_reset(arena);
        assert_int_equal(mpno_arena_used(arena), 0);
    }
    assert_int_equal(mpno_arena_alloc(arena, SIZE_MAX, &p[0]), MPNO_E_MEMORY);
    mpno_arena_destroy(&arena);
    assert_null(arena);
    mpno_arena_destroy(&arena);
    for (int n = 0; n < 2; n++) {
        mpno_alloc_fail_after(ctx, n);
        assert_int_equal(mpno_arena_create(ctx, 100, &arena), MPNO_E_MEMORY);
        assert_null(arena);
    }
    mpno_alloc_fail_after(ctx, -1);
}

static void sanitizer_sees_the_ends(void **state) {
#if defined(HAVE_ASAN)
    mpno_ctx *ctx = *state;
    for (size_t bytes = 1; bytes < 200; bytes++) {
        char *p;
        assert_int_equal(mpno_alloc_raw(ctx, bytes, &p), MPNO_OK);
        assert_true(__asan_address_is_poisoned(p - 1));
        assert_false(__asan_address_is_poisoned(p));
        assert_false(__asan_address_is_poisoned(p + bytes - 1));
        assert_true(__asan_address_is_poisoned(p + bytes));
        mpno_free(ctx, p);
        assert_true(__asan_address_is_poisoned(p));
    }
    mpno_arena *arena;
    char *a, *b;
    assert_int_equal(mpno_arena_create(ctx, 256, &arena), MPNO_OK);
    assert_int_equal(mpno_arena_alloc(arena, 64, &a), MPNO_OK);
    assert_int_equal(mpno_arena_alloc(arena, 10, &b), MPNO_OK);
    assert_true(__asan_address_is_poisoned(a + 64));
    assert_true(__asan_address_is_poisoned(b - 1));
    assert_true(__asan_address_is_poisoned(b + 10));
    mpno_arena_reset(arena);
    assert_true(__asan_address_is_poisoned(a));
    mpno_arena_destroy(&arena);
#else
    (void)state;
    skip();
#endif
}

#define WITH_CONTEXT(test) cmocka_unit_test_setup_teardown(test, open_context, close_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_CONTEXT(blocks_are_aligned_and_zeroed), WITH_CONTEXT(bytes_and_peak_are_counted),
        WITH_CONTEXT(impossible_sizes_fail),         WITH_CONTEXT(arrays_grow_and_keep),
        WITH_CONTEXT(failures_come_on_demand),       WITH_CONTEXT(large_blocks_stay_untouched),
        WITH_CONTEXT(arena_gives_what_it_holds),     WITH_CONTEXT(sanitizer_sees_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
