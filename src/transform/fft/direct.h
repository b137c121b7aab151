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

typedef struct mpno_direct_class {
    bool odd; /* sines */
    int64_t k_first, k_step, k_count;
    int64_t h_first, h_count; /* folded rows that are used */
    const void *table;        /* forward [k_count][h_count], inverse [h_count][k_count] */
} mpno_direct_class;

typedef struct mpno_direct {
    int64_t n, last, folded_rows;
    int n_classes;
    bool inverse;
    mpno_direct_class classes[4];
    void *tables; /* owned */
} mpno_direct;

/* Real additions and multiplications of one line of real numbers. */
double mpno_direct_flops(int64_t n, int64_t last);
MPNO_WARN_UNUSED mpno_status mpno_direct_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n,
                                                int64_t last, bool inverse, mpno_direct *out);
void mpno_direct_destroy(mpno_ctx *ctx, mpno_direct *direct);

/* Rows of `length` T. view: N samples; even, odd: rows 0 .. last, k_stride elements apart; folded:
 * scratch of n_classes * folded_rows rows. */
void mpno_direct_forward(const mpno_direct *direct, const mpno_fft_kernels *kernels, void *even,
                         void *odd, int64_t k_stride, const mpno_fft_view *view, int64_t length,
                         void *folded);
/* Returns 1 when a stored value is not finite. */
int mpno_direct_inverse(const mpno_direct *direct, const mpno_fft_kernels *kernels,
                        const mpno_fft_view *view, const void *even, const void *odd,
                        int64_t k_stride, int64_t length, void *folded);

#endif
