/* SPDX-License-Identifier: MIT
 * Animations: libpng reads the first frame, the boxes of the others hold what changed, numbers run
 * on without a gap; sizes and counts that do not fit are refused, memory may fail anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "core/checksum.h"
#include "core/memory.h"
#include "report/apng.h"

static mpno_ctx *ctx;
static mpno_canvas frames[3];

static int set_up(void **state) {
    (void)state;
    if (mpno_ctx_create(NULL, &ctx) != MPNO_OK) return -1;
    for (int k = 0; k < 3; k++) {
        if (mpno_canvas_create(ctx, 40, 30, &frames[k]) != MPNO_OK) return -1;
        mpno_canvas_fill(&frames[k], 5, 6, 20, 10, (mpno_rgb){10, 20, 200});
    }
    mpno_canvas_fill(&frames[1], 7, 8, 3, 2, (mpno_rgb){255, 0, 0}); /* frame 2 is frame 0 again */
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (int k = 0; k < 3; k++) mpno_canvas_destroy(ctx, &frames[k]);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    return 0;
}

static mpno_status animate(const mpno_canvas *const *canvases, int n, mpno_text *out) {
    mpno_apng apng;
    mpno_status status = mpno_apng_begin(ctx, n, 80, out, &apng);
    for (int k = 0; k < n && status == MPNO_OK; k++) status = mpno_apng_add(&apng, canvases[k]);
    if (status == MPNO_OK) status = mpno_apng_end(&apng);
    mpno_apng_destroy(&apng);
    return status;
}

static uint32_t number(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void frames_follow_each_other(void **state) {
    (void)state;
    static const uint32_t boxes[4][4] = {/* width, height, x, y */
                                         {40, 30, 0, 0},
                                         {3, 2, 7, 8},
                                         {3, 2, 7, 8},
                                         {1, 1, 0, 0}};
    const mpno_canvas *const canvases[] = {&frames[0], &frames[1], &frames[2], &frames[0]};
    mpno_text text = {.ctx = ctx};
    assert_int_equal(animate(canvases, 4, &text), MPNO_OK);
    const unsigned char *data = (const unsigned char *)text.data;
    char names[256] = "";
    uint32_t sequence = 0;
    int n_frames = 0;
    for (size_t at = 8; at < text.size;) {
        const uint32_t n = number(data + at);
        char name[6] = " ";
        memcpy(name + 1, data + at + 4, 4);
        if (strlen(names) < 240) strcat(names, name);
        assert_int_equal(number(data + at + 8 + n), mpno_crc32(data + at + 4, n + 4));
        if (strcmp(name, " fcTL") == 0) {
            for (int k = 0; k < 4; k++)
                assert_int_equal(number(data + at + 12 + 4 * k), boxes[n_frames][k]);
            assert_int_equal(data[at + 28] * 256 + data[at + 29], 80);
            n_frames++;
        }
        if (strcmp(name, " fcTL") == 0 || strcmp(name, " fdAT") == 0)
            assert_int_equal(number(data + at + 8), sequence++);
        if (strcmp(name, " acTL") == 0) assert_int_equal(number(data + at + 8), 4);
        at += 12 + n;
    }
    assert_string_equal(names, " IHDR sRGB acTL fcTL IDAT fcTL fdAT fcTL fdAT fcTL fdAT IEND");
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&image, text.data, text.size));
    image.format = PNG_FORMAT_RGB;
    unsigned char back[40 * 30 * 3];
    assert_int_equal(PNG_IMAGE_SIZE(image), sizeof back);
    assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
    assert_memory_equal(back, frames[0].rgb, sizeof back);
    mpno_text_discard(&text);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    mpno_text text = {.ctx = ctx};
    mpno_apng apng;
    mpno_canvas other;
    assert_int_equal(mpno_apng_begin(ctx, 0, 80, &text, &apng), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_apng_begin(ctx, 1, 70000, &text, &apng), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_apng_begin(ctx, 2, 80, &text, &apng), MPNO_OK);
    assert_int_equal(mpno_canvas_create(ctx, 41, 30, &other), MPNO_OK);
    assert_int_equal(mpno_apng_add(&apng, &frames[0]), MPNO_OK);
    assert_int_equal(mpno_apng_end(&apng), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_apng_add(&apng, &other), MPNO_E_SHAPE);
    assert_int_equal(mpno_apng_add(&apng, &frames[1]), MPNO_OK);
    assert_int_equal(mpno_apng_add(&apng, &frames[1]), MPNO_E_ARGUMENT);
    mpno_apng_destroy(&apng);
    mpno_apng_destroy(&apng);
    mpno_canvas_destroy(ctx, &other);
    mpno_text_discard(&text);
}

static void memory_may_fail(void **state) {
    (void)state;
    const mpno_canvas *const canvases[] = {&frames[0], &frames[1]};
    const size_t before = mpno_ctx_bytes(ctx);
    mpno_status status;
    int64_t n = 0;
    do {
        mpno_text text = {.ctx = ctx};
        mpno_alloc_fail_after(ctx, n++);
        status = animate(canvases, 2, &text);
        mpno_alloc_fail_after(ctx, -1);
        mpno_text_discard(&text);
        if (status != MPNO_OK) assert_int_equal(status, MPNO_E_MEMORY);
        assert_int_equal(mpno_ctx_bytes(ctx), before);
    } while (status != MPNO_OK);
    assert_true(n > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(frames_follow_each_other),
                                       cmocka_unit_test(what_does_not_fit_is_refused),
                                       cmocka_unit_test(memory_may_fail)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
