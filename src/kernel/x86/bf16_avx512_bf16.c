/* SPDX-License-Identifier: MIT
 * bf16 products by vdpbf16ps (AVX512-BF16): each step adds two terms to 16 sums. Subnormal numbers
 * count as 0. */
#include "kernel/bf16_tables.h"

#if MPNO_KERNELS_X86 && defined(MPNO_HAVE_AVX512_BF16)
#include <immintrin.h>
#include <string.h>

#include "kernel/tmpl/bf16_block.h"

enum { TAKES_START = 1, TAKES_PART = 1 };

static inline void begin_products(void) {}

/* 8 rows of 1 or 2 strips of columns: 16 sums hide the latency. last: lanes of the last strip. */
KERNEL_INLINE void multiply_rows(const int cols, const __mmask16 last, const bf16_block *x,
                                 const uint16_t *a, const uint16_t *b, const float *start,
                                 float *c) {
    __m512 sum[8][2];
    KERNEL_UNROLL
    for (int i = 0; i < 8; i++) {
        KERNEL_UNROLL
        for (int j = 0; j < cols; j++)
            sum[i][j] = start == NULL ? _mm512_setzero_ps()
                        : j + 1 < cols
                            ? _mm512_loadu_ps(start + i * x->ld_start + j * 16)
                            : _mm512_maskz_loadu_ps(last, start + i * x->ld_start + j * 16);
    }
    for (int64_t t = 0; t < x->depth; t++) {
        const int64_t pairs = x->pairs - t * 16 < 16 ? x->pairs - t * 16 : 16;
        for (int64_t p = 0; p < pairs; p++) {
            const uint16_t *left = a + t * 16 * 32 + p * 2, *right = b + (t * 16 + p) * 32;
            __m512bh row[2];
            KERNEL_UNROLL
            for (int j = 0; j < cols; j++)
                row[j] = (__m512bh)_mm512_loadu_si512(right + j * x->b_strip);
            KERNEL_UNROLL
            for (int i = 0; i < 8; i++) {
                int32_t pair;
                memcpy(&pair, left + i * 32, sizeof pair);
                const __m512bh factor = (__m512bh)_mm512_set1_epi32(pair);
                KERNEL_UNROLL
                for (int j = 0; j < cols; j++)
                    sum[i][j] = _mm512_dpbf16_ps(sum[i][j], factor, row[j]);
            }
        }
    }
    KERNEL_UNROLL
    for (int i = 0; i < 8; i++) {
        KERNEL_UNROLL
        for (int j = 0; j + 1 < cols; j++) _mm512_storeu_ps(c + i * x->ldc + j * 16, sum[i][j]);
        _mm512_mask_storeu_ps(c + i * x->ldc + (cols - 1) * 16, last, sum[i][cols - 1]);
    }
}

KERNEL_INLINE void multiply_block(const int rows, const bf16_block *x) {
    const __mmask16 whole = 0xffff, part = (__mmask16)(0xffffu >> (16 - x->last));
    for (int64_t i = 0; i < 16 * rows; i += 8) {
        const uint16_t *a = x->a + i / 16 * x->a_strip + i % 16 * 32, *b = x->b;
        const float *start = x->start != NULL ? x->start + i * x->ld_start : NULL;
        float *c = x->c + i * x->ldc;
        for (int64_t j = 0; j < x->cols; j += 2, b += 2 * x->b_strip, c += 2 * 16) {
            const __mmask16 last = j + 2 < x->cols ? whole : part;
            if (j + 1 < x->cols) {
                multiply_rows(2, last, x, a, b, start, c);
            } else {
                multiply_rows(1, last, x, a, b, start, c);
            }
            if (start != NULL) start += 2 * 16;
        }
    }
}

#include "kernel/tmpl/bf16_functions.h"
#include "kernel/tmpl/bf16_pairs.h"

const mpno_bf16_kernels mpno_bf16_avx512_bf16 = {
    MPNO_ISA_AVX512_BF16, true, pack, gemm, gemm_tn, gelu, gelu_grad, tanh_, tanh_grad};
#endif
