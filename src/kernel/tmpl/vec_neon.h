/* SPDX-License-Identifier: MIT
 * The vocabulary of the kernels for Advanced SIMD of arm64 (with its fused multiply-add), 16 bytes
 * wide. What each verb means stands in vec_portable.h. */
#ifndef MPNO_KERNEL_TMPL_VEC_NEON_H
#define MPNO_KERNEL_TMPL_VEC_NEON_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#include "number/format.h"

#define VF32_LANES 4
#define VF64_LANES 2

/* 32 registers: 24 sums, the vectors of B and the broadcasts of A. */
#define VEC_TILE_VECTORS 4
#define VEC_LINE_VECTORS 2
#define VEC_MASKS 0
#define VEC_NARROWS_BF16 0
#define VEC_TILE_MAX_ROWS 8
#define VEC_TILE_ROWS \
    { 0, 8, 8, 8, 6 }
#define VEC_TILES(X)                                                                            \
    X(1, 1)                                                                                     \
    X(2, 1)                                                                                     \
    X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2)     \
        X(6, 2) X(7, 2) X(8, 2) X(1, 3) X(2, 3) X(3, 3) X(4, 3) X(5, 3) X(6, 3) X(7, 3) X(8, 3) \
            X(1, 4) X(2, 4) X(3, 4) X(4, 4) X(5, 4) X(6, 4)

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

typedef float32x4_t vf32;
typedef float64x2_t vf64;
typedef uint32x4_t vf32_mask;
typedef uint64x2_t vf64_mask;

static inline vf32 vf32_load(const float *p) {
    return vld1q_f32(p);
}
static inline void vf32_store(float *p, vf32 v) {
    vst1q_f32(p, v);
}
static inline vf32 vf32_load_part(const float *p, int64_t n) {
    float x[VF32_LANES] = {0};
    for (int64_t i = 0; i < VF32_LANES; i++) {
        if (i < n) x[i] = p[i];
    }
    return vld1q_f32(x);
}
static inline void vf32_store_part(float *p, vf32 v, int64_t n) {
    float x[VF32_LANES];
    vst1q_f32(x, v);
    for (int64_t i = 0; i < VF32_LANES; i++) {
        if (i < n) p[i] = x[i];
    }
}
static inline vf32 vf32_set1(float x) {
    return vdupq_n_f32(x);
}
static inline vf32 vf32_add(vf32 a, vf32 b) {
    return vaddq_f32(a, b);
}
static inline vf32 vf32_sub(vf32 a, vf32 b) {
    return vsubq_f32(a, b);
}
static inline vf32 vf32_mul(vf32 a, vf32 b) {
    return vmulq_f32(a, b);
}
static inline vf32 vf32_div(vf32 a, vf32 b) {
    return vdivq_f32(a, b);
}
static inline vf32 vf32_fma(vf32 a, vf32 b, vf32 c) {
    return vfmaq_f32(c, a, b);
}
static inline vf32 vf32_fnma(vf32 a, vf32 b, vf32 c) {
    return vfmsq_f32(c, a, b);
}
static inline vf32_mask vf32_less(vf32 a, vf32 b) {
    return vcltq_f32(a, b);
}
static inline vf32_mask vf32_mask_or(vf32_mask a, vf32_mask b) {
    return vorrq_u32(a, b);
}
static inline vf32_mask vf32_mask_not(vf32_mask a) {
    return vmvnq_u32(a);
}
static inline int vf32_any(vf32_mask m) {
    return vmaxvq_u32(m) != 0;
}
static inline vf32 vf32_select(vf32_mask m, vf32 a, vf32 b) {
    return vbslq_f32(m, a, b);
}
/* Not vminq and vmaxq, which give NaN when the first argument alone is one. */
static inline vf32 vf32_min(vf32 a, vf32 b) {
    return vbslq_f32(vcltq_f32(a, b), a, b);
}
static inline vf32 vf32_max(vf32 a, vf32 b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}
static inline vf32 vf32_abs(vf32 a) {
    return vabsq_f32(a);
}
static inline vf32 vf32_neg(vf32 a) {
    return vnegq_f32(a);
}
static inline vf32 vf32_copysign(vf32 magnitude, vf32 sign) {
    return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude);
}
static inline vf32 vf32_fms_exact(vf32 a, vf32 b, vf32 c) {
    return vfmaq_f32(vnegq_f32(c), a, b);
}
static inline vf32 vf32_zero_where(vf32_mask m, vf32 a) {
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(a), m));
}
static inline vf32 vf32_lookup(const float table[8], vf32 k) {
    const uint32x4_t index = vandq_u32(vreinterpretq_u32_f32(k), vdupq_n_u32(7));
    const float32x2_t low = {table[vgetq_lane_u32(index, 0)], table[vgetq_lane_u32(index, 1)]},
                      high = {table[vgetq_lane_u32(index, 2)], table[vgetq_lane_u32(index, 3)]};
    return vcombine_f32(low, high);
}
static inline vf32 vf32_add_exponent(vf32 x, vf32 k) {
    const uint32x4_t shifted = vshlq_n_u32(vreinterpretq_u32_f32(k), 23);
    return vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(x), shifted));
}
static inline vf32 vf32_zip_low(vf32 a, vf32 b) {
    return vzip1q_f32(a, b);
}
static inline vf32 vf32_zip_high(vf32 a, vf32 b) {
    return vzip2q_f32(a, b);
}

