/* SPDX-License-Identifier: MIT
 * SHA-256 against the examples of its standard (FIPS 180-4; NIST's "SHA256.pdf" and
 * SHA256ShortMsg.rsp), in one piece, in parts and of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/files.h"
#include "core/sha256.h"

static const struct {
    const char *text, *sum;
} examples[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
     "qrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

static void examples_of_the_standard(void **state) {
    (void)state;
    char sum[MPNO_SHA256_TEXT];
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        assert_int_equal(mpno_sha256_of(NULL, examples[i].text, strlen(examples[i].text), sum),
                         MPNO_OK);
        assert_string_equal(sum, examples[i].sum);
    }
    assert_int_equal(mpno_sha256_of(NULL, "\xd3", 1, sum), MPNO_OK);
    assert_string_equal(sum, "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
}

/* A million letters "a" (the standard's third example), in pieces of every size from 1 on. */
static void parts_of_a_long_text(void **state) {
    (void)state;
    mpno_sha256 *sum;
    char piece[2000], text[MPNO_SHA256_TEXT];
    memset(piece, 'a', sizeof piece);
    assert_int_equal(mpno_sha256_start(NULL, &sum), MPNO_OK);
    for (size_t left = 1000000, n = 1; left > 0; n = n % sizeof piece + 1) {
        if (n > left) n = left;
        assert_int_equal(mpno_sha256_add(sum, piece, n), MPNO_OK);
        left -= n;
    }
    assert_int_equal(mpno_sha256_finish(&sum, text), MPNO_OK);
    assert_null(sum);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void files(void **state) {
    (void)state;
    mpno_ctx *ctx;
    char path[64], sum[MPNO_SHA256_TEXT];
    int64_t bytes;
    snprintf(path, sizeof path, "/tmp/mpno-sha256-%ld", (long)getpid());
    assert_int_equal(mpno_ctx_create(NULL, &ctx), MPNO_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            mpno_file_write_atomic(ctx, path, examples[i].text, strlen(examples[i].text)), MPNO_OK);
        assert_int_equal(mpno_sha256_of_file(ctx, path, &bytes, sum), MPNO_OK);
        assert_string_equal(sum, examples[i].sum);
        assert_int_equal(bytes, strlen(examples[i].text));
    }
    unlink(path);
    assert_int_equal(mpno_sha256_of_file(ctx, path, &bytes, sum), MPNO_E_IO);
    assert_non_null(strstr(mpno_ctx_error(ctx), path));
    mpno_ctx_destroy(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples_of_the_standard),
                                       cmocka_unit_test(parts_of_a_long_text),
                                       cmocka_unit_test(files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
