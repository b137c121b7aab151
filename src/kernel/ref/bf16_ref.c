/* SPDX-License-Identifier: MIT
 * The definition of the bf16 products in plain C: operands rounded to bf16, f64 sums, one rounding
 * to f32. Never tuned. */
#include "kernel/bf16_tables.h"
#include "number/format.h"

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

const mpno_bf16_kernels mpno_bf16_ref = {MPNO_ISA_PORTABLE, false, pack, gemm, gemm_tn};
