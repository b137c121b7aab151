/* SPDX-License-Identifier: MIT
 * A line transformed by a small matrix product:
 *
 *   forward   even[k] = sum_n x[n] cos(2 pi k n / N),  odd[k] = -sum_n x[n] sin(2 pi k n / N)
 *   inverse   x[n] = sum_k even[k] cos(2 pi k n / N) - odd[k] sin(2 pi k n / N)
 *
 * for k = 0 .. last, folded by the symmetries n <-> N - n and, for even N, n <-> N/2 - n: about
 * N last multiplications for odd N and half of that for even N, in one pass, where a fast transform
 * takes O(log N) passes. */
#ifndef MPNO_TRANSFORM_FFT_DIRECT_H
#define MPNO_TRANSFORM_FFT_DIRECT_H

#include "core/context.h"
#include "kernel/fft_kernels.h"

typedef struct mpno_direct {
    mpno_fft_direct plan;
    bool inverse;
    void *tables; /* owned */
} mpno_direct;

/* Real additions and multiplications of one line of real numbers. */
double mpno_direct_flops(int64_t n, int64_t last);
/* Multiply-adds of it, with the operations that cannot be part of one: proportional to measured
 * time. */
double mpno_direct_cost(int64_t n, int64_t last);
/* See mpno_fft_growth: of the transform divided by sqrt(n). is_complex: of a complex line, whose
 * parts are put together at its end or start. */
double mpno_direct_growth(int64_t n, int64_t last, bool inverse, bool is_complex);
MPNO_WARN_UNUSED mpno_status mpno_direct_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n,
                                                int64_t last, bool inverse, mpno_direct *out);
void mpno_direct_destroy(mpno_ctx *ctx, mpno_direct *direct);

#endif
