/* SPDX-License-Identifier: MIT
 * TensorBoard events: records byte for byte as the official writer makes them, steps that a resume
 * takes out, files cut anywhere, files damaged anywhere, memory that fails anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/files.h"
#include "core/memory.h"
#include "report/tensorboard.h"

static mpno_ctx *ctx;
static char folder[] = "/tmp/mpno-tensorboard-XXXXXX", path[128];

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/%s", folder, MPNO_TENSORBOARD_FILE);
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    unlink(path);
    rmdir(folder);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    return 0;
}

static size_t read_file(unsigned char *out, size_t capacity) {
    mpno_mapping file;
    assert_int_equal(mpno_map_open(ctx, path, &file), MPNO_OK);
    assert_true(file.size <= capacity);
    memcpy(out, file.data, file.size);
    const size_t n = file.size;
    mpno_map_close(&file);
    return n;
}

static void write_file(const unsigned char *data, size_t n) {
    assert_int_equal(mpno_file_write_atomic(ctx, path, data, n), MPNO_OK);
}

static mpno_status write_scalar(mpno_tensorboard *board, int64_t step, double number) {
    mpno_value *map, *inner;
    MPNO_TRY(mpno_value_map(ctx, &map));
    mpno_status status = mpno_value_set_map(ctx, map, "loss", &inner);
    if (status == MPNO_OK) status = mpno_value_set_real(ctx, inner, "train", number);
    if (status == MPNO_OK) status = mpno_value_set_string(ctx, map, "policy", "mixed");
    if (status == MPNO_OK) status = mpno_tensorboard_scalars(board, step, 2.0, map);
    mpno_value_destroy(ctx, &map);
    return status;
}

/* Steps 1 .. n; gives the bytes of the file. */
static size_t make_file(int64_t n, unsigned char *out, size_t capacity) {
    mpno_tensorboard *board;
    assert_int_equal(mpno_tensorboard_open(ctx, folder, -1, 1.5, &board), MPNO_OK);
    for (int64_t step = 1; step <= n; step++)
        assert_int_equal(write_scalar(board, step, 0.25), MPNO_OK);
    mpno_tensorboard_close(&board);
    return read_file(out, capacity);
}

static mpno_status resume(int64_t step) {
    mpno_tensorboard *board;
    mpno_status status = mpno_tensorboard_open(ctx, folder, step, 9.0, &board);
    mpno_tensorboard_close(&board);
    return status;
}

/* The bytes that tensorboard's own writer gives for the same two events. */
static void bytes_of_records(void **state) {
    (void)state;
    static const unsigned char expected[] =
        "\x18\x00\x00\x00\x00\x00\x00\x00\xa3\x7f\x4b\x22\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x1a"
        "\x0d\x62\x72\x61\x69\x6e\x2e\x45\x76\x65\x6e\x74\x3a\x32\x2a\x28\x64\x6c"
        "\x21\x00\x00\x00\x00\x00\x00\x00\x01\x7b\xec\xf6\x09\x00\x00\x00\x00\x00\x00\x00\x40\x10"
        "\xac\x02\x2a\x13\x0a\x11\x0a\x0a\x6c\x6f\x73\x73\x2f\x74\x72\x61\x69\x6e\x15\x00\x00\x80"
        "\x3e\xe1\x9e\x28\x22";
    unsigned char found[256];
    mpno_tensorboard *board;
    assert_int_equal(mpno_tensorboard_open(ctx, folder, -1, 1.5, &board), MPNO_OK);
    assert_int_equal(write_scalar(board, 300, 0.25), MPNO_OK);
    mpno_tensorboard_close(&board);
    assert_int_equal(read_file(found, sizeof found), sizeof expected - 1);
    assert_memory_equal(found, expected, sizeof expected - 1);
}

static void resume_takes_later_steps_out(void **state) {
    (void)state;
    unsigned char five[1024], two[1024], found[1024];
    const size_t n_two = make_file(2, two, sizeof two);
    make_file(5, five, sizeof five);
    assert_int_equal(resume(3), MPNO_OK);
    assert_int_equal(read_file(found, sizeof found), n_two);
    assert_memory_equal(found, two, n_two);
    unlink(path); /* a file that is missing is begun */
    assert_int_equal(resume(3), MPNO_OK);
    assert_int_equal(read_file(found, sizeof found), 40);
}

