/* SPDX-License-Identifier: MIT
 * The vocabulary of the kernels for AVX2 + FMA + F16C, 32 bytes wide. What each verb means stands
 * in vec_portable.h. */
#ifndef MPNO_KERNEL_TMPL_VEC_AVX2_H
#define MPNO_KERNEL_TMPL_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "number/format.h"

#define VF32_LANES 8
#define VF64_LANES 4

/* 16 registers: 12 sums (two FMA pipes x latency 4 need 8), the vectors of B and one broadcast of
 * A. */
#define VEC_TILE_VECTORS 3
#define VEC_LINE_VECTORS 1
#define VEC_MASKS 1
#define VEC_NARROWS_BF16 0
#define VEC_TILE_MAX_ROWS 8
#define VEC_TILE_ROWS \
    { 0, 8, 6, 4 }
#define VEC_TILES(X)                                                                        \
    X(1, 1)                                                                                 \
    X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(1, 2) X(2, 2) X(3, 2) X(4, 2) \
        X(5, 2) X(6, 2) X(1, 3) X(2, 3) X(3, 3) X(4, 3)

/* The same for complex products, where each row has two planes: 8 sums, both planes of two vectors
 * of B and of an element of A. Three rows, 12 sums, left one register too few: 12 % slower. */
#define VEC_COMPLEX_VECTORS 2
#define VEC_COMPLEX_MAX_ROWS 6
#define VEC_COMPLEX_ROWS \
    { 0, 6, 2 }
#define VEC_COMPLEX_TILES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(1, 2) X(2, 2)

typedef __m256 vf32;
typedef __m256d vf64;
typedef __m256 vf32_mask;
typedef __m256d vf64_mask;

