/* SPDX-License-Identifier: MIT
 * PNG files read back by libpng, and what happens when they cannot be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/files.h"
#include "core/memory.h"
#include "report/png.h"

static mpno_ctx *ctx;
static char folder[] = "/tmp/mpno-test-png-XXXXXX";
static char path[64];

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/a.png", folder);
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    mpno_ctx_destroy(&ctx);
    unlink(path);
    return rmdir(folder);
}

static int files_in_folder(void) {
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(dir));) n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void assert_holds(const unsigned char *rgb, int width, int height) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path));
    assert_int_equal(image.width, width);
    assert_int_equal(image.height, height);
    image.format = PNG_FORMAT_RGB;
    unsigned char *back = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(back);
    assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
    assert_memory_equal(back, rgb, (size_t)width * (size_t)height * 3);
    free(back);
}

static void pixels_come_back(void **state) {
    (void)state;
    static const int sides[][2] = {{1, 1}, {7, 3}, {256, 100}, {1, 300}};
    static unsigned char rgb[256 * 100 * 3];
    for (size_t i = 0; i < sizeof rgb; i++) rgb[i] = (unsigned char)(i * 37 + i / 251);
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        assert_int_equal(mpno_png_write(ctx, path, sides[i][0], sides[i][1], rgb), MPNO_OK);
        assert_holds(rgb, sides[i][0], sides[i][1]);
    }
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
}

static void wrong_arguments_are_named(void **state) {
    (void)state;
    const unsigned char rgb[3] = {0};
    assert_int_equal(mpno_png_write(ctx, path, 0, 1, rgb), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "0 x 1"));
    assert_int_equal(mpno_png_write(ctx, path, 1, 1 << 20, rgb), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_png_write(ctx, path, 1, 1, NULL), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_png_write(ctx, NULL, 1, 1, rgb), MPNO_E_ARGUMENT);
}

static void a_missing_folder_is_an_io_error(void **state) {
    (void)state;
    const unsigned char rgb[3] = {0};
    char missing[96];
    snprintf(missing, sizeof missing, "%s/no/such.png", folder);
    assert_int_equal(mpno_png_write(ctx, missing, 1, 1, rgb), MPNO_E_IO);
    assert_non_null(strstr(mpno_ctx_error(ctx), missing));
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
}

static void failing_memory_leaves_the_old_file(void **state) {
    (void)state;
    static const unsigned char old[3] = {1, 2, 3};
    static unsigned char rgb[40 * 40 * 3];
    assert_int_equal(mpno_png_write(ctx, path, 1, 1, old), MPNO_OK);
    int64_t n = 0;
    for (;; n++) {
        mpno_alloc_fail_after(ctx, n);
        mpno_status status = mpno_png_write(ctx, path, 40, 40, rgb);
        mpno_alloc_fail_after(ctx, -1);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
        assert_int_equal(files_in_folder(), 1);
        if (status == MPNO_OK) break;
        assert_int_equal(status, MPNO_E_MEMORY);
        assert_holds(old, 1, 1);
        assert_true(n < 100);
    }
    assert_true(n >= 5); /* libpng's memory is ours */
    assert_holds(rgb, 40, 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_come_back),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(a_missing_folder_is_an_io_error),
        cmocka_unit_test(failing_memory_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
