/* SPDX-License-Identifier: MIT
 * Codecs for AVX-512. Blocks of 8 bits to and from f32, to nearest even, have loops of their own:
 * with masks rows of 24 channels take as long as rows of 32, and all is done in registers (5 and 3
 * times as fast as what compilers make of the template). */
#include "kernel/codec_tables.h"

#if MPNO_KERNELS_X86
#include <immintrin.h>

#include "kernel/tmpl/codec_begin.h"

/* 16 values at `src` of which those of the mask are read, times 2^(scale - 127). Both formats have
 * the layout of f16 but for their ends: e5m2 is its upper half, e4m3 has another bias. */
KERNEL_INLINE __m512 block_load(const unsigned char *src, __mmask16 mask, const mpno_format format,
                                __m512 factor) {
    const __m256i code = _mm256_cvtepu8_epi16(_mm_maskz_loadu_epi8(mask, src));
    if (format == MPNO_F8E5M2)
        return _mm512_mul_ps(factor, _mm512_cvtph_ps(_mm256_slli_epi16(code, 8)));
    const __m256i magnitude = _mm256_slli_epi16(_mm256_and_si256(code, _mm256_set1_epi16(0x7f)), 7),
                  sign = _mm256_slli_epi16(_mm256_and_si256(code, _mm256_set1_epi16(0x80)), 8);
    const __mmask16 nan = _mm256_cmpeq_epi16_mask(magnitude, _mm256_set1_epi16(0x7f << 7));
    const __m512 x = _mm512_mul_ps(factor, _mm512_cvtph_ps(_mm256_or_si256(sign, magnitude)));
    return _mm512_mask_mov_ps(x, nan, _mm512_set1_ps(NAN));
}

/* Codes of 16 values that the format reaches, in 32 bits each. Below the smallest normal number the
 * sum with a power of two counts in units. */
KERNEL_INLINE __m512i block_code(__m512 x, const layout l) {
    const __m512i bits = _mm512_castps_si512(x),
                  a = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff)),
                  sign = _mm512_srli_epi32(_mm512_andnot_si512(a, bits), 24);
    const int shift = 23 - l.fraction;
    const __m512i odd =
        _mm512_and_si512(_mm512_srli_epi32(a, (unsigned)shift), _mm512_set1_epi32(1));
    const __m512i half = _mm512_set1_epi32((1 << (shift - 1)) - 1 - ((127 - l.bias) << 23));
    const __m512i normal =
        _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(a, odd), half), (unsigned)shift);
    const float turn = power(1 - l.bias - l.fraction + 23);
    const __m512 counted = _mm512_add_ps(_mm512_castsi512_ps(a), _mm512_set1_ps(turn));
    const __m512i small =
        _mm512_sub_epi32(_mm512_castps_si512(counted), _mm512_castps_si512(_mm512_set1_ps(turn)));
    const __mmask16 below = _mm512_cmplt_epi32_mask(a, _mm512_set1_epi32((128 - l.bias) << 23));
    return _mm512_or_si512(sign, _mm512_mask_mov_epi32(normal, below, small));
}

KERNEL_INLINE __mmask16 first_lanes(int64_t n) {
    return n >= 16 ? (__mmask16)0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1u);
}

/* The smallest scale with which the largest magnitude is a number of the format; one that is not
 * finite keeps its place among the codes. */
KERNEL_INLINE int block_store(unsigned char *dst, unsigned char *scale, const float *src, int64_t n,
                              const mpno_format format, uint32_t largest) {
    const layout l = layout_of(format);
    const __mmask16 low = first_lanes(n), high = first_lanes(n - 16);
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

KERNEL_INLINE void fast_load_block(float *dst, unsigned char scale, const unsigned char *src,
                                   int64_t n, mpno_format format) {
    const __mmask16 low = first_lanes(n), high = first_lanes(n - 16);
    const bool e4m3 = format == MPNO_F8E4M3;
    __m512 factor = _mm512_set1_ps(power(scale - 127)), x, y;
    if (e4m3) { /* the bias of f16 is larger by 8 */
        factor = _mm512_mul_ps(factor, _mm512_set1_ps(256));
        x = block_load(src, low, MPNO_F8E4M3, factor);
        y = block_load(src + 16, high, MPNO_F8E4M3, factor);
    } else {
        x = block_load(src, low, MPNO_F8E5M2, factor);
        y = block_load(src + 16, high, MPNO_F8E5M2, factor);
    }
    _mm512_mask_storeu_ps(dst, low, x);
    _mm512_mask_storeu_ps(dst + 16, high, y);
}

#define TABLE mpno_codec_avx512
#include "kernel/tmpl/codec_both.h"
#endif
