/* SPDX-License-Identifier: MIT
 * Casts against MPFR: all values of the 16-bit formats, both neighbours of every midpoint between
 * two of them, the thresholds of overflow and underflow, NaN, and arrays for all pairs of formats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <mpfr.h>
#include <string.h>

#include "core/rng.h"
#include "number/format.h"

static const mpno_format narrow_formats[] = {MPNO_F16, MPNO_BF16, MPNO_F8E4M3, MPNO_F8E5M2};
enum { NARROW = sizeof narrow_formats / sizeof *narrow_formats };

static uint16_t from_f64(mpno_format format, double x) {
    if (mpno_format_bytes(format) == 1) return mpno_f8_from_f64(x, format);
    return format == MPNO_F16 ? mpno_f16_from_f64(x) : mpno_bf16_from_f64(x);
}

static uint16_t from_f32(mpno_format format, float x) {
    if (mpno_format_bytes(format) == 1) return mpno_f8_from_f64(x, format);
    return format == MPNO_F16 ? mpno_f16_from_f32(x) : mpno_bf16_from_f32(x);
}

static float to_f32(mpno_format format, uint16_t bits) {
    if (mpno_format_bytes(format) == 1) return mpno_f8_to_f32((uint8_t)bits, format);
    return format == MPNO_F16 ? mpno_f16_to_f32(bits) : mpno_bf16_to_f32(bits);
}

static int sign_bit(mpno_format format) {
    return mpno_format_bytes(format) == 1 ? 0x80 : 0x8000;
}

/* The pattern behind that of the largest number: infinity, in f8e4m3 NaN. */
static int past_largest(mpno_format format) {
    return format == MPNO_F16      ? 0x7c00
           : format == MPNO_BF16   ? 0x7f80
           : format == MPNO_F8E4M3 ? 0x7f
                                   : 0x7c;
}

/* The value that IEEE 754 and OCP's specification of 8 bits give to a pattern, straight from the
 * definitions. */
static double value_of_bits(mpno_format format, uint16_t bits) {
    const int fraction_bits = format == MPNO_F16      ? 10
                              : format == MPNO_BF16   ? 7
                              : format == MPNO_F8E4M3 ? 3
                                                      : 2;
    const int bias = format == MPNO_BF16 ? 127 : format == MPNO_F8E4M3 ? 7 : 15;
    int exponent = (bits & (sign_bit(format) - 1)) >> fraction_bits;
    int fraction = bits & ((1 << fraction_bits) - 1);
    double magnitude;
    if (format == MPNO_F8E4M3 && (bits & 0x7f) == 0x7f) {
        magnitude = (double)NAN;
    } else if (format != MPNO_F8E4M3 && exponent == 2 * bias + 1) {
        magnitude = fraction == 0 ? (double)INFINITY : (double)NAN;
    } else if (exponent == 0) {
        magnitude = ldexp(fraction, 1 - bias - fraction_bits);
    } else {
        magnitude = ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
    }
    return (bits & sign_bit(format)) != 0 ? -magnitude : magnitude;
}

/* x rounded once to the format by MPFR, as an f64 number. */
static double oracle(mpno_format format, double x) {
    const mpno_format_facts *f = mpno_format_get(format);
    mpfr_t exact, rounded;
    mpfr_set_emin(mpfr_get_emin_min());
    mpfr_set_emax(mpfr_get_emax_max());
    mpfr_init2(exact, 53);
    mpfr_init2(rounded, f->significand);
    (void)mpfr_set_d(exact, x, MPFR_RNDN);
    /* MPFR's significands lie in [1/2, 1): its exponents are ours plus one. */
    mpfr_set_emin(f->min_exponent - f->significand + 2);
    mpfr_set_emax(f->max_exponent + 1);
    int direction = mpfr_set(rounded, exact, MPFR_RNDN);
    direction = mpfr_check_range(rounded, direction, MPFR_RNDN);
    (void)mpfr_subnormalize(rounded, direction, MPFR_RNDN);
    double result = mpfr_get_d(rounded, MPFR_RNDN);
    mpfr_clear(exact);
    mpfr_clear(rounded);
    /* f8e4m3 has a NaN where the largest number and infinities would be. */
    return format == MPNO_F8E4M3 && fabs(result) > 448 ? (double)NAN : result;
}

static void assert_same(double got, double expected, double input) {
    if (isnan(expected) ? isnan(got) : got == expected && !signbit(got) == !signbit(expected))
        return;
    fail_msg("%a gives %a, expected %a", input, got, expected);
}

static void check_f64(mpno_format format, double x) {
    assert_same(value_of_bits(format, from_f64(format, x)), oracle(format, x), x);
    assert_same(value_of_bits(format, from_f64(format, -x)), -oracle(format, x), -x);
}

