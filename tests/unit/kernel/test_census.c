/* SPDX-License-Identifier: MIT
 * Counts by class: every value of the narrow formats, alone and together, against what the C
 * library says of the number that it stands for; wide formats at the borders of their classes;
 * lengths that leave a block unfinished; every ISA. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/census_kernels.h"
#include "number/format.h"

/* The definition, one number at a time. */
static void count_one(mpno_format format, const void *stored, mpno_census *census,
                      double *largest) {
    double x;
    mpno_cast(&x, MPNO_F64, stored, format, 1);
    x = fabs(x);
    census->values++;
    census->zeros += x == 0;
    census->subnormals += x > 0 && x < ldexp(1, mpno_format_get(format)->min_exponent);
    census->saturated += x == mpno_format_max(format);
    census->not_finite += !isfinite(x);
    if (isfinite(x) && x > *largest) *largest = x;
}

static void check(mpno_format format, const void *x, int64_t n) {
    const mpno_magnitudes m = mpno_magnitudes_of(format);
    mpno_census expected = {0};
    double largest = 0;
    for (int64_t i = 0; i < n; i++)
        count_one(format, (const char *)x + (size_t)i * m.bytes, &expected, &largest);
    for (int isa = 0; isa <= (int)mpno_cpu_best_isa(); isa++) {
        mpno_census found = {0};
        mpno_census_counter((mpno_isa)isa, &m)(x, n, &m, &found);
        assert_int_equal(found.values, n);
        assert_int_equal(found.zeros, expected.zeros);
        assert_int_equal(found.subnormals, expected.subnormals);
        assert_int_equal(found.saturated, expected.saturated);
        assert_int_equal(found.not_finite, expected.not_finite);
        assert_true(mpno_magnitude_value(format, found.largest) == largest);
    }
}

static void every_value_of_narrow_formats(void **state) {
    (void)state;
    for (int f = 0; f < MPNO_FORMAT_COUNT; f++) {
        const size_t bytes = mpno_format_bytes((mpno_format)f);
        if (bytes > 2) continue;
        const int64_t n = (int64_t)1 << (8 * bytes);
        unsigned char *all = malloc((size_t)n * bytes);
        assert_non_null(all);
        for (int64_t i = 0; i < n; i++) {
            const uint8_t one = (uint8_t)i;
            const uint16_t two = (uint16_t)i;
            memcpy(all + (size_t)i * bytes, bytes == 1 ? (const void *)&one : (const void *)&two,
                   bytes);
        }
        check((mpno_format)f, all, n);
        for (int64_t i = 0; i < n; i += n == 256 ? 1 : 61) /* alone */
            check((mpno_format)f, all + (size_t)i * bytes, 1);
        free(all);
    }
}

static void borders_of_wide_formats(void **state) {
    (void)state;
    const float f[] = {0.0f,         -0.0f,         FLT_MIN, -FLT_MIN, FLT_MIN / 2,
                       FLT_TRUE_MIN, -FLT_TRUE_MIN, FLT_MAX, -FLT_MAX, nextafterf(FLT_MAX, 0),
                       INFINITY,     -INFINITY,     NAN,     1.0f};
    const double d[] = {0.0,          -0.0,          DBL_MIN, -DBL_MIN, DBL_MIN / 2,
                        DBL_TRUE_MIN, -DBL_TRUE_MIN, DBL_MAX, -DBL_MAX, nextafter(DBL_MAX, 0),
                        INFINITY,     -INFINITY,     NAN,     1.0};
    const int64_t n = sizeof f / sizeof f[0];
    check(MPNO_F32, f, n);
    check(MPNO_F64, d, n);
    for (int64_t i = 0; i < n; i++) {
        check(MPNO_F32, f + i, 1);
        check(MPNO_F64, d + i, 1);
    }
}

/* Each class fills more than one block: no counter may run over. */
static void long_arrays(void **state) {
    (void)state;
    enum { N = 3 * 32768 + 77 };
    static const double kinds[] = {0, 0x1p-20, 65504, INFINITY};
    uint16_t *x = malloc(N * sizeof *x);
    assert_non_null(x);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (int i = 0; i < N; i++) x[i] = mpno_f16_from_f64(kinds[k]);
        check(MPNO_F16, x, N);
        check(MPNO_F16, x, 32768);
        check(MPNO_F16, x, 0);
    }
    free(x);
}

/* What counts holds for numbers that stand where they may: at any multiple of their width. */
static void any_start(void **state) {
    (void)state;
    uint16_t x[64];
    for (int i = 0; i < 64; i++) x[i] = (uint16_t)(i * 1021);
    for (int first = 0; first < 16; first++) check(MPNO_BF16, x + first, 64 - first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_of_narrow_formats),
        cmocka_unit_test(borders_of_wide_formats),
        cmocka_unit_test(long_arrays),
        cmocka_unit_test(any_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
