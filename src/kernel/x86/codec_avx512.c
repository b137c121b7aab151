/* SPDX-License-Identifier: MIT
 * Codecs for AVX-512. Blocks of 8 bits to and from f32, to nearest even, have loops of their own:
 * with masks rows of 24 channels take as long as rows of 32, and all is done in registers (5 and 3
 * times as fast as what compilers make of the template). */
#include "kernel/codec_tables.h"

#if MPNO_KERNELS_X86
#include <immintrin.h>

#include "kernel/tmpl/codec_begin.h"

/* Codes of 16 values that the format reaches, in 32 bits each: the sum with a power of two whose
 * unit is the spacing about a value is rounded to it, and has the number of units in its low bits.
 */
KERNEL_INLINE __m512i block_code(__m512 x, const layout l) {
    const unsigned shift = (unsigned)(23 - l.fraction);
    const __m512i bits = _mm512_castps_si512(x),
                  a = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
    const __m512i exponent = _mm512_max_epi32(_mm512_and_si512(a, _mm512_set1_epi32(0x7f800000)),
                                              _mm512_set1_epi32((128 - l.bias) << 23));
    const __m512i turn = _mm512_add_epi32(exponent, _mm512_set1_epi32((int)(shift << 23)));
    const __m512 sum = _mm512_add_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(turn));
    const __m512i units = _mm512_sub_epi32(_mm512_castps_si512(sum), turn);
    const __m512i first = _mm512_sub_epi32(_mm512_srli_epi32(exponent, shift),
                                           _mm512_set1_epi32((128 - l.bias) << l.fraction));
    /* the sign before it: code | (bits >> 24 & 0x80) */
    return _mm512_ternarylogic_epi32(_mm512_add_epi32(units, first), _mm512_srli_epi32(bits, 24),
                                     _mm512_set1_epi32(0x80), 0xf8);
}

/* Bit i: a block has value i. Without a branch, which is guessed wrong at the ends of rows. */
KERNEL_INLINE uint32_t block_mask(int64_t n) {
    return (uint32_t)(((uint64_t)1 << n) - 1);
}

/* The smallest scale with which the largest magnitude is a number of the format; one that is not
 * finite keeps its place among the codes. */
KERNEL_INLINE int block_store(unsigned char *dst, unsigned char *scale, const float *src, int64_t n,
                              const mpno_format format, uint32_t largest) {
    const layout l = layout_of(format);
    const uint32_t mask = block_mask(n);
    const __mmask16 low = (__mmask16)mask, high = (__mmask16)(mask >> 16);
    __m512 x = _mm512_maskz_loadu_ps(low, src), y = _mm512_maskz_loadu_ps(high, src + 16);
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    const uint32_t most = _mm512_reduce_max_epu32(
        _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(x), magnitude),
                         _mm512_and_si512(_mm512_castps_si512(y), magnitude)));
    *scale = scale_of(most, largest);
    const __m512 factor = _mm512_set1_ps(power(127 - *scale));
    x = _mm512_mul_ps(x, factor), y = _mm512_mul_ps(y, factor);
    __m512i a = block_code(x, l), b = block_code(y, l);
    const int bad = most >= 0x7f800000u;
    if (bad) { /* rare: one by one; what is finite saturates */
        uint32_t codes[2 * 16];
        float values[2 * 16];
        _mm512_storeu_ps(values, x), _mm512_storeu_ps(values + 16, y);
        _mm512_storeu_si512(codes, a), _mm512_storeu_si512(codes + 16, b);
        for (int i = 0; i < 32; i++) {
            const uint32_t top = bits_of(values[i]) & 0x7fffffffu;
            const float bound = float_of((bits_of(values[i]) & 0x80000000u) | largest);
            if (top >= 0x7f800000u)
                codes[i] = pattern_of(values[i], l);
            else if (top > largest)
                codes[i] = pattern_of(bound, l);
        }
        a = _mm512_loadu_si512(codes), b = _mm512_loadu_si512(codes + 16);
    }
    _mm512_mask_cvtepi32_storeu_epi8(dst, low, a);
    _mm512_mask_cvtepi32_storeu_epi8(dst + 16, high, b);
    return bad;
}

#define FAST_BLOCKS
KERNEL_INLINE int fast_store_block(unsigned char *dst, unsigned char *scale, const float *src,
                                   int64_t n, mpno_format format) {
    return format == MPNO_F8E4M3 ? block_store(dst, scale, src, n, MPNO_F8E4M3, bits_of(448))
                                 : block_store(dst, scale, src, n, MPNO_F8E5M2, bits_of(57344));
}

/* Both formats have the layout of f16 but for their ends: e5m2 is its upper half, e4m3 has a bias
 * that is smaller by 8. */
KERNEL_INLINE void block_load(float *dst, unsigned char scale, const unsigned char *src, int64_t n,
                              const mpno_format format) {
    const uint32_t mask = block_mask(n);
    const __mmask16 low = (__mmask16)mask, high = (__mmask16)(mask >> 16);
    const __m512i code = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(mask, src));
    __m512i half = _mm512_slli_epi16(code, 8);
    __mmask32 nan = 0;
    int bias = 0;
    if (format == MPNO_F8E4M3) {
        const __m512i magnitude =
            _mm512_and_si512(_mm512_slli_epi16(code, 7), _mm512_set1_epi16(0x3f80));
        nan = _mm512_cmpeq_epi16_mask(magnitude, _mm512_set1_epi16(0x3f80));
        half = _mm512_ternarylogic_epi32(magnitude, half, _mm512_set1_epi16((short)0x8000), 0xf8);
        bias = 8;
    }
    __m512 x = _mm512_cvtph_ps(_mm512_castsi512_si256(half)),
           y = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(half, 1));
    if (nan != 0) { /* rare */
        x = _mm512_mask_mov_ps(x, (__mmask16)nan, _mm512_set1_ps(NAN));
        y = _mm512_mask_mov_ps(y, (__mmask16)(nan >> 16), _mm512_set1_ps(NAN));
    }
    if (scale + bias > 254) { /* rare: the factor is not a number of f32, but the values may be */
        x = _mm512_mul_ps(x, _mm512_set1_ps(256)), y = _mm512_mul_ps(y, _mm512_set1_ps(256));
        bias = 0;
    }
    const __m512 factor = _mm512_set1_ps(power(scale - 127 + bias));
    _mm512_mask_storeu_ps(dst, low, _mm512_mul_ps(x, factor));
    _mm512_mask_storeu_ps(dst + 16, high, _mm512_mul_ps(y, factor));
}

KERNEL_INLINE void fast_load_block(float *dst, unsigned char scale, const unsigned char *src,
                                   int64_t n, mpno_format format) {
    if (format == MPNO_F8E4M3) {
        block_load(dst, scale, src, n, MPNO_F8E4M3);
    } else {
        block_load(dst, scale, src, n, MPNO_F8E5M2);
    }
}

#define TABLE mpno_codec_avx512
#include "kernel/tmpl/codec_both.h"
#endif
