/* SPDX-License-Identifier: MIT
 * The vocabulary of the kernels for AVX-512 F, BW, DQ, VL, 64 bytes wide. What each verb means
 * stands in vec_portable.h. */
#ifndef MPNO_KERNEL_TMPL_VEC_AVX512_H
#define MPNO_KERNEL_TMPL_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "number/format.h"

#define VF32_LANES 16
#define VF64_LANES 8

/* 32 registers: 24 sums, the vectors of B; A is broadcast by the FMA's memory operand. */
#define VEC_TILE_VECTORS 4
#define VEC_LINE_VECTORS 2
#define VEC_MASKS 1
#define VEC_NARROWS_BF16 1
#define VEC_TILE_MAX_ROWS 8
#define VEC_TILE_ROWS \
    { 0, 8, 8, 8, 6 }
#define VEC_TILES(X)                                                                            \
    X(1, 1)                                                                                     \
    X(2, 1)                                                                                     \
    X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2)     \
        X(6, 2) X(7, 2) X(8, 2) X(1, 3) X(2, 3) X(3, 3) X(4, 3) X(5, 3) X(6, 3) X(7, 3) X(8, 3) \
            X(1, 4) X(2, 4) X(3, 4) X(4, 4) X(5, 4) X(6, 4)

/* The verbs of gemm_pairs.h are there. */
#define VEC_PAIRS

/* The same for complex products, where each row has two planes: 24 sums, both planes of the vectors
 * of B and of an element of A. */
#define VEC_COMPLEX_VECTORS 4
#define VEC_COMPLEX_MAX_ROWS 6
#define VEC_COMPLEX_ROWS \
    { 0, 6, 6, 4, 3 }
#define VEC_COMPLEX_TILES(X)                                                                \
    X(1, 1)                                                                                 \
    X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2) \
        X(1, 3) X(2, 3) X(3, 3) X(4, 3) X(1, 4) X(2, 4) X(3, 4)

typedef __m512 vf32;
typedef __m512d vf64;
typedef __mmask16 vf32_mask;
typedef __mmask8 vf64_mask;

/* The first n lanes set. */
static inline __mmask16 vf32_first(int64_t n) {
    return (__mmask16)((1u << n) - 1u);
}
static inline __mmask8 vf64_first(int64_t n) {
    return (__mmask8)((1u << n) - 1u);
}

/* The first n < 16 words of 16 bits at p, the others 0: by a mask, since what was just stored in
 * pieces is not ready to be loaded as a whole. */
#define VEC_HAS_WORDS
static inline __m256i vec_load_words(const void *p, int64_t n) {
    return _mm256_maskz_loadu_epi16(vf32_first(n), p);
}
static inline void vec_store_words(void *p, __m256i words, int64_t n) {
    _mm256_mask_storeu_epi16(p, vf32_first(n), words);
}

