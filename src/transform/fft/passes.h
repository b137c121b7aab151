/* SPDX-License-Identifier: MIT
 * A complex transform of n points as a sequence of passes of small radix, n a product of primes up
 * to MPNO_FFT_MAX_RADIX, but of any primes with 16-bit arithmetic. */
#ifndef MPNO_TRANSFORM_FFT_PASSES_H
#define MPNO_TRANSFORM_FFT_PASSES_H

#include "core/context.h"
#include "kernel/fft_kernels.h"

#define MPNO_FFT_MAX_PASSES 40

typedef struct mpno_passes {
    int64_t n;
    int n_passes; /* 0 when n == 1 */
    mpno_fft_pass pass[MPNO_FFT_MAX_PASSES];
    void *tables; /* owned */
} mpno_passes;

/* Largest prime factor at most MPNO_FFT_MAX_RADIX? */
bool mpno_passes_suit(int64_t n);
/* Smallest product of 2, 3, 5, 7 that is not below n. */
int64_t mpno_passes_good_size(int64_t n);
/* Radices in order into radix[MPNO_FFT_MAX_PASSES], powers of two up to `largest` (that of the
 * kernels); returns how many. n must suit. largest 2: the prime factors, rising, of any n. */
int mpno_passes_factor(int64_t n, int largest, int *radix);
/* Real additions and multiplications. */
double mpno_passes_flops(int64_t n, int largest);
/* The same with loads and stores: proportional to measured time. */
double mpno_passes_cost(int64_t n, int largest);

/* See mpno_fft_growth: of the transform divided by sqrt(n). */
double mpno_passes_growth(const mpno_passes *passes);

MPNO_WARN_UNUSED mpno_status mpno_passes_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n,
                                                mpno_passes *out);
void mpno_passes_destroy(mpno_ctx *ctx, mpno_passes *passes);

/* out[k] = sum_j in[j] exp(-2 pi i j k / n), n rows each, in natural order. Intermediate results go
 * to a, b, a, ..: two scratch buffers of n dense complex rows. in may be b; out may be a when
 * n_passes is odd, b when it is even. */
void mpno_passes_run(const mpno_passes *passes, const mpno_fft_kernels *kernels,
                     const mpno_fft_rows *out, const mpno_fft_rows *in, int64_t width, void *a,
                     void *b);

#endif