static void check_f32(mpno_format format, float x) {
    assert_same(value_of_bits(format, from_f32(format, x)), oracle(format, x), x);
    assert_same(value_of_bits(format, from_f32(format, -x)), -oracle(format, x), -x);
}

static void facts_are_those_of_the_formats(void **state) {
    (void)state;
    assert_int_equal(mpno_format_bytes(MPNO_F64), 8);
    assert_int_equal(mpno_format_bytes(MPNO_F32), 4);
    assert_int_equal(mpno_format_bytes(MPNO_BF16), 2);
    assert_int_equal(mpno_format_bytes(MPNO_F16), 2);
    assert_int_equal(mpno_format_bytes(MPNO_F8E4M3), 1);
    assert_int_equal(mpno_format_bytes(MPNO_F8E5M2), 1);
    assert_int_equal(mpno_format_bytes(MPNO_TF32), 4);
    assert_true(mpno_format_max(MPNO_F8E4M3) == 448.0);
    assert_true(mpno_format_max(MPNO_F8E5M2) == 57344.0);
    assert_true(mpno_format_unit(MPNO_TF32) == 0x1p-11);
    assert_true(mpno_format_max(MPNO_FORMAT_SIMULATED(6, 9)) == 0x1.ff8p31);
    assert_true(mpno_format_max(MPNO_FORMAT_SIMULATED(8, 23)) == (double)FLT_MAX);
    assert_true(mpno_format_max(MPNO_FORMAT_SIMULATED(5, 10)) == 65504.0);
    assert_true(mpno_format_max(MPNO_F64) == DBL_MAX);
    assert_true(mpno_format_max(MPNO_F32) == (double)FLT_MAX);
    assert_true(mpno_format_max(MPNO_F16) == 65504.0);
    assert_true(mpno_format_max(MPNO_BF16) == 0x1.fep127);
    assert_true(mpno_format_unit(MPNO_F64) == DBL_EPSILON / 2);
    assert_true(mpno_format_unit(MPNO_F32) == (double)FLT_EPSILON / 2);
    assert_true(mpno_format_unit(MPNO_F16) == 0x1p-11);
    assert_true(mpno_format_unit(MPNO_BF16) == 0x1p-8);
    assert_true(ldexp(1.0, mpno_format_get(MPNO_F32)->min_exponent) == (double)FLT_MIN);
    assert_true(ldexp(1.0, mpno_format_get(MPNO_F64)->min_exponent) == DBL_MIN);
}

static void names_are_parsed(void **state) {
    (void)state;
    static const struct {
        const char *name;
        mpno_format format;
    } cases[] = {{"f64", MPNO_F64},
                 {"double", MPNO_F64},
                 {"float64", MPNO_F64},
                 {"f32", MPNO_F32},
                 {"float32", MPNO_F32},
                 {"fp32", MPNO_F32},
                 {"bf16", MPNO_BF16},
                 {"bfloat16", MPNO_BF16},
                 {"f16", MPNO_F16},
                 {"fp16", MPNO_F16},
                 {"half", MPNO_F16},
                 {"float16", MPNO_F16},
                 {"f8e4m3", MPNO_F8E4M3},
                 {"fp8_e4m3", MPNO_F8E4M3},
                 {"float8_e4m3fn", MPNO_F8E4M3},
                 {"e4m3", MPNO_F8E4M3},
                 {"f8e5m2", MPNO_F8E5M2},
                 {"fp8_e5m2", MPNO_F8E5M2},
                 {"float8_e5m2", MPNO_F8E5M2},
                 {"tf32", MPNO_TF32},
                 {"e6m9", MPNO_FORMAT_SIMULATED(6, 9)},
                 {"e2m1", MPNO_FORMAT_SIMULATED(2, 1)},
                 {"e8m23", MPNO_FORMAT_SIMULATED(8, 23)}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mpno_format format = MPNO_FORMAT_COUNT;
        assert_true(mpno_format_parse(cases[i].name, &format));
        assert_int_equal(format, cases[i].format);
    }
    assert_string_equal(mpno_format_get(MPNO_FORMAT_SIMULATED(6, 9))->name, "e6m9");
    mpno_format format = MPNO_F64;
    assert_false(mpno_format_parse("f8", &format));
    assert_false(mpno_format_parse("e9m3", &format));
    assert_false(mpno_format_parse("e1m3", &format));
    assert_false(mpno_format_parse("e5m0", &format));
    assert_false(mpno_format_parse("e5m24", &format));
    assert_false(mpno_format_parse("", &format));
    assert_false(mpno_format_parse("F16", &format));
    assert_int_equal(format, MPNO_F64);
}

