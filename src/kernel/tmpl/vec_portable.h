/* SPDX-License-Identifier: MIT
 * The vocabulary of the kernels in GCC vector extensions, 16 bytes wide: what any CPU runs. The
 * same verbs with the same meaning stand in vec_avx2.h and vec_avx512.h:
 *   load store; load_part store_part: n <= LANES, nothing beyond n is touched, loads fill with 0;
 *   set1 add sub mul div;
 *   fma(a, b, c) = a b + c, fnma(a, b, c) = c - a b: one rounding where the CPU has FMA, two here;
 *   min max: the second argument when one is NaN; abs neg copysign(magnitude, sign);
 *   less (a mask) mask_or mask_not any select(mask, if set, if not) zero_where(mask, a);
 *   zip_low zip_high: a and b interleaved, a[0] b[0] a[1] .., the lower half and the upper half;
 *   load_<format> store_<format>: conversions of LANES elements, to nearest even;
 *   f32 only: fms_exact(a, b, c) = a b - c for c near a b, as if rounded once on every CPU;
 *   lookup(table, k) = table[n mod 8], n in the low bits of the float k, if |n| < 8 (else any);
 *   add_exponent(x, k) = x 2^n, n in the low bits of the float k, x and the result normal (or n 0).
 * Nothing needs more alignment than its element. */
#ifndef MPNO_KERNEL_TMPL_VEC_PORTABLE_H
#define MPNO_KERNEL_TMPL_VEC_PORTABLE_H

#include <stdint.h>
#include <string.h>

#include "number/format.h"

#define VF32_LANES 4
#define VF64_LANES 2

/* Shapes of the GEMM tile, rows x vectors: how many rows for 1, 2, .. vectors. 16 registers. */
#define VEC_TILE_VECTORS 2
#define VEC_LINE_VECTORS 1
#define VEC_MASKS 0
#define VEC_NARROWS_BF16 0
#define VEC_TILE_MAX_ROWS 6
#define VEC_TILE_ROWS \
    { 0, 6, 4 }
#define VEC_TILES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(1, 2) X(2, 2) X(3, 2) X(4, 2)

/* The same for complex products, where each row has two planes: 8 sums, both planes of the vectors
 * of B and of an element of A. */
#define VEC_COMPLEX_VECTORS 2
#define VEC_COMPLEX_MAX_ROWS 4
#define VEC_COMPLEX_ROWS \
    { 0, 4, 2 }
#define VEC_COMPLEX_TILES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(1, 2) X(2, 2)

typedef float vf32 __attribute__((vector_size(16)));
typedef double vf64 __attribute__((vector_size(16)));
typedef int32_t vf32_mask __attribute__((vector_size(16)));
typedef int64_t vf64_mask __attribute__((vector_size(16)));

