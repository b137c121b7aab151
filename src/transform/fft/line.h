/* SPDX-License-Identifier: MIT
 * One direction of a complex transform along one axis, between n samples and k kept consecutive
 * frequencies from `first`:
 *
 *   forward   out[r] = sum_j in[j] exp(-2 pi i (first + r) j / n)     n rows to k rows
 *   inverse   out[j] = sum_r in[r] exp(+2 pi i (first + r) j / n)     k rows to n rows
 *
 * accurate: passes where the points suit them, not the fastest: their bound of rounding errors
 * (mpno_line_growth) grows like log n, that of a direct line like n.
 *
 * DIRECT: folded matrix product (few modes, small n). PASSES: mixed radix. CHIRP: large prime
 * factors, as a convolution. */
#ifndef MPNO_TRANSFORM_FFT_LINE_H
#define MPNO_TRANSFORM_FFT_LINE_H

#include "transform/fft/direct.h"
#include "transform/fft/passes.h"

typedef enum mpno_line_method {
    MPNO_LINE_DIRECT,
    MPNO_LINE_PASSES,
    MPNO_LINE_CHIRP
} mpno_line_method;

typedef struct mpno_line {
    int64_t n, first, k;
    bool inverse;
    mpno_line_method method;
    mpno_direct direct; /* DIRECT */
    mpno_passes passes; /* PASSES: of n points; CHIRP: of m points */
    int64_t m;          /* CHIRP: length of the convolution, at least n + k - 1 */
    void *chirps;       /* CHIRP, owned: factors of input, output, and of the transformed input */
    const void *chirp_in, *chirp_out, *chirp_filter;
    double chirp_norm, chirp_off; /* CHIRP, for mpno_line_growth */
    double flops,
        cost; /* flops: as executed; cost: weighted by measured time, to choose between methods */
} mpno_line;

MPNO_WARN_UNUSED mpno_status mpno_line_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n,
                                              int64_t first, int64_t k, bool inverse, bool accurate,
                                              mpno_line *out);
void mpno_line_destroy(mpno_ctx *ctx, mpno_line *line);
const char *mpno_line_name(const mpno_line *line, char *text,
                           size_t size); /* "direct", "fft 4.8.8", "chirp 2048" */

/* See mpno_fft_growth: of the transform divided by sqrt(n). */
double mpno_line_growth(const mpno_line *line);

/* Elements of scratch for rows of `width` channels. */
int64_t mpno_line_scratch(const mpno_line *line, const mpno_fft_kernels *kernels, int64_t width);
/* in and out do not overlap. DIRECT: planes are `width` apart. */
void mpno_line_run(const mpno_line *line, const mpno_fft_kernels *kernels, const mpno_fft_rows *out,
                   const mpno_fft_rows *in, int64_t width, void *tmp);

#endif