static void all_patterns_widen_and_come_back(void **state) {
    (void)state;
    for (size_t k = 0; k < NARROW; k++) {
        mpno_format format = narrow_formats[k];
        const int quiet = format == MPNO_F16      ? 0x0200
                          : format == MPNO_BF16   ? 0x0040
                          : format == MPNO_F8E5M2 ? 0x02
                                                  : 0;
        for (int i = 0; i < 2 * sign_bit(format); i++) {
            uint16_t bits = (uint16_t)i;
            double value = value_of_bits(format, bits);
            float wide = to_f32(format, bits);
            assert_same(wide, value, value);
            uint16_t expected = isnan(value) ? (uint16_t)(bits | quiet) : bits;
            assert_int_equal(from_f32(format, wide), expected);
            assert_int_equal(from_f64(format, wide), expected);
            if (!isnan(value)) assert_int_equal(from_f64(format, value), bits);
        }
    }
}

/* Between each two neighbours a tie and the numbers just beside it: in f64 these are the cases in
 * which rounding twice, through f32, goes wrong. The last midpoint is the threshold of overflow. */
static void midpoints_round_to_even(void **state) {
    (void)state;
    for (size_t k = 0; k < NARROW; k++) {
        mpno_format format = narrow_formats[k];
        const int infinity = past_largest(format);
        const double largest = value_of_bits(format, (uint16_t)(infinity - 1)),
                     past_max = 2 * largest - value_of_bits(format, (uint16_t)(infinity - 2));
        for (int i = 0; i < infinity; i++) {
            double below = value_of_bits(format, (uint16_t)i);
            double above = i + 1 < infinity ? value_of_bits(format, (uint16_t)(i + 1)) : past_max;
            double middle = (below + above) / 2;
            uint16_t even = (uint16_t)(i % 2 == 0 ? i : i + 1);
            assert_int_equal(from_f64(format, middle), even);
            assert_int_equal(from_f64(format, nextafter(middle, 0)), i);
            assert_int_equal(from_f64(format, nextafter(middle, INFINITY)), i + 1);
            assert_int_equal(from_f64(format, -middle), even | sign_bit(format));
            float single = (float)middle; /* exact: one bit more than the format */
            assert_true(single == middle);
            assert_int_equal(from_f32(format, single), even);
            assert_int_equal(from_f32(format, nextafterf(single, 0)), i);
            assert_int_equal(from_f32(format, nextafterf(single, INFINITY)), i + 1);
            if (i % 7 == 0 || i < 3000 ||
                i > infinity - 300) { /* MPFR is slow: a part is enough to tie us to it */
                check_f64(format, middle);
                check_f64(format, nextafter(middle, 0));
                check_f64(format, nextafter(middle, INFINITY));
                check_f32(format, nextafterf(single, INFINITY));
            }
        }
    }
}

static void random_numbers_agree_with_mpfr(void **state) {
    (void)state;
    mpno_rng rng = mpno_rng_make(16, MPNO_STREAM_TEST, 0);
    for (int i = 0; i < 20000; i++) {
        for (size_t k = 0; k < NARROW; k++) {
            const mpno_format_facts *f = mpno_format_get(narrow_formats[k]);
            int span = f->max_exponent - f->min_exponent + f->significand + 6;
            int exponent =
                f->min_exponent - f->significand - 3 + (int)mpno_rng_below(&rng, (uint64_t)span);
            double x = ldexp(1.0 + mpno_rng_uniform(&rng), exponent);
            check_f64(narrow_formats[k], x);
            check_f32(narrow_formats[k], (float)x);
        }
    }
}

static void ends_of_the_wide_formats(void **state) {
    (void)state;
    const double inputs[] = {0.0,      DBL_MIN,  0x1p-1074,  DBL_MAX,  (double)INFINITY,
                             FLT_MAX,  0x1p-149, FLT_MIN,    0x1p-25,  0x1p-24,
                             0x1p-133, 0x1p-134, 0x1.8p-134, 0x1p-135, 65520.0,
                             65519.99, 464.0,    464.01,     0x1p-10,  0x1p-17};
    for (size_t k = 0; k < NARROW; k++) {
        for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
            check_f64(narrow_formats[k], inputs[i]);
    }
}

static double f64_of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* As the processors do it: the quiet bit is set, the upper bits of the payload and the sign stay.
 */
