/* SPDX-License-Identifier: MIT
 * Casts between formats, round to nearest, ties to even. Everything goes through f64: widening is
 * exact (every value of the narrower formats is an f64 number), so that the one rounding happens on
 * the way out. This is the definition; the kernels have faster ones that must agree bit for bit.
 * Error: |cast(x) - x| <= u |x| for normal results, half the smallest subnormal otherwise (IEEE
 * 754-2019, 4.3.1). */
#include "number/format.h"

#include <math.h>
#include <string.h>

static const mpno_format_facts format_table[MPNO_FORMAT_COUNT] = {
#define MPNO_FORMAT_ROW(id, name, bytes, significand, max_exponent, min_exponent) \
    [MPNO_##id] = {name, bytes, significand, max_exponent, min_exponent},
#include "number/formats.def"
#undef MPNO_FORMAT_ROW
};

/* Row e - 2, column m - 1. */
#define SIMULATED(e, m) \
    { "e" #e "m" #m, 4, (m) + 1, (1 << ((e)-1)) - 1, 2 - (1 << ((e)-1)) }
#define SIMULATED_ROW(e)                                                                          \
    {                                                                                             \
        SIMULATED(e, 1), SIMULATED(e, 2), SIMULATED(e, 3), SIMULATED(e, 4), SIMULATED(e, 5),      \
            SIMULATED(e, 6), SIMULATED(e, 7), SIMULATED(e, 8), SIMULATED(e, 9), SIMULATED(e, 10), \
            SIMULATED(e, 11), SIMULATED(e, 12), SIMULATED(e, 13), SIMULATED(e, 14),               \
            SIMULATED(e, 15), SIMULATED(e, 16), SIMULATED(e, 17), SIMULATED(e, 18),               \
            SIMULATED(e, 19), SIMULATED(e, 20), SIMULATED(e, 21), SIMULATED(e, 22),               \
            SIMULATED(e, 23)                                                                      \
    }
static const mpno_format_facts simulated[7][23] = {
    SIMULATED_ROW(2), SIMULATED_ROW(3), SIMULATED_ROW(4), SIMULATED_ROW(5),
    SIMULATED_ROW(6), SIMULATED_ROW(7), SIMULATED_ROW(8)};

const mpno_format_facts *mpno_format_get(mpno_format format) {
    if (format < MPNO_FORMAT_COUNT) return &format_table[format];
    const int code = (int)format - (int)MPNO_FORMAT_SIMULATED(0, 0);
    return &simulated[code / 32 - 2][code % 32 - 1];
}

/* "e6m9" */
static bool parse_simulated(const char *name, mpno_format *out) {
    for (int e = 2; e <= 8; e++)
        for (int m = 1; m <= 23; m++)
            if (strcmp(name, simulated[e - 2][m - 1].name) == 0) {
                *out = MPNO_FORMAT_SIMULATED(e, m);
                return true;
            }
    return false;
}

bool mpno_format_parse(const char *name, mpno_format *out) {
    static const struct {
        const char *name;
        mpno_format format;
    } others[] = {
        {"fp64", MPNO_F64},           {"float64", MPNO_F64},          {"double", MPNO_F64},
        {"fp32", MPNO_F32},           {"float32", MPNO_F32},          {"single", MPNO_F32},
        {"float", MPNO_F32},          {"bfloat16", MPNO_BF16},        {"bfloat", MPNO_BF16},
        {"fp16", MPNO_F16},           {"float16", MPNO_F16},          {"half", MPNO_F16},
        {"e4m3", MPNO_F8E4M3},        {"fp8_e4m3", MPNO_F8E4M3},      {"f8_e4m3", MPNO_F8E4M3},
        {"float8_e4m3", MPNO_F8E4M3}, {"float8_e4m3fn", MPNO_F8E4M3}, {"f8e4m3fn", MPNO_F8E4M3},
        {"e5m2", MPNO_F8E5M2},        {"fp8_e5m2", MPNO_F8E5M2},      {"f8_e5m2", MPNO_F8E5M2},
        {"float8_e5m2", MPNO_F8E5M2}, {"tensorfloat32", MPNO_TF32},
    };
    for (int i = 0; i < MPNO_FORMAT_COUNT; i++) {
        if (strcmp(name, format_table[i].name) == 0) {
            *out = (mpno_format)i;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(name, others[i].name) == 0) {
            *out = others[i].format;
            return true;
        }
    }
    return parse_simulated(name, out);
}

double mpno_format_unit(mpno_format format) {
    return ldexp(1.0, -mpno_format_get(format)->significand);
}

/* The place of the largest number of f8e4m3 is taken by its NaN. */
double mpno_format_max(mpno_format format) {
    const mpno_format_facts *f = mpno_format_get(format);
    const int lost = format == MPNO_F8E4M3 ? 2 : 1;
    return ldexp(2.0 - lost * ldexp(1.0, 1 - f->significand), f->max_exponent);
}

double mpno_format_round(double x, mpno_format format) {
    const mpno_format_facts *f = mpno_format_get(format);
    if (format == MPNO_F64 || x == 0 || !isfinite(x))
        return format == MPNO_F8E4M3 && isinf(x) ? (double)NAN : x;
    const int exponent = ilogb(x) > f->min_exponent ? ilogb(x) : f->min_exponent;
    const int last = exponent - f->significand + 1; /* of the unit in the last place */
    const double y = copysign(ldexp(rint(ldexp(x, -last)), last), x);
    if (fabs(y) <= mpno_format_max(format)) return y;
    return copysign(format == MPNO_F8E4M3 ? (double)NAN : (double)INFINITY, x);
}

/* m / 2^shift to the nearest integer, ties to even; 1 <= shift <= 63. */
static uint64_t shift_to_even(uint64_t m, int shift) {
    uint64_t half = (uint64_t)1 << (shift - 1);
    uint64_t quotient = m >> shift;
    uint64_t rest = m & (2 * half - 1);
    return quotient + (rest > half || (rest == half && (quotient & 1) != 0));
}

/* f64 to a format of 16 or 8 bits with the layout sign, exponent, fraction. All bits set is the one
 * NaN of f8e4m3, and what lies past its largest number. */
static uint16_t narrow(double x, mpno_format format) {
    const mpno_format_facts *f = &format_table[format];
    const int fraction = f->significand - 1, bias = 1 - f->min_exponent;
    const uint64_t infinity = format == MPNO_F8E4M3 ? 0x7f : (uint64_t)(2 * bias + 1) << fraction;
    const uint64_t hidden = (uint64_t)1 << 52;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t sign = bits >> 63 << (8 * f->bytes - 1);
    uint64_t magnitude = bits & ~((uint64_t)1 << 63);
    int exponent = (int)(magnitude >> 52) - 1023;
    int shift = 52 - fraction;
    uint64_t result;
    if (magnitude > 0x7ffULL << 52) { /* NaN: quiet, with the upper part of its payload */
        uint64_t payload = (magnitude & (hidden - 1)) >> shift;
        result = infinity | (uint64_t)1 << (fraction - 1) | payload;
    } else if (exponent >= f->min_exponent) {
        /* Move the bias, round fraction and exponent together: a carry is the right step to the
         * next binade. */
        uint64_t rebias = (uint64_t)(1023 - bias) << 52;
        result = shift_to_even(magnitude - rebias, shift);
        if (result > infinity) result = infinity;
    } else {
        shift += f->min_exponent - exponent;
        if (shift > 63) shift = 63; /* far below half the smallest subnormal: zero */
        result = shift_to_even((magnitude & (hidden - 1)) | hidden, shift);
    }
    return (uint16_t)(sign | result);
}

uint16_t mpno_f16_from_f32(float x) {
    return narrow(x, MPNO_F16);
}
uint16_t mpno_f16_from_f64(double x) {
    return narrow(x, MPNO_F16);
}
uint16_t mpno_bf16_from_f32(float x) {
    return narrow(x, MPNO_BF16);
}
uint16_t mpno_bf16_from_f64(double x) {
    return narrow(x, MPNO_BF16);
}

static float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

float mpno_f16_to_f32(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t magnitude = bits & 0x7fffu;
    if (magnitude > 0x7c00u) return float_of_bits(sign | 0x7fc00000u | magnitude << 13);
    if (magnitude == 0x7c00u) return float_of_bits(sign | 0x7f800000u);
    if (magnitude >= 0x0400u) return float_of_bits(sign | ((magnitude << 13) + (112u << 23)));
    const float subnormal = (float)magnitude * 0x1p-24f;
    return sign != 0 ? -subnormal : subnormal;
}

float mpno_bf16_to_f32(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    if ((bits & 0x7fffu) > 0x7f80u) wide |= 0x00400000u;
    return float_of_bits(wide);
}

uint8_t mpno_f8_from_f64(double x, mpno_format format) {
    return (uint8_t)narrow(x, format);
}

float mpno_f8_to_f32(uint8_t bits, mpno_format format) {
    const uint32_t sign = (uint32_t)(bits & 0x80u) << 24, magnitude = bits & 0x7fu;
    if (format == MPNO_F8E5M2) /* the upper half of an f16 */
        return mpno_f16_to_f32((uint16_t)(bits << 8));
    if (magnitude == 0x7fu) return float_of_bits(sign | 0x7fc00000u);
    if (magnitude >= 0x08u) return float_of_bits(sign | ((magnitude << 20) + (120u << 23)));
    const float subnormal = (float)magnitude * 0x1p-9f;
    return sign != 0 ? -subnormal : subnormal;
}

enum { CHUNK = 256 };

static void load_chunk(double *out, const char *src, mpno_format format, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float single;
        uint16_t half;
        switch (format) {
            case MPNO_BF16:
                memcpy(&half, src + i * sizeof half, sizeof half);
                out[i] = mpno_bf16_to_f32(half);
                break;
            case MPNO_F16:
                memcpy(&half, src + i * sizeof half, sizeof half);
                out[i] = mpno_f16_to_f32(half);
                break;
            case MPNO_F8E4M3:
            case MPNO_F8E5M2:
                out[i] = mpno_f8_to_f32((uint8_t)src[i], format);
                break;
            case MPNO_F64:
                memcpy(out + i, src + i * sizeof *out, sizeof *out);
                break;
            default: /* kept in f32 */
                memcpy(&single, src + i * sizeof single, sizeof single);
                out[i] = single;
                break;
        }
    }
}

static void store_chunk(char *dst, mpno_format format, const double *in, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float single;
        uint16_t half;
        switch (format) {
            case MPNO_F32:
                single = (float)in[i];
                memcpy(dst + i * sizeof single, &single, sizeof single);
                break;
            case MPNO_BF16:
            case MPNO_F16:
                half = narrow(in[i], format);
                memcpy(dst + i * sizeof half, &half, sizeof half);
                break;
            case MPNO_F8E4M3:
            case MPNO_F8E5M2:
                dst[i] = (char)narrow(in[i], format);
                break;
            case MPNO_F64:
                memcpy(dst + i * sizeof *in, in + i, sizeof *in);
                break;
            default: /* kept in f32 */
                single = (float)mpno_format_round(in[i], format);
                memcpy(dst + i * sizeof single, &single, sizeof single);
                break;
        }
    }
}

void mpno_cast(void *dst, mpno_format dst_format, const void *src, mpno_format src_format,
               size_t n) {
    size_t dst_bytes = mpno_format_bytes(dst_format), src_bytes = mpno_format_bytes(src_format);
    if (n == 0) return;
    if (dst_format == src_format) {
        memcpy(dst, src, n * dst_bytes);
        return;
    }
    double chunk[CHUNK];
    for (size_t start = 0; start < n; start += CHUNK) {
        size_t m = n - start < CHUNK ? n - start : CHUNK;
        load_chunk(chunk, (const char *)src + start * src_bytes, src_format, m);
        store_chunk((char *)dst + start * dst_bytes, dst_format, chunk, m);
    }
}