/* Killed at any byte of the last record: the whole ones stay. */
static void cut_anywhere(void **state) {
    (void)state;
    unsigned char two[1024], three[1024], found[1024];
    const size_t n_two = make_file(2, two, sizeof two), n = make_file(3, three, sizeof three);
    for (size_t cut = n_two; cut < n; cut++) {
        write_file(three, cut);
        assert_int_equal(resume(9), MPNO_OK);
        assert_int_equal(read_file(found, sizeof found), n_two);
        assert_memory_equal(found, two, n_two);
    }
}

static void damaged_anywhere(void **state) {
    (void)state;
    unsigned char data[1024], found[1024];
    const size_t n = make_file(2, data, sizeof data);
    for (size_t i = 0; i < n; i++) {
        data[i] ^= 4;
        write_file(data, n);
        assert_int_equal(resume(9), MPNO_E_FORMAT);
        assert_non_null(strstr(mpno_ctx_error(ctx), "damaged"));
        assert_int_equal(read_file(found, sizeof found), n);
        assert_memory_equal(found, data, n);
        data[i] ^= 4;
    }
}

static mpno_status all_calls(void) {
    mpno_tensorboard *board;
    MPNO_TRY(mpno_tensorboard_open(ctx, folder, -1, 1.5, &board));
    mpno_status status = write_scalar(board, 1, 0.5);
    if (status == MPNO_OK) status = mpno_tensorboard_text(board, 1, 2.0, "config", "a: 1");
    if (status == MPNO_OK)
        status = mpno_tensorboard_image(board, 1, 2.0, "sample", 4, 3, "\x89PNG", 4);
    mpno_tensorboard_close(&board);
    return status;
}

/* A text is a tensor of one string with the plugin's name; an image has its sides. */
static void texts_and_images(void **state) {
    (void)state;
    static const char text[] =
        "\x0a\x06"
        "config\x42\x0a\x08\x07\x12\x00\x42\x04"
        "a: 1"
        "\x4a\x08\x0a\x06\x0a\x04text";
    static const char image[] = "\x0a\x06sample\x22\x0c\x08\x03\x10\x04\x18\x03\x22\x04\x89PNG";
    unsigned char found[1024];
    assert_int_equal(all_calls(), MPNO_OK);
    const size_t n = read_file(found, sizeof found);
    const struct {
        const char *bytes;
        size_t n;
    } wanted[] = {{text, sizeof text - 1}, {image, sizeof image - 1}};
    for (int k = 0; k < 2; k++) {
        bool seen = false;
        for (size_t i = 0; i + wanted[k].n <= n; i++)
            seen = seen || memcmp(found + i, wanted[k].bytes, wanted[k].n) == 0;
        assert_true(seen);
    }
    assert_int_equal(resume(2), MPNO_OK);
}

static void memory_may_fail(void **state) {
    (void)state;
    int64_t n = 0;
    mpno_status status;
    do {
        mpno_alloc_fail_after(ctx, n++);
        status = all_calls();
        mpno_alloc_fail_after(ctx, -1);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
        if (status != MPNO_OK) assert_int_equal(status, MPNO_E_MEMORY);
    } while (status != MPNO_OK);
    assert_true(n > 10);
}

static void folder_that_is_missing(void **state) {
    (void)state;
    mpno_tensorboard *board;
    assert_int_equal(mpno_tensorboard_open(ctx, "/tmp/mpno/nowhere", -1, 0, &board), MPNO_E_IO);
    assert_null(board);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_records),      cmocka_unit_test(resume_takes_later_steps_out),
        cmocka_unit_test(cut_anywhere),          cmocka_unit_test(damaged_anywhere),
        cmocka_unit_test(texts_and_images),      cmocka_unit_test(memory_may_fail),
        cmocka_unit_test(folder_that_is_missing)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
