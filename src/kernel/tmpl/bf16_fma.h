/* SPDX-License-Identifier: MIT
 * bf16 products (kernel/bf16_kernels.h) where the CPU has none: operands are rounded to bf16 and
 * multiplied as f32, block by block. For results to compare with; slower than plain f32.
 * Parameters: TABLE the name of the table, TABLE_ISA its ISA, BASE the f32 kernels of that ISA. */
#include "kernel/bf16_tables.h"

enum { ROWS = 16, COLS = 256 }; /* of a block */

/* dst[rows][cols], without gaps, as bf16 values in f32; cols <= COLS. */
static void round_rows(float *dst, const float *src, int64_t ld, int64_t rows, int64_t cols) {
    uint16_t narrow[COLS];
    for (int64_t i = 0; i < rows; i++, src += ld, dst += cols) {
        (void)BASE->store(narrow, MPNO_BF16, src, cols);
        BASE->load(dst, narrow, MPNO_BF16, cols);
    }
}

static int64_t at_most(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* As it lies, rounded. */
static void pack(void *packed, int64_t n, int64_t k, const float *b, int64_t ldb) {
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < n; j += COLS)
            round_rows((float *)packed + p * n + j, b + p * ldb + j, 0, 1, at_most(n - j, COLS));
}

static void gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *packed,
                 const float *bias, float *c, int64_t ldc) {
    _Alignas(64) float block[ROWS * COLS];
    for (int64_t i = 0; i < m; i += ROWS) {
        const int64_t rows = at_most(m - i, ROWS);
        for (int64_t p = 0; p == 0 || p < k; p += COLS) {
            const int64_t depth = at_most(k - p, COLS);
            round_rows(block, a + i * lda + p, lda, rows, depth);
            BASE->gemm(rows, n, depth, block, depth, (const float *)packed + p * n, n, c + i * ldc,
                       ldc, p > 0);
        }
        for (int64_t r = i; bias != NULL && r < i + rows; r++)
            BASE->channel_affine(c + r * ldc, c + r * ldc, NULL, bias, 1, n);
    }
}

static void gemm_tn(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                    int64_t ldb, float *c, int64_t ldc) {
    _Alignas(64) float left[ROWS * COLS], right[ROWS * COLS];
    for (int64_t r = 0; r < m; r += ROWS) {
        const int64_t rows = at_most(m - r, ROWS);
        for (int64_t i = 0; i < k; i += COLS) {
            const int64_t height = at_most(k - i, COLS);
            round_rows(left, a + r * lda + i, lda, rows, height);
            for (int64_t j = 0; j < n; j += COLS) {
                const int64_t width = at_most(n - j, COLS);
                round_rows(right, b + r * ldb + j, ldb, rows, width);
                BASE->gemm_tn(rows, width, height, left, height, right, width, c + i * ldc + j,
                              ldc);
            }
        }
    }
}

static void gelu(float *dst, const float *x, int64_t n) {
    BASE->gelu(dst, x, n);
}

static void gelu_grad(float *dst, const float *x, const float *dy, int64_t n) {
    BASE->gelu_grad(dst, x, dy, n);
}

static void tanh_(float *dst, const float *x, int64_t n) {
    BASE->tanh(dst, x, n);
}

static void tanh_grad(float *dst, const float *x, const float *dy, int64_t n) {
    BASE->tanh_grad(dst, x, dy, n);
}

const mpno_bf16_kernels TABLE = {TABLE_ISA, false,     pack,  gemm,     gemm_tn,
                                 gelu,      gelu_grad, tanh_, tanh_grad};