static void nan_stays_nan(void **state) {
    (void)state;
    for (int sign = 0; sign < 2; sign++) {
        uint64_t s = (uint64_t)sign << 63;
        uint16_t t = (uint16_t)(sign << 15);
        double signalling = f64_of_bits(s | 0x7ff0000000000001u),
               payload = f64_of_bits(s | 0x7ff5400000000000u);
        assert_int_equal(mpno_f16_from_f64(signalling), t | 0x7e00);
        assert_int_equal(mpno_bf16_from_f64(signalling), t | 0x7fc0);
        assert_int_equal(mpno_f16_from_f64(payload), t | 0x7f50);
        assert_int_equal(mpno_bf16_from_f64(payload), t | 0x7fea);
        assert_true(isnan(mpno_f16_to_f32((uint16_t)(t | 0x7c01))));
        assert_true(isnan(mpno_bf16_to_f32((uint16_t)(t | 0x7f81))));
        assert_int_equal(!signbit(mpno_f16_to_f32((uint16_t)(t | 0x7c01))), !sign);
        assert_int_equal(mpno_f8_from_f64(signalling, MPNO_F8E4M3), sign << 7 | 0x7f);
        assert_int_equal(mpno_f8_from_f64(signalling, MPNO_F8E5M2), sign << 7 | 0x7e);
        assert_int_equal(mpno_f8_from_f64(sign ? -INFINITY : INFINITY, MPNO_F8E4M3),
                         sign << 7 | 0x7f);
    }
}

enum { SAMPLES = 600 }; /* more than two chunks of the implementation */

/* Reads element i of an array, which may lie at any address. */
static double element(mpno_format format, const unsigned char *array, size_t i) {
    double d;
    float s;
    uint16_t h;
    switch (format) {
        case MPNO_F64:
            memcpy(&d, array + 8 * i, 8);
            return d;
        case MPNO_F16:
        case MPNO_BF16:
            memcpy(&h, array + 2 * i, 2);
            return value_of_bits(format, h);
        case MPNO_F8E4M3:
        case MPNO_F8E5M2:
            return value_of_bits(format, array[i]);
        default:
            memcpy(&s, array + 4 * i, 4);
            return s;
    }
}

static void arrays_round_once_for_all_pairs(void **state) {
    (void)state;
    static double exact[SAMPLES];
    mpno_rng rng = mpno_rng_make(17, MPNO_STREAM_TEST, 0);
    const double special[] = {
        0.0,  -0.0, (double)INFINITY,      -(double)INFINITY,  (double)NAN,
        1e-7, 1e5,  1 + 0x1p-11 + 0x1p-40, 0x1.01p0 + 0x1p-52, 0x1.ffffffp127};
    for (size_t i = 0; i < SAMPLES; i++) {
        exact[i] = i < sizeof special / sizeof *special
                       ? special[i]
                       : ldexp(mpno_rng_normal(&rng), (int)mpno_rng_below(&rng, 300) - 150);
    }
    const size_t counts[] = {0, 1, 255, 256, 257, SAMPLES};
    mpno_format formats[MPNO_FORMAT_COUNT + 3];
    for (int i = 0; i < MPNO_FORMAT_COUNT; i++) formats[i] = (mpno_format)i;
    formats[MPNO_FORMAT_COUNT] = MPNO_FORMAT_SIMULATED(6, 9);
    formats[MPNO_FORMAT_COUNT + 1] = MPNO_FORMAT_SIMULATED(2, 1);
    formats[MPNO_FORMAT_COUNT + 2] = MPNO_FORMAT_SIMULATED(8, 23);
    for (int f = 0; f < MPNO_FORMAT_COUNT + 3; f++) {
        const mpno_format from = formats[f];
        static unsigned char source[8 * SAMPLES + 1], target[8 * SAMPLES + 1];
        mpno_cast(source + 1, from, exact, MPNO_F64, SAMPLES);
        for (int t = 0; t < MPNO_FORMAT_COUNT + 3; t++) {
            const mpno_format to = formats[t];
            size_t bytes = mpno_format_bytes(to);
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                memset(target, 0xa5, sizeof target);
                mpno_cast(target + 1, to, source + 1, from, counts[c]);
                for (size_t i = 0; i < counts[c]; i++) {
                    double x = element(from, source + 1, i);
                    assert_same(element(to, target + 1, i), oracle(to, x), x);
                }
                for (size_t b = counts[c] * bytes + 1; b < sizeof target; b++)
                    assert_int_equal(target[b], 0xa5);
            }
        }
    }
    mpno_cast(NULL, MPNO_F16, NULL, MPNO_F32, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_those_of_the_formats),
        cmocka_unit_test(names_are_parsed),
        cmocka_unit_test(all_patterns_widen_and_come_back),
        cmocka_unit_test(midpoints_round_to_even),
        cmocka_unit_test(random_numbers_agree_with_mpfr),
        cmocka_unit_test(ends_of_the_wide_formats),
        cmocka_unit_test(nan_stays_nan),
        cmocka_unit_test(arrays_round_once_for_all_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
