/* SPDX-License-Identifier: MIT
 * Arithmetic of bf16: products of bf16 operands with f32 sums, one table per ISA. Operands come and
 * go as f32; they are rounded to bf16, to nearest even, on the way into the product. Pure like all
 * kernels. Error against the exact product of the rounded operands, K the inner length, u = 2^-24:
 *     |computed - exact| <= (K + 2) u (sum |a||b| + |what is added|) + 2^-126 (K + sum |a| + |b|)
 * Products of two bf16 are exact in f32. The order of the sums is the table's own, and native
 * tables take subnormal operands and results as 0: that is the last term. Rounding the operands
 * changes the product by at most (2^-8 + 2^-18) sum |a||b|.
 * Functions of f32 whose results are rounded to bf16 next, stored so or as an operand. Error:
 *     |gelu - exact| <= 2^-18 |x|,         |gelu_grad - exact| <= 2^-16 |dy|
 *     |tanh - exact| <= 2^-18 |tanh x|,    |tanh_grad - exact| <= 2^-17 |dy|
 * at most 1/128 of what that rounding may change. */
#ifndef MPNO_KERNEL_BF16_KERNELS_H
#define MPNO_KERNEL_BF16_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cpu.h"

typedef struct mpno_bf16_kernels {
    mpno_isa isa;
    bool native; /* the CPU multiplies bf16: faster than f32 */

    /* B[k][n] in the order of the table, mpno_bf16_packed_bytes(n, k) bytes, 64-byte aligned. */
    void (*pack)(void *packed, int64_t n, int64_t k, const float *b, int64_t ldb);
    /* C[m][n] = A[m][k] B (+ bias[n] in every row, unless NULL) */
    void (*gemm)(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *packed,
                 const float *bias, float *c, int64_t ldc);
    /* C[k][n] += A[m][k]^T B[m][n] */
    void (*gemm_tn)(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                    int64_t ldb, float *c, int64_t ldc);

    /* n values; dst may be an operand. */
    void (*gelu)(float *dst, const float *x, int64_t n);
    void (*gelu_grad)(float *dst, const float *x, const float *dy, int64_t n); /* dy gelu'(x) */
    void (*tanh)(float *dst, const float *x, int64_t n); /* at most 1 in magnitude */
    void (*tanh_grad)(float *dst, const float *x, const float *dy, int64_t n); /* dy tanh'(x) */
} mpno_bf16_kernels;

/* Enough for every table. */
static inline size_t mpno_bf16_packed_bytes(int64_t n, int64_t k) {
    return (size_t)((n + 15) / 16 * 16 * ((k + 31) / 32 * 32)) * sizeof(float);
}

/* isa is a cap. Never NULL. */
const mpno_bf16_kernels *mpno_bf16_kernels_get(mpno_isa isa);
/* The definition: f64 sums, one rounding at the end. */
const mpno_bf16_kernels *mpno_bf16_kernels_reference(void);

#endif
