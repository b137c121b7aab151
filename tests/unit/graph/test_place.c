/* SPDX-License-Identifier: MIT
 * Placement in an arena: hand-made problems whose best answer is known, and random ones that are
 * painted byte by byte and step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "graph/place.h"

static mpno_ctx *ctx;

static int set_up(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx) != MPNO_OK;
}

static int tear_down(void **state) {
    (void)state;
    const size_t left = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return left != 0;
}

static size_t aligned(size_t bytes) {
    return (bytes + MPNO_ALIGN - 1) / MPNO_ALIGN * MPNO_ALIGN;
}

enum { MAX_ITEMS = 80, MAX_STEPS = 40 };

/* The largest sum over the items alive at a step, step by step. */
static size_t live_most(const mpno_place_item *items, int n) {
    size_t most = 0;
    for (int step = 0; step < MAX_STEPS; step++) {
        size_t alive = 0;
        for (int i = 0; i < n; i++)
            if (items[i].first <= step && step <= items[i].last) alive += aligned(items[i].bytes);
        if (alive > most) most = alive;
    }
    return most;
}

/* Paints every live item into a picture of the arena, one cell per aligned unit, at each step. */
static void check_no_overlap(const mpno_place_item *items, int n, size_t total) {
    const size_t cells = total / MPNO_ALIGN + 1;
    unsigned char *picture = malloc(cells);
    assert_non_null(picture);
    for (int step = 0; step < MAX_STEPS; step++) {
        memset(picture, 0, cells);
        for (int i = 0; i < n; i++) {
            if (step < items[i].first || items[i].last < step) continue;
            assert_int_equal(items[i].offset % MPNO_ALIGN, 0);
            assert_true(items[i].offset + items[i].bytes <= total);
            const size_t begin = items[i].offset / MPNO_ALIGN;
            for (size_t c = begin; c < begin + aligned(items[i].bytes) / MPNO_ALIGN; c++) {
                assert_int_equal(picture[c], 0);
                picture[c] = 1;
            }
        }
    }
    free(picture);
}

static void random_problems(void **state) {
    (void)state;
    mpno_rng rng = mpno_rng_make(7, MPNO_STREAM_TEST, 0);
    double sum_total = 0, sum_lower = 0;
    for (int problem = 0; problem < 300; problem++) {
        mpno_place_item items[MAX_ITEMS], again[MAX_ITEMS];
        const int n = 1 + (int)mpno_rng_below(&rng, MAX_ITEMS);
        const uint64_t longest = 1 + mpno_rng_below(&rng, MAX_STEPS);
        for (int i = 0; i < n; i++) {
            items[i].first = (int)mpno_rng_below(&rng, MAX_STEPS);
            items[i].last = items[i].first + (int)mpno_rng_below(&rng, longest);
            if (items[i].last >= MAX_STEPS) items[i].last = MAX_STEPS - 1;
            items[i].bytes = mpno_rng_below(&rng, 4) == 0
                                 ? mpno_rng_below(&rng, 65) /* also nothing, 63, 64 */
                                 : 1 + mpno_rng_below(&rng, 5000);
            items[i].offset = 99;
            again[i] = items[i];
        }
        size_t total, lower, total_again, lower_again;
        assert_int_equal(mpno_place(ctx, items, n, &total, &lower), MPNO_OK);
        assert_int_equal(lower, live_most(items, n));
        assert_true(total >= lower);
        check_no_overlap(items, n, total);
        assert_int_equal(mpno_place(ctx, again, n, &total_again, &lower_again), MPNO_OK);
        assert_int_equal(total_again, total);
        assert_int_equal(lower_again, lower);
        for (int i = 0; i < n; i++) assert_int_equal(again[i].offset, items[i].offset);
        sum_total += (double)total;
        sum_lower += (double)lower;
    }
    /* A placement that never reuses a gap, or that sorts the wrong way round, wastes far more. */
    assert_true(sum_total <= 1.10 * sum_lower);
}

static void known_answers(void **state) {
    (void)state;
    size_t total, lower;
    /* Two that never meet share; the third is beside both. */
    mpno_place_item share[] = {{1000, 0, 3, 0}, {1000, 4, 9, 0}, {64, 0, 9, 0}};
    assert_int_equal(mpno_place(ctx, share, 3, &total, &lower), MPNO_OK);
    assert_int_equal(total, 1024 + 64);
    assert_int_equal(lower, 1024 + 64);
    /* Touching at one step is meeting: both ends of an interval count. */
    mpno_place_item touch[] = {{640, 0, 4, 0}, {640, 4, 9, 0}};
    assert_int_equal(mpno_place(ctx, touch, 2, &total, &lower), MPNO_OK);
    assert_int_equal(total, 1280);
    assert_int_equal(lower, 1280);
    /* A gap of exactly the right size between two that stay is filled. */
    mpno_place_item gap[] = {{512, 0, 9, 0}, {256, 0, 4, 0}, {128, 0, 9, 0}, {256, 5, 9, 0}};
    assert_int_equal(mpno_place(ctx, gap, 4, &total, &lower), MPNO_OK);
    assert_int_equal(total, 512 + 256 + 128);
    /* Nothing to place. */
    assert_int_equal(mpno_place(ctx, gap, 0, &total, &lower), MPNO_OK);
    assert_int_equal(total, 0);
    assert_int_equal(lower, 0);
}

static void failing_allocation(void **state) {
    (void)state;
    mpno_place_item item = {100, 0, 1, 0};
    size_t total, lower;
    mpno_alloc_fail_after(ctx, 0);
    assert_int_equal(mpno_place(ctx, &item, 1, &total, &lower), MPNO_E_MEMORY);
    mpno_alloc_fail_after(ctx, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_problems, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failing_allocation, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
