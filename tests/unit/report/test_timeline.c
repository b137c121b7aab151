/* SPDX-License-Identifier: MIT
 * Plans of memory drawn: what is told of a small one whose answers are known, at every width, and
 * names that would break a document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "report/timeline.h"

enum { MIB = 1 << 20 };

static const mpno_moment steps[] = {{"lifting", "linear", false, 1e-3, 3 * MIB},
                                    {"block 0", "gelu", false, 2e-3, 5 * MIB},
                                    {"<loss> & \"more\"", "loss", true, 4e-3, 5 * MIB + 64},
                                    {"block 0", "gelu_grad", true, 1e-3, 2 * MIB}};
/* "second" takes the place of "first" at step 1, where both live. */
static const mpno_block blocks[] = {
    {"lifting: kept", "f32", MPNO_BLOCK_KEPT, 2 * MIB, 0, 0, 3},
    {"lifting: first", "f16", MPNO_BLOCK_PASSING, MIB, 2 * MIB, 0, 1},
    {"block 0: second", "f16", MPNO_BLOCK_PASSING, MIB, 2 * MIB, 1, 2},
    {"block 0: d(<x> & y)", "f32", MPNO_BLOCK_GRADIENT, 2 * MIB, 3 * MIB, 1, 2},
    {"loss: scratch", NULL, MPNO_BLOCK_SCRATCH, 64, 5 * MIB, 2, 2}};
static const mpno_timeline timeline = {
    "activations of 3 samples", steps, 4, blocks, 5, 5 * MIB + 64, 5 * MIB + 64};

static void numbers(void **state) {
    (void)state;
    assert_int_equal(mpno_timeline_peak(&timeline), 2);
    assert_int_equal(mpno_timeline_bytes(&timeline, 0, MPNO_BLOCK_PASSING), MIB);
    assert_int_equal(mpno_timeline_bytes(&timeline, 1, MPNO_BLOCK_PASSING), MIB);
    assert_int_equal(mpno_timeline_bytes(&timeline, 3, MPNO_BLOCK_PASSING), 0);
    assert_int_equal(mpno_timeline_bytes(&timeline, 2, MPNO_BLOCK_SCRATCH), 64);
    assert_int_equal(mpno_timeline_bytes(&timeline, 2, MPNO_BLOCK_KEPT), 2 * MIB);
    const mpno_timeline empty = {"nothing", NULL, 0, NULL, 0, 0, 0};
    assert_int_equal(mpno_timeline_peak(&empty), -1);
}

static mpno_text drawn(mpno_ctx *ctx, const mpno_timeline *t, int columns) {
    mpno_text text = {.ctx = ctx};
    assert_int_equal(
        columns > 0 ? mpno_timeline_text(t, columns, &text) : mpno_timeline_svg(t, &text), MPNO_OK);
    assert_non_null(text.data);
    return text;
}

/* Of 80 columns 28 are the bar's: 2, 1 and 2 of 5 MiB are 11, 6 and 11 of them. */
static void text_tells_the_peak(void **state) {
    mpno_text text = drawn(*state, &timeline, 80);
    assert_non_null(strstr(text.data, "activations of 3 samples: 5.00 MiB"));
    assert_non_null(strstr(text.data,
                           "\n   2 > block 0              2.00 ms  5.00 MiB "
                           "###########======+++++++++++\n"));
    assert_non_null(strstr(text.data, "+++ peak\n"));
    const char *peak = strstr(text.data, "at step 3, is made by\n");
    assert_non_null(peak);
    assert_non_null(strstr(peak, "2.00 MiB  f32   block 0: d(<x> & y)"));
    assert_non_null(strstr(peak, "steps 2 to 3\n"));
    assert_non_null(strstr(peak, "64 B        loss: scratch"));
    assert_non_null(strstr(peak, "step 3\n"));
    assert_null(strstr(peak, "lifting: first"));
    mpno_text_discard(&text);
}

static void every_width_fits(void **state) {
    for (int columns = 20; columns < 220; columns++) {
        mpno_text text = drawn(*state, &timeline, columns);
        const char *line = strstr(text.data, "\n   1 >");
        assert_non_null(line);
        for (int i = 0; i < 4; i++) {
            const size_t n = strcspn(++line, "\n");
            assert_true(n <= (size_t)(columns < 72 ? 72 : columns));
            line += n;
        }
        assert_true((strstr(text.data, "gelu_grad") != NULL) == (columns >= 110));
        mpno_text_discard(&text);
    }
}

static void svg_is_a_document(void **state) {
    mpno_text text = drawn(*state, &timeline, 0);
    assert_true(strncmp(text.data, "<svg ", 5) == 0);
    assert_string_equal(text.data + text.size - 7, "</svg>\n");
    assert_non_null(strstr(text.data, "block 0: d(&lt;x&gt; &amp; y), 2.00 MiB f32, steps 2 to 3"));
    assert_null(strstr(text.data, "<x>"));
    assert_null(strstr(text.data, "<loss>"));
    assert_non_null(strstr(text.data, "peak 5.00 MiB, step 3"));
    assert_null(strstr(text.data, "nan"));
    mpno_text_discard(&text);
    const mpno_timeline empty = {"nothing", NULL, 0, NULL, 0, 0, 0};
    text = drawn(*state, &empty, 0);
    assert_null(strstr(text.data, "nan"));
    mpno_text_discard(&text);
    text = drawn(*state, &empty, 80);
    mpno_text_discard(&text);
}

static int set_up(void **state) {
    return mpno_ctx_create(NULL, (mpno_ctx **)state) != MPNO_OK;
}

static int tear_down(void **state) {
    mpno_ctx *ctx = *state;
    const size_t left = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return left != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(text_tells_the_peak),
        cmocka_unit_test(every_width_fits),
        cmocka_unit_test(svg_is_a_document),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
