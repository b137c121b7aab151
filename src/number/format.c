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

const mpno_format_facts *mpno_format_get(mpno_format format) {
    return &format_table[format];
}

bool mpno_format_parse(const char *name, mpno_format *out) {
    static const struct {
        const char *name;
        mpno_format format;
    } others[] = {
        {"fp64", MPNO_F64},  {"float64", MPNO_F64},   {"double", MPNO_F64},
        {"fp32", MPNO_F32},  {"float32", MPNO_F32},   {"single", MPNO_F32},
        {"float", MPNO_F32}, {"bfloat16", MPNO_BF16}, {"bfloat", MPNO_BF16},
        {"fp16", MPNO_F16},  {"float16", MPNO_F16},   {"half", MPNO_F16},
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
    return false;
}

double mpno_format_unit(mpno_format format) {
    return ldexp(1.0, -format_table[format].significand);
}

double mpno_format_max(mpno_format format) {
    const mpno_format_facts *f = &format_table[format];
    return ldexp(2.0 - ldexp(1.0, 1 - f->significand), f->max_exponent);
}

/* m / 2^shift to the nearest integer, ties to even; 1 <= shift <= 63. */
static uint64_t shift_to_even(uint64_t m, int shift) {
    uint64_t half = (uint64_t)1 << (shift - 1);
    uint64_t quotient = m >> shift;
    uint64_t rest = m & (2 * half - 1);
    return quotient + (rest > half || (rest == half && (quotient & 1) != 0));
}

/* f64 to a 16-bit format with the layout sign, exponent, fraction. */
static uint16_t narrow(double x, mpno_format format) {
    const mpno_format_facts *f = &format_table[format];
    const int fraction = f->significand - 1;
    const uint64_t infinity = (uint64_t)(2 * f->max_exponent + 1) << fraction;
    const uint64_t hidden = (uint64_t)1 << 52;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t sign = bits >> 63 << 15;
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
        uint64_t rebias = (uint64_t)(1023 - f->max_exponent) << 52;
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
    float subnormal = (float)magnitude * 0x1p-24f;
    return sign != 0 ? -subnormal : subnormal;
}

float mpno_bf16_to_f32(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    if ((bits & 0x7fffu) > 0x7f80u) wide |= 0x00400000u;
    return float_of_bits(wide);
}

enum { CHUNK = 256 };

static void load_chunk(double *out, const char *src, mpno_format format, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float single;
        uint16_t half;
        switch (format) {
            case MPNO_F32:
                memcpy(&single, src + i * sizeof single, sizeof single);
                out[i] = single;
                break;
            case MPNO_BF16:
                memcpy(&half, src + i * sizeof half, sizeof half);
                out[i] = mpno_bf16_to_f32(half);
                break;
            case MPNO_F16:
                memcpy(&half, src + i * sizeof half, sizeof half);
                out[i] = mpno_f16_to_f32(half);
                break;
            default:
                memcpy(out + i, src + i * sizeof *out, sizeof *out);
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
            default:
                memcpy(dst + i * sizeof *in, in + i, sizeof *in);
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
