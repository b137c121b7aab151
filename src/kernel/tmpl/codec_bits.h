/* SPDX-License-Identifier: MIT
 * Patterns of the narrow formats from and to f32 (a value of the format, exactly), and the random
 * numbers of stochastic rounding. Everything is a choice between two results by masks, not a
 * branch, so that it vectorises (compilers leave branches around floating-point operations);
 * subnormals go through integers, not through subnormal floats, which some processors take a
 * hundred cycles for. */

KERNEL_INLINE uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

KERNEL_INLINE float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

KERNEL_INLINE uint32_t chosen(bool first, uint32_t a, uint32_t b) {
    const uint32_t mask = 0 - (uint32_t)first;
    return (a & mask) | (b & ~mask);
}

/* 2^k, -126 <= k <= 127. */
KERNEL_INLINE float power(int k) {
    return float_of((uint32_t)(k + 127) << 23);
}

/* mpno_codec_scale, from the bits of the magnitude and of the largest number. */
KERNEL_INLINE unsigned char scale_of(uint32_t most, uint32_t largest) {
    const int over = (most & 0x7fffffu) > (largest & 0x7fffffu);
    const int scale = 127 + (int)(most >> 23) - (int)(largest >> 23) + over;
    if (most == 0 || most >= 0x7f800000u) return 127;
    return (unsigned char)(scale < 1 ? 1 : scale > 253 ? 253 : scale);
}

/* A format of 8 or 16 bits. */
typedef struct layout {
    int bits, fraction, bias;
    bool no_infinity; /* f8e4m3: all bits set is the one NaN */
} layout;

KERNEL_INLINE layout layout_of(mpno_format format) {
    switch (format) {
        case MPNO_F8E4M3:
            return (layout){8, 3, 7, true};
        case MPNO_F8E5M2:
            return (layout){8, 2, 15, false};
        case MPNO_F16:
            return (layout){16, 10, 15, false};
        default:
            return (layout){16, 7, 127, false};
    }
}

KERNEL_INLINE uint32_t pattern_of(float x, const layout l) {
    const uint32_t bits = bits_of(x), a = bits & 0x7fffffffu;
    const uint32_t sign = bits >> 31 << (l.bits - 1);
    const uint32_t infinity = l.no_infinity ? 0x7fu : (uint32_t)(2 * l.bias + 1) << l.fraction;
    const uint32_t special =
        infinity | (a > 0x7f800000u && !l.no_infinity ? 1u << (l.fraction - 1) : 0u);
    uint32_t code = (a >> (23 - l.fraction)) - ((uint32_t)(127 - l.bias) << l.fraction);
    if (l.bias != 127) {
        const bool small = a < (uint32_t)(128 - l.bias) << 23;
        const float quanta = float_of(chosen(small, a, 0)) * power(l.fraction + l.bias - 1);
        code = chosen(small, (uint32_t)(int32_t)quanta, code);
    }
    return sign | chosen(a >= 0x7f800000u, special, code);
}

KERNEL_INLINE float value_of(uint32_t code, const layout l) {
    const uint32_t sign = code >> (l.bits - 1) << 31, a = code & ((1u << (l.bits - 1)) - 1u);
    const uint32_t infinity = l.no_infinity ? 0x7fu : (uint32_t)(2 * l.bias + 1) << l.fraction;
    const uint32_t quiet = l.no_infinity ? 0x7fc00000u : 0x7f800000u;
    const uint32_t payload = l.no_infinity ? 0 : (a - infinity) << (23 - l.fraction);
    uint32_t wide = (a << (23 - l.fraction)) + ((uint32_t)(127 - l.bias) << 23);
    if (l.bias != 127) {
        const float subnormal = (float)(int32_t)a * power(1 - l.bias - l.fraction);
        wide = chosen(a < 1u << l.fraction, bits_of(subnormal), wide);
    }
    return float_of(sign | chosen(a >= infinity, quiet | payload, wide));
}

/* Bijective mixing of 32 bits (C. Wellons, "Prospecting for hash functions", 2018: triple32), a key
 * before it and one within. */
KERNEL_INLINE uint32_t mixed(uint32_t x, uint32_t first, uint32_t second) {
    x ^= first;
    x ^= x >> 17;
    x *= 0xed5ad4bbu;
    x ^= x >> 11;
    x += second;
    x *= 0xac4c1b51u;
    x ^= x >> 15;
    x *= 0x31848babu;
    x ^= x >> 14;
    return x;
}