static inline vf32 vf32_load(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline void vf32_store(float *p, vf32 v) {
    _mm512_storeu_ps(p, v);
}
static inline vf32 vf32_load_part(const float *p, int64_t n) {
    return _mm512_maskz_loadu_ps(vf32_first(n), p);
}
static inline void vf32_store_part(float *p, vf32 v, int64_t n) {
    _mm512_mask_storeu_ps(p, vf32_first(n), v);
}
static inline vf32 vf32_set1(float x) {
    return _mm512_set1_ps(x);
}
static inline vf32 vf32_pair(vf32 a, vf32 b) {
    __asm__("" : "+v"(b)); /* else gcc loads it a second time */
    return _mm512_mask_mov_ps(a, 0xff00, b);
}
static inline vf32 vf32_join(vf32 a, vf32 b) {
    return _mm512_shuffle_f32x4(a, b, _MM_SHUFFLE(1, 0, 3, 2));
}
static inline vf32 vf32_add(vf32 a, vf32 b) {
    return _mm512_add_ps(a, b);
}
static inline vf32 vf32_sub(vf32 a, vf32 b) {
    return _mm512_sub_ps(a, b);
}
static inline vf32 vf32_mul(vf32 a, vf32 b) {
    return _mm512_mul_ps(a, b);
}
static inline vf32 vf32_div(vf32 a, vf32 b) {
    return _mm512_div_ps(a, b);
}
static inline vf32 vf32_fma(vf32 a, vf32 b, vf32 c) {
    return _mm512_fmadd_ps(a, b, c);
}
static inline vf32 vf32_fnma(vf32 a, vf32 b, vf32 c) {
    return _mm512_fnmadd_ps(a, b, c);
}
static inline vf32_mask vf32_less(vf32 a, vf32 b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
static inline vf32_mask vf32_mask_or(vf32_mask a, vf32_mask b) {
    return (vf32_mask)(a | b);
}
static inline vf32_mask vf32_mask_not(vf32_mask a) {
    return (vf32_mask)~a;
}
static inline int vf32_any(vf32_mask m) {
    return m != 0;
}
static inline vf32 vf32_select(vf32_mask m, vf32 a, vf32 b) {
    return _mm512_mask_mov_ps(b, m, a);
}
static inline vf32 vf32_min(vf32 a, vf32 b) {
    return _mm512_min_ps(a, b);
}
static inline vf32 vf32_max(vf32 a, vf32 b) {
    return _mm512_max_ps(a, b);
}
static inline vf32 vf32_abs(vf32 a) {
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a);
}
static inline vf32 vf32_neg(vf32 a) {
    return _mm512_xor_ps(_mm512_set1_ps(-0.0f), a);
}
static inline vf32 vf32_copysign(vf32 magnitude, vf32 sign) {
    return _mm512_or_ps(vf32_abs(magnitude), _mm512_and_ps(_mm512_set1_ps(-0.0f), sign));
}
static inline vf32 vf32_fms_exact(vf32 a, vf32 b, vf32 c) {
    return _mm512_fmsub_ps(a, b, c);
}
static inline vf32 vf32_zero_where(vf32_mask m, vf32 a) {
    return _mm512_maskz_mov_ps(vf32_mask_not(m), a);
}
static inline vf32 vf32_lookup(const float table[8], vf32 k) {
    const __m512 twice = _mm512_broadcast_f32x8(_mm256_load_ps(table));
    return _mm512_permutexvar_ps(_mm512_castps_si512(k), twice);
}
static inline vf32 vf32_add_exponent(vf32 x, vf32 k) {
    const __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(k), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), shifted));
}
static inline vf32 vf32_zip_low(vf32 a, vf32 b) {
    const __m512i from = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(a, from, b);
}
static inline vf32 vf32_zip_high(vf32 a, vf32 b) {
    const __m512i from =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return _mm512_permutex2var_ps(a, from, b);
}

static inline vf32 vf32_load_f32(const void *p) {
    return _mm512_loadu_ps(p);
}
static inline vf32 vf32_load_f64(const void *p) {
    const double *x = p;
    const __m256 low = _mm512_cvtpd_ps(_mm512_loadu_pd(x));
    const __m256 high = _mm512_cvtpd_ps(_mm512_loadu_pd(x + 8));
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}
static inline vf32 vf32_load_f16(const void *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline vf32 vf32_load_bf16(const void *p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline void vf32_store_f32(void *p, vf32 v) {
    _mm512_storeu_ps(p, v);
}
static inline void vf32_store_f64(void *p, vf32 v) {
    double *x = p;
    _mm512_storeu_pd(x, _mm512_cvtps_pd(_mm512_castps512_ps256(v)));
    _mm512_storeu_pd(x + 8, _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)));
}
static inline void vf32_store_f16(void *p, vf32 v) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
/* Integer rounding, see vec_avx2.h. The conversion instruction of AVX512-BF16 would flush
 * subnormals. */
static inline void vf32_store_bf16(void *p, vf32 v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i upper = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m512i quiet = _mm512_or_si512(upper, _mm512_set1_epi32(0x40));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i half = _mm512_mask_mov_epi32(_mm512_srli_epi32(sum, 16), nan, quiet);
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(half));
}

/* As many of n values as make pairs of vectors, up to a NaN: their number. Rounded as above; the
 * upper halves of both vectors are picked at once. *bad: one became infinite. */
static inline int64_t vf32_narrow_bf16(unsigned char *dst, const float *src, int64_t n, bool *bad) {
    enum { IS_NAN = 0x81 }; /* quiet or signalling; a constant for clang */
    const __m512i below_half = _mm512_set1_epi32(0x7fff), lowest = _mm512_set1_epi32(0x10000),
                  one = _mm512_set1_epi32(1), magnitude = _mm512_set1_epi16(0x7fff);
    const __m512i uppers =
        _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                         25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    __m512i largest = _mm512_setzero_si512();
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m512 x = _mm512_loadu_ps(src + i), y = _mm512_loadu_ps(src + i + 16);
        if (_mm512_fpclass_ps_mask(x, IS_NAN) | _mm512_fpclass_ps_mask(y, IS_NAN)) break;
        __m512i bits[2] = {_mm512_castps_si512(x), _mm512_castps_si512(y)};
        for (int k = 0; k < 2; k++) {
            const __mmask16 odd = _mm512_test_epi32_mask(bits[k], lowest);
            bits[k] = _mm512_add_epi32(bits[k], below_half);
            bits[k] = _mm512_mask_add_epi32(bits[k], odd, bits[k], one);
        }
        const __m512i halves = _mm512_permutex2var_epi16(bits[0], uppers, bits[1]);
        largest = _mm512_max_epu16(largest, _mm512_and_si512(halves, magnitude));
        _mm512_storeu_si512(dst + 2 * i, halves);
    }
    *bad |= _mm512_cmpge_epu16_mask(largest, _mm512_set1_epi16(0x7f80)) != 0;
    return i;
}

