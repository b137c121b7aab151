/* SPDX-License-Identifier: MIT
 * One direction of a real transform along the last axis, between n real samples in storage and k
 * kept frequencies 0 .. k-1:
 *
 *   forward   out[r] = sum_j x[j] exp(-2 pi i r j / n)
 *   inverse   x[j] = Re sum_r in[r] exp(+2 pi i r j / n)
 *
 * DIRECT: folded matrix product. HALF: n even, as a complex line of n/2 points. FULL: n odd, as a
 * complex line of n points. */
#ifndef MPNO_TRANSFORM_FFT_REAL_LINE_H
#define MPNO_TRANSFORM_FFT_REAL_LINE_H

#include "transform/fft/line.h"

typedef enum mpno_real_method { MPNO_REAL_DIRECT, MPNO_REAL_HALF, MPNO_REAL_FULL } mpno_real_method;

typedef struct mpno_real_line {
    int64_t n, k;
    bool inverse;
    mpno_real_method method;
    mpno_direct direct;
    mpno_line line;
    void *twiddles; /* HALF, owned */
    double flops;
} mpno_real_line;

MPNO_WARN_UNUSED mpno_status mpno_real_line_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n,
                                                   int64_t k, bool inverse, bool accurate,
                                                   mpno_real_line *out);
void mpno_real_line_destroy(mpno_ctx *ctx, mpno_real_line *line);
const char *mpno_real_line_name(const mpno_real_line *line, char *text, size_t size);

/* See mpno_fft_growth: of the transform divided by sqrt(n). */
double mpno_real_line_growth(const mpno_real_line *line);

/* Elements of scratch for rows of `width` channels. */
int64_t mpno_real_line_scratch(const mpno_real_line *line, const mpno_fft_kernels *kernels,
                               int64_t width);
/* view: n rows of one plane; out, in: k complex rows. scale: of what is read, 1 for those that read
 * the view itself. */
void mpno_real_line_forward(const mpno_real_line *line, const mpno_fft_kernels *kernels,
                            const mpno_fft_rows *out, const mpno_fft_view *view, int64_t width,
                            double scale, void *tmp);
/* Returns 1 when a stored value is not finite. */
int mpno_real_line_inverse(const mpno_real_line *line, const mpno_fft_kernels *kernels,
                           const mpno_fft_view *view, const mpno_fft_rows *in, int64_t width,
                           void *tmp);

#endif
