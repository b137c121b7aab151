/* SPDX-License-Identifier: MIT
 * Checksums against published values, and sums of parts against the sum of the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/checksum.h"

/* RFC 3720, appendix B.4, and the check value of the catalogue. */
static void crc32c_of_published_vectors(void **state) {
    (void)state;
    unsigned char bytes[32];
    assert_int_equal(mpno_crc32c("", 0), 0);
    assert_int_equal(mpno_crc32c("123456789", 9), 0xE3069283);
    memset(bytes, 0, 32);
    assert_int_equal(mpno_crc32c(bytes, 32), 0x8A9136AA);
    memset(bytes, 0xff, 32);
    assert_int_equal(mpno_crc32c(bytes, 32), 0x62A8AB43);
    for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    assert_int_equal(mpno_crc32c(bytes, 32), 0x46DD794E);
    for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(mpno_crc32c(bytes, 32), 0x113FDB5C);
}

/* RFC 2083: the chunk IEND of every PNG file ends with ae 42 60 82. */
static void crc32_of_published_vectors(void **state) {
    (void)state;
    assert_int_equal(mpno_crc32("", 0), 0);
    assert_int_equal(mpno_crc32("123456789", 9), 0xCBF43926);
    assert_int_equal(mpno_crc32("IEND", 4), 0xAE426082);
}

static void crc64_in_parts(void **state) {
    (void)state;
    static mpno_crc64 crc;
    mpno_crc64_start(&crc);
    mpno_crc64_add(&crc, "1", 1);
    mpno_crc64_add(&crc, "23456789", 8);
    assert_true(mpno_crc64_value(&crc) == UINT64_C(0x995DC9BBDF1939FA));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(crc32c_of_published_vectors),
                                       cmocka_unit_test(crc32_of_published_vectors),
                                       cmocka_unit_test(crc64_in_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