static inline vf64 vf64_load(const double *p) {
    return _mm512_loadu_pd(p);
}
static inline void vf64_store(double *p, vf64 v) {
    _mm512_storeu_pd(p, v);
}
static inline vf64 vf64_load_part(const double *p, int64_t n) {
    return _mm512_maskz_loadu_pd(vf64_first(n), p);
}
static inline void vf64_store_part(double *p, vf64 v, int64_t n) {
    _mm512_mask_storeu_pd(p, vf64_first(n), v);
}
static inline vf64 vf64_set1(double x) {
    return _mm512_set1_pd(x);
}
static inline vf64 vf64_pair(vf64 a, vf64 b) {
    __asm__("" : "+v"(b));
    return _mm512_mask_mov_pd(a, 0xf0, b);
}
static inline vf64 vf64_join(vf64 a, vf64 b) {
    return _mm512_shuffle_f64x2(a, b, _MM_SHUFFLE(1, 0, 3, 2));
}
static inline vf64 vf64_add(vf64 a, vf64 b) {
    return _mm512_add_pd(a, b);
}
static inline vf64 vf64_sub(vf64 a, vf64 b) {
    return _mm512_sub_pd(a, b);
}
static inline vf64 vf64_mul(vf64 a, vf64 b) {
    return _mm512_mul_pd(a, b);
}
static inline vf64 vf64_fma(vf64 a, vf64 b, vf64 c) {
    return _mm512_fmadd_pd(a, b, c);
}
static inline vf64 vf64_fnma(vf64 a, vf64 b, vf64 c) {
    return _mm512_fnmadd_pd(a, b, c);
}
static inline vf64_mask vf64_less(vf64 a, vf64 b) {
    return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ);
}
static inline vf64_mask vf64_mask_or(vf64_mask a, vf64_mask b) {
    return (vf64_mask)(a | b);
}
static inline vf64_mask vf64_mask_not(vf64_mask a) {
    return (vf64_mask)~a;
}
static inline int vf64_any(vf64_mask m) {
    return m != 0;
}
static inline vf64 vf64_max(vf64 a, vf64 b) {
    return _mm512_max_pd(a, b);
}
static inline vf64 vf64_abs(vf64 a) {
    return _mm512_andnot_pd(_mm512_set1_pd(-0.0), a);
}
static inline vf64 vf64_neg(vf64 a) {
    return _mm512_xor_pd(_mm512_set1_pd(-0.0), a);
}
static inline vf64 vf64_zip_low(vf64 a, vf64 b) {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b);
}
static inline vf64 vf64_zip_high(vf64 a, vf64 b) {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b);
}

static inline vf64 vf64_load_f64(const void *p) {
    return _mm512_loadu_pd(p);
}
static inline vf64 vf64_load_f32(const void *p) {
    return _mm512_cvtps_pd(_mm256_loadu_ps(p));
}
static inline vf64 vf64_load_f16(const void *p) {
    return _mm512_cvtps_pd(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)));
}
static inline vf64 vf64_load_bf16(const void *p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm512_cvtps_pd(_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)));
}
static inline void vf64_store_f64(void *p, vf64 v) {
    _mm512_storeu_pd(p, v);
}
static inline void vf64_store_f32(void *p, vf64 v) {
    _mm256_storeu_ps(p, _mm512_cvtpd_ps(v));
}
/* Through f32 the value would be rounded twice. */
static inline void vf64_store_f16(void *p, vf64 v) {
    double x[VF64_LANES];
    uint16_t y[VF64_LANES];
    _mm512_storeu_pd(x, v);
    for (int i = 0; i < VF64_LANES; i++) y[i] = mpno_f16_from_f64(x[i]);
    memcpy(p, y, sizeof y);
}
static inline void vf64_store_bf16(void *p, vf64 v) {
    double x[VF64_LANES];
    uint16_t y[VF64_LANES];
    _mm512_storeu_pd(x, v);
    for (int i = 0; i < VF64_LANES; i++) y[i] = mpno_bf16_from_f64(x[i]);
    memcpy(p, y, sizeof y);
}

#endif