static inline vf32 vf32_load(const float *p) {
    vf32 v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void vf32_store(float *p, vf32 v) {
    memcpy(p, &v, sizeof v);
}
static inline vf32 vf32_load_part(const float *p, int64_t n) {
    vf32 v = {0};
    for (int i = 0; i < VF32_LANES; i++) {
        if (i < n) v[i] = p[i];
    }
    return v;
}
static inline void vf32_store_part(float *p, vf32 v, int64_t n) {
    for (int i = 0; i < VF32_LANES; i++) {
        if (i < n) p[i] = v[i];
    }
}
static inline vf32 vf32_set1(float x) {
    return (vf32){x, x, x, x};
}
static inline vf32 vf32_add(vf32 a, vf32 b) {
    return a + b;
}
static inline vf32 vf32_sub(vf32 a, vf32 b) {
    return a - b;
}
static inline vf32 vf32_mul(vf32 a, vf32 b) {
    return a * b;
}
static inline vf32 vf32_div(vf32 a, vf32 b) {
    return a / b;
}
static inline vf32 vf32_fma(vf32 a, vf32 b, vf32 c) {
    return a * b + c;
}
static inline vf32 vf32_fnma(vf32 a, vf32 b, vf32 c) {
    return c - a * b;
}
static inline vf32_mask vf32_less(vf32 a, vf32 b) {
    return a < b;
}
static inline vf32_mask vf32_mask_or(vf32_mask a, vf32_mask b) {
    return a | b;
}
static inline vf32_mask vf32_mask_not(vf32_mask a) {
    return ~a;
}
static inline int vf32_any(vf32_mask m) {
    return (m[0] | m[1] | m[2] | m[3]) != 0;
}
static inline vf32 vf32_select(vf32_mask m, vf32 a, vf32 b) {
    return (vf32)((m & (vf32_mask)a) | (~m & (vf32_mask)b));
}
static inline vf32 vf32_min(vf32 a, vf32 b) {
    return vf32_select(a < b, a, b);
}
static inline vf32 vf32_max(vf32 a, vf32 b) {
    return vf32_select(a > b, a, b);
}
static inline vf32 vf32_abs(vf32 a) {
    return (vf32)((vf32_mask)a & INT32_MAX);
}
static inline vf32 vf32_neg(vf32 a) {
    return (vf32)((vf32_mask)a ^ INT32_MIN);
}
static inline vf32 vf32_copysign(vf32 magnitude, vf32 sign) {
    return (vf32)(((vf32_mask)magnitude & INT32_MAX) | ((vf32_mask)sign & INT32_MIN));
}
/* Dekker: the high 12 bits of a and b multiply exactly. Finite arguments without overflow. */
static inline vf32 vf32_fms_exact(vf32 a, vf32 b, vf32 c) {
    const vf32 a_high = (vf32)((vf32_mask)a & -4096), b_high = (vf32)((vf32_mask)b & -4096);
    const vf32 a_low = a - a_high, b_low = b - b_high, ab = a * b;
    const vf32 rest = ((a_high * b_high - ab) + (a_high * b_low + a_low * b_high)) + a_low * b_low;
    return (ab - c) + rest;
}
static inline vf32 vf32_zero_where(vf32_mask m, vf32 a) {
    return (vf32)(~m & (vf32_mask)a);
}
static inline vf32 vf32_lookup(const float table[8], vf32 k) {
    typedef uint32_t words __attribute__((vector_size(16)));
    const words index = (words)k & 7;
    return (vf32){table[index[0]], table[index[1]], table[index[2]], table[index[3]]};
}
static inline vf32 vf32_add_exponent(vf32 x, vf32 k) {
    typedef uint32_t words __attribute__((vector_size(16)));
    return (vf32)((words)x + ((words)k << 23));
}
static inline vf32 vf32_zip_low(vf32 a, vf32 b) {
    return (vf32){a[0], b[0], a[1], b[1]};
}
static inline vf32 vf32_zip_high(vf32 a, vf32 b) {
    return (vf32){a[2], b[2], a[3], b[3]};
}

static inline vf32 vf32_load_f32(const void *p) {
    return vf32_load(p);
}
static inline vf32 vf32_load_f64(const void *p) {
    double x[VF32_LANES];
    memcpy(x, p, sizeof x);
    return (vf32){(float)x[0], (float)x[1], (float)x[2], (float)x[3]};
}
static inline vf32 vf32_load_f16(const void *p) {
    uint16_t x[VF32_LANES];
    memcpy(x, p, sizeof x);
    return (vf32){mpno_f16_to_f32(x[0]), mpno_f16_to_f32(x[1]), mpno_f16_to_f32(x[2]),
                  mpno_f16_to_f32(x[3])};
}
static inline vf32 vf32_load_bf16(const void *p) {
    uint16_t x[VF32_LANES];
    memcpy(x, p, sizeof x);
    return (vf32)(vf32_mask){(int32_t)((uint32_t)x[0] << 16), (int32_t)((uint32_t)x[1] << 16),
                             (int32_t)((uint32_t)x[2] << 16), (int32_t)((uint32_t)x[3] << 16)};
}
static inline void vf32_store_f32(void *p, vf32 v) {
    vf32_store(p, v);
}
static inline void vf32_store_f64(void *p, vf32 v) {
    const double x[VF32_LANES] = {(double)v[0], (double)v[1], (double)v[2], (double)v[3]};
    memcpy(p, x, sizeof x);
}
static inline void vf32_store_f16(void *p, vf32 v) {
    const uint16_t x[VF32_LANES] = {mpno_f16_from_f32(v[0]), mpno_f16_from_f32(v[1]),
                                    mpno_f16_from_f32(v[2]), mpno_f16_from_f32(v[3])};
    memcpy(p, x, sizeof x);
}
static inline void vf32_store_bf16(void *p, vf32 v) {
    const uint16_t x[VF32_LANES] = {mpno_bf16_from_f32(v[0]), mpno_bf16_from_f32(v[1]),
                                    mpno_bf16_from_f32(v[2]), mpno_bf16_from_f32(v[3])};
    memcpy(p, x, sizeof x);
}

static inline vf64 vf64_load(const double *p) {
    vf64 v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void vf64_store(double *p, vf64 v) {
    memcpy(p, &v, sizeof v);
}
static inline vf64 vf64_load_part(const double *p, int64_t n) {
    return (vf64){n > 0 ? p[0] : 0.0, n > 1 ? p[1] : 0.0};
}
static inline void vf64_store_part(double *p, vf64 v, int64_t n) {
    if (n > 0) p[0] = v[0];
    if (n > 1) p[1] = v[1];
}
static inline vf64 vf64_set1(double x) {
    return (vf64){x, x};
}
static inline vf64 vf64_add(vf64 a, vf64 b) {
    return a + b;
}
static inline vf64 vf64_sub(vf64 a, vf64 b) {
    return a - b;
}
static inline vf64 vf64_mul(vf64 a, vf64 b) {
    return a * b;
}
static inline vf64 vf64_fma(vf64 a, vf64 b, vf64 c) {
    return a * b + c;
}
static inline vf64 vf64_fnma(vf64 a, vf64 b, vf64 c) {
    return c - a * b;
}
static inline vf64_mask vf64_less(vf64 a, vf64 b) {
    return a < b;
}
static inline vf64_mask vf64_mask_or(vf64_mask a, vf64_mask b) {
    return a | b;
}
static inline vf64_mask vf64_mask_not(vf64_mask a) {
    return ~a;
}
static inline int vf64_any(vf64_mask m) {
    return (m[0] | m[1]) != 0;
}
static inline vf64 vf64_max(vf64 a, vf64 b) {
    const vf64_mask m = a > b;
    return (vf64)((m & (vf64_mask)a) | (~m & (vf64_mask)b));
}
static inline vf64 vf64_abs(vf64 a) {
    return (vf64)((vf64_mask)a & INT64_MAX);
}
static inline vf64 vf64_neg(vf64 a) {
    return (vf64)((vf64_mask)a ^ INT64_MIN);
}
static inline vf64 vf64_zip_low(vf64 a, vf64 b) {
    return (vf64){a[0], b[0]};
}
static inline vf64 vf64_zip_high(vf64 a, vf64 b) {
    return (vf64){a[1], b[1]};
}

static inline vf64 vf64_load_f64(const void *p) {
    return vf64_load(p);
}
static inline vf64 vf64_load_f32(const void *p) {
    float x[VF64_LANES];
    memcpy(x, p, sizeof x);
    return (vf64){(double)x[0], (double)x[1]};
}
static inline vf64 vf64_load_f16(const void *p) {
    uint16_t x[VF64_LANES];
    memcpy(x, p, sizeof x);
    return (vf64){(double)mpno_f16_to_f32(x[0]), (double)mpno_f16_to_f32(x[1])};
}
static inline vf64 vf64_load_bf16(const void *p) {
    uint16_t x[VF64_LANES];
    memcpy(x, p, sizeof x);
    return (vf64){(double)mpno_bf16_to_f32(x[0]), (double)mpno_bf16_to_f32(x[1])};
}
static inline void vf64_store_f64(void *p, vf64 v) {
    vf64_store(p, v);
}
static inline void vf64_store_f32(void *p, vf64 v) {
    const float x[VF64_LANES] = {(float)v[0], (float)v[1]};
    memcpy(p, x, sizeof x);
}
/* Through f32 the value would be rounded twice. */
static inline void vf64_store_f16(void *p, vf64 v) {
    const uint16_t x[VF64_LANES] = {mpno_f16_from_f64(v[0]), mpno_f16_from_f64(v[1])};
    memcpy(p, x, sizeof x);
}
static inline void vf64_store_bf16(void *p, vf64 v) {
    const uint16_t x[VF64_LANES] = {mpno_bf16_from_f64(v[0]), mpno_bf16_from_f64(v[1])};
    memcpy(p, x, sizeof x);
}

#endif