static inline vf32 vf32_load_f32(const void *p) {
    return vld1q_f32(p);
}
static inline vf32 vf32_load_f64(const void *p) {
    const double *x = p;
    return vcvt_high_f32_f64(vcvt_f32_f64(vld1q_f64(x)), vld1q_f64(x + 2));
}
static inline vf32 vf32_load_f16(const void *p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
static inline vf32 vf32_load_bf16(const void *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
static inline void vf32_store_f32(void *p, vf32 v) {
    vst1q_f32(p, v);
}
static inline void vf32_store_f64(void *p, vf32 v) {
    double *x = p;
    vst1q_f64(x, vcvt_f64_f32(vget_low_f32(v)));
    vst1q_f64(x + 2, vcvt_high_f64_f32(v));
}
static inline void vf32_store_f16(void *p, vf32 v) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v)));
}
/* Integer rounding, see vec_avx2.h. */
static inline void vf32_store_bf16(void *p, vf32 v) {
    const uint32x4_t bits = vreinterpretq_u32_f32(v);
    const uint32x4_t upper = vshrq_n_u32(bits, 16);
    const uint32x4_t odd = vandq_u32(upper, vdupq_n_u32(1));
    const uint32x4_t sum = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const uint32x4_t quiet = vorrq_u32(upper, vdupq_n_u32(0x40));
    const uint32x4_t number = vceqq_f32(v, v);
    vst1_u16(p, vmovn_u32(vbslq_u32(number, vshrq_n_u32(sum, 16), quiet)));
}

static inline vf64 vf64_load(const double *p) {
    return vld1q_f64(p);
}
static inline void vf64_store(double *p, vf64 v) {
    vst1q_f64(p, v);
}
static inline vf64 vf64_load_part(const double *p, int64_t n) {
    const double x[VF64_LANES] = {n > 0 ? p[0] : 0.0, n > 1 ? p[1] : 0.0};
    return vld1q_f64(x);
}
static inline void vf64_store_part(double *p, vf64 v, int64_t n) {
    if (n > 0) p[0] = vgetq_lane_f64(v, 0);
    if (n > 1) p[1] = vgetq_lane_f64(v, 1);
}
static inline vf64 vf64_set1(double x) {
    return vdupq_n_f64(x);
}
static inline vf64 vf64_add(vf64 a, vf64 b) {
    return vaddq_f64(a, b);
}
static inline vf64 vf64_sub(vf64 a, vf64 b) {
    return vsubq_f64(a, b);
}
static inline vf64 vf64_mul(vf64 a, vf64 b) {
    return vmulq_f64(a, b);
}
static inline vf64 vf64_fma(vf64 a, vf64 b, vf64 c) {
    return vfmaq_f64(c, a, b);
}
static inline vf64 vf64_fnma(vf64 a, vf64 b, vf64 c) {
    return vfmsq_f64(c, a, b);
}
static inline vf64_mask vf64_less(vf64 a, vf64 b) {
    return vcltq_f64(a, b);
}
static inline vf64_mask vf64_mask_or(vf64_mask a, vf64_mask b) {
    return vorrq_u64(a, b);
}
static inline vf64_mask vf64_mask_not(vf64_mask a) {
    return vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(a)));
}
static inline int vf64_any(vf64_mask m) {
    return vmaxvq_u32(vreinterpretq_u32_u64(m)) != 0;
}
static inline vf64 vf64_max(vf64 a, vf64 b) {
    return vbslq_f64(vcgtq_f64(a, b), a, b);
}
static inline vf64 vf64_abs(vf64 a) {
    return vabsq_f64(a);
}
static inline vf64 vf64_neg(vf64 a) {
    return vnegq_f64(a);
}
static inline vf64 vf64_zip_low(vf64 a, vf64 b) {
    return vzip1q_f64(a, b);
}
static inline vf64 vf64_zip_high(vf64 a, vf64 b) {
    return vzip2q_f64(a, b);
}

static inline vf64 vf64_load_f64(const void *p) {
    return vld1q_f64(p);
}
static inline vf64 vf64_load_f32(const void *p) {
    return vcvt_f64_f32(vld1_f32(p));
}
static inline vf64 vf64_load_f16(const void *p) {
    uint16_t x[VF64_LANES];
    memcpy(x, p, sizeof x);
    const uint16_t four[] = {x[0], x[1], 0, 0};
    return vcvt_f64_f32(vget_low_f32(vf32_load_f16(four)));
}
static inline vf64 vf64_load_bf16(const void *p) {
    uint16_t x[VF64_LANES];
    memcpy(x, p, sizeof x);
    const uint16_t four[] = {x[0], x[1], 0, 0};
    return vcvt_f64_f32(vget_low_f32(vf32_load_bf16(four)));
}
static inline void vf64_store_f64(void *p, vf64 v) {
    vst1q_f64(p, v);
}
static inline void vf64_store_f32(void *p, vf64 v) {
    vst1_f32(p, vcvt_f32_f64(v));
}
/* Through f32 the value would be rounded twice. */
static inline void vf64_store_f16(void *p, vf64 v) {
    const uint16_t x[VF64_LANES] = {mpno_f16_from_f64(vgetq_lane_f64(v, 0)),
                                    mpno_f16_from_f64(vgetq_lane_f64(v, 1))};
    memcpy(p, x, sizeof x);
}
static inline void vf64_store_bf16(void *p, vf64 v) {
    const uint16_t x[VF64_LANES] = {mpno_bf16_from_f64(vgetq_lane_f64(v, 0)),
                                    mpno_bf16_from_f64(vgetq_lane_f64(v, 1))};
    memcpy(p, x, sizeof x);
}

#endif
