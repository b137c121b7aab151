/* SPDX-License-Identifier: MIT
 * The definition of the arithmetic of bf16 in plain C: operands rounded to bf16, f64 sums, one
 * rounding to f32; functions as they are. Never tuned. */
#include <math.h>

#include "kernel/bf16_tables.h"
#include "number/format.h"

#define SQRT_HALF 0.70710678118654752440
#define SQRT_PI 1.77245385090551602730

static double rounded(float x) {
    return (double)mpno_bf16_to_f32(mpno_bf16_from_f32(x));
}

/* The plain order is an order too. */
static void pack(void *packed, int64_t n, int64_t k, const float *b, int64_t ldb) {
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < n; j++) ((float *)packed)[p * n + j] = b[p * ldb + j];
}

static void gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *packed,
                 const float *bias, float *c, int64_t ldc) {
    const float *b = packed;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = bias != NULL ? (double)bias[j] : 0.0;
            for (int64_t p = 0; p < k; p++) sum += rounded(a[i * lda + p]) * rounded(b[p * n + j]);
            c[i * ldc + j] = (float)sum;
        }
}

static void gemm_tn(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                    int64_t ldb, float *c, int64_t ldc) {
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = (double)c[i * ldc + j];
            for (int64_t p = 0; p < m; p++)
                sum += rounded(a[p * lda + i]) * rounded(b[p * ldb + j]);
            c[i * ldc + j] = (float)sum;
        }
}

static void gelu(float *dst, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        dst[i] = (float)(0.5 * (double)x[i] * erfc(-(double)x[i] * SQRT_HALF));
}

static void gelu_grad(float *dst, const float *x, const float *dy, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const double v = (double)x[i], density = exp(-0.5 * v * v) * SQRT_HALF / SQRT_PI;
        dst[i] = (float)((double)dy[i] * (0.5 * erfc(-v * SQRT_HALF) + v * density));
    }
}

static void tanh_(float *dst, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) dst[i] = (float)tanh((double)x[i]);
}

static void tanh_grad(float *dst, const float *x, const float *dy, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const double rise = cosh((double)x[i]);
        dst[i] = (float)((double)dy[i] / (rise * rise));
    }
}

const mpno_bf16_kernels mpno_bf16_ref = {MPNO_ISA_PORTABLE, false, pack,     gemm, gemm_tn, gelu,
                                         gelu_grad,         tanh_, tanh_grad};