/* The first n lanes set. */
static inline __m256i vf32_first(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline __m256i vf64_first(int64_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

static inline vf32 vf32_load(const float *p) {
    return _mm256_loadu_ps(p);
}
static inline void vf32_store(float *p, vf32 v) {
    _mm256_storeu_ps(p, v);
}
static inline vf32 vf32_load_part(const float *p, int64_t n) {
    return _mm256_maskload_ps(p, vf32_first(n));
}
static inline void vf32_store_part(float *p, vf32 v, int64_t n) {
    _mm256_maskstore_ps(p, vf32_first(n), v);
}
static inline vf32 vf32_set1(float x) {
    return _mm256_set1_ps(x);
}
static inline vf32 vf32_add(vf32 a, vf32 b) {
    return _mm256_add_ps(a, b);
}
static inline vf32 vf32_sub(vf32 a, vf32 b) {
    return _mm256_sub_ps(a, b);
}
static inline vf32 vf32_mul(vf32 a, vf32 b) {
    return _mm256_mul_ps(a, b);
}
static inline vf32 vf32_div(vf32 a, vf32 b) {
    return _mm256_div_ps(a, b);
}
static inline vf32 vf32_fma(vf32 a, vf32 b, vf32 c) {
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf32 vf32_fnma(vf32 a, vf32 b, vf32 c) {
    return _mm256_fnmadd_ps(a, b, c);
}
static inline vf32_mask vf32_less(vf32 a, vf32 b) {
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
static inline vf32_mask vf32_mask_or(vf32_mask a, vf32_mask b) {
    return _mm256_or_ps(a, b);
}
static inline vf32_mask vf32_mask_not(vf32_mask a) {
    return _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1)));
}
static inline int vf32_any(vf32_mask m) {
    return _mm256_movemask_ps(m) != 0;
}
static inline vf32 vf32_select(vf32_mask m, vf32 a, vf32 b) {
    return _mm256_blendv_ps(b, a, m);
}
static inline vf32 vf32_min(vf32 a, vf32 b) {
    return _mm256_min_ps(a, b);
}
static inline vf32 vf32_max(vf32 a, vf32 b) {
    return _mm256_max_ps(a, b);
}
static inline vf32 vf32_abs(vf32 a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
static inline vf32 vf32_neg(vf32 a) {
    return _mm256_xor_ps(_mm256_set1_ps(-0.0f), a);
}
static inline vf32 vf32_copysign(vf32 magnitude, vf32 sign) {
    return _mm256_or_ps(vf32_abs(magnitude), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
static inline vf32 vf32_fms_exact(vf32 a, vf32 b, vf32 c) {
    return _mm256_fmsub_ps(a, b, c);
}
static inline vf32 vf32_zero_where(vf32_mask m, vf32 a) {
    return _mm256_andnot_ps(m, a);
}
static inline vf32 vf32_lookup(const float table[8], vf32 k) {
    return _mm256_permutevar8x32_ps(_mm256_load_ps(table), _mm256_castps_si256(k));
}
static inline vf32 vf32_add_exponent(vf32 x, vf32 k) {
    const __m256i shifted = _mm256_slli_epi32(_mm256_castps_si256(k), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), shifted));
}
/* Instructions of 32 bytes interleave each half by itself. */
static inline vf32 vf32_zip_low(vf32 a, vf32 b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
}
static inline vf32 vf32_zip_high(vf32 a, vf32 b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
}

static inline vf32 vf32_load_f32(const void *p) {
    return _mm256_loadu_ps(p);
}
static inline vf32 vf32_load_f64(const void *p) {
    const double *x = p;
    return _mm256_set_m128(_mm256_cvtpd_ps(_mm256_loadu_pd(x + 4)),
                           _mm256_cvtpd_ps(_mm256_loadu_pd(x)));
}
static inline vf32 vf32_load_f16(const void *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline vf32 vf32_load_bf16(const void *p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
static inline void vf32_store_f32(void *p, vf32 v) {
    _mm256_storeu_ps(p, v);
}
static inline void vf32_store_f64(void *p, vf32 v) {
    double *x = p;
    _mm256_storeu_pd(x, _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
    _mm256_storeu_pd(x + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
}
static inline void vf32_store_f16(void *p, vf32 v) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
/* bits + 0x7fff + (lowest kept bit) carries into the upper half exactly when rounding goes up; a
 * NaN, which the carry could turn into infinity, gets its quiet bit instead. */
static inline void vf32_store_bf16(void *p, vf32 v) {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i upper = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i sum = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i half = _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16), quiet, nan);
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi32(_mm256_castsi256_si128(half),
                                                    _mm256_extracti128_si256(half, 1)));
}

static inline vf64 vf64_load(const double *p) {
    return _mm256_loadu_pd(p);
}
static inline void vf64_store(double *p, vf64 v) {
    _mm256_storeu_pd(p, v);
}
static inline vf64 vf64_load_part(const double *p, int64_t n) {
    return _mm256_maskload_pd(p, vf64_first(n));
}
static inline void vf64_store_part(double *p, vf64 v, int64_t n) {
    _mm256_maskstore_pd(p, vf64_first(n), v);
}
static inline vf64 vf64_set1(double x) {
    return _mm256_set1_pd(x);
}
static inline vf64 vf64_add(vf64 a, vf64 b) {
    return _mm256_add_pd(a, b);
}
static inline vf64 vf64_sub(vf64 a, vf64 b) {
    return _mm256_sub_pd(a, b);
}
static inline vf64 vf64_mul(vf64 a, vf64 b) {
    return _mm256_mul_pd(a, b);
}
static inline vf64 vf64_fma(vf64 a, vf64 b, vf64 c) {
    return _mm256_fmadd_pd(a, b, c);
}
static inline vf64 vf64_fnma(vf64 a, vf64 b, vf64 c) {
    return _mm256_fnmadd_pd(a, b, c);
}
static inline vf64_mask vf64_less(vf64 a, vf64 b) {
    return _mm256_cmp_pd(a, b, _CMP_LT_OQ);
}
static inline vf64_mask vf64_mask_or(vf64_mask a, vf64_mask b) {
    return _mm256_or_pd(a, b);
}
static inline vf64_mask vf64_mask_not(vf64_mask a) {
    return _mm256_xor_pd(a, _mm256_castsi256_pd(_mm256_set1_epi32(-1)));
}
static inline int vf64_any(vf64_mask m) {
    return _mm256_movemask_pd(m) != 0;
}
static inline vf64 vf64_max(vf64 a, vf64 b) {
    return _mm256_max_pd(a, b);
}
static inline vf64 vf64_abs(vf64 a) {
    return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a);
}
static inline vf64 vf64_neg(vf64 a) {
    return _mm256_xor_pd(_mm256_set1_pd(-0.0), a);
}
static inline vf64 vf64_zip_low(vf64 a, vf64 b) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x20);
}
static inline vf64 vf64_zip_high(vf64 a, vf64 b) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x31);
}

static inline vf64 vf64_load_f64(const void *p) {
    return _mm256_loadu_pd(p);
}
static inline vf64 vf64_load_f32(const void *p) {
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
}
static inline vf64 vf64_load_f16(const void *p) {
    return _mm256_cvtps_pd(_mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)p)));
}
static inline vf64 vf64_load_bf16(const void *p) {
    const __m128i wide = _mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)p));
    return _mm256_cvtps_pd(_mm_castsi128_ps(_mm_slli_epi32(wide, 16)));
}
static inline void vf64_store_f64(void *p, vf64 v) {
    _mm256_storeu_pd(p, v);
}
static inline void vf64_store_f32(void *p, vf64 v) {
    _mm_storeu_ps(p, _mm256_cvtpd_ps(v));
}
/* Through f32 the value would be rounded twice. */
static inline void vf64_store_f16(void *p, vf64 v) {
    double x[VF64_LANES];
    uint16_t y[VF64_LANES];
    _mm256_storeu_pd(x, v);
    for (int i = 0; i < VF64_LANES; i++) y[i] = mpno_f16_from_f64(x[i]);
    memcpy(p, y, sizeof y);
}
static inline void vf64_store_bf16(void *p, vf64 v) {
    double x[VF64_LANES];
    uint16_t y[VF64_LANES];
    _mm256_storeu_pd(x, v);
    for (int i = 0; i < VF64_LANES; i++) y[i] = mpno_bf16_from_f64(x[i]);
    memcpy(p, y, sizeof y);
}

#endif
