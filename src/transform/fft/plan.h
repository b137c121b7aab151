/* SPDX-License-Identifier: MIT
 * What a plan of fft.h holds, for those who drive it: strips.c (whole transforms) and lines.c
 * (lines of the last axis, one thread). */
#ifndef MPNO_TRANSFORM_FFT_PLAN_H
#define MPNO_TRANSFORM_FFT_PLAN_H

#include "transform/fft/fft.h"
#include "transform/fft/real_line.h"
#include "transform/fft/rows.h"

struct mpno_fft {
    mpno_fft_problem problem;
    const mpno_fft_kernels *kernels;
    mpno_line forward[MPNO_FFT_MAX_DIMS], inverse[MPNO_FFT_MAX_DIMS]; /* real data: not the last */
    mpno_real_line real_forward, real_inverse;                        /* real data: the last */
    int64_t modes, points;
    int64_t
        columns[MPNO_FFT_MAX_DIMS]; /* kept columns behind dimension d: product of keep[d+1 ..] */
    double flops;
};

/* The second condition follows from the first; it shows the compiler that recursion over d ends. */
static inline bool mpno_fft_is_last(const mpno_fft *fft, int d) {
    return d + 1 >= fft->problem.ndim || d + 1 >= MPNO_FFT_MAX_DIMS;
}

static inline bool mpno_fft_is_last_real(const mpno_fft *fft, int d) {
    return fft->problem.kind == MPNO_FFT_REAL && mpno_fft_is_last(fft, d);
}

/* Rows of the field at a point: the imaginary part of complex data is a row of its own. */
static inline int mpno_fft_planes(const mpno_fft *fft) {
    return fft->problem.kind == MPNO_FFT_COMPLEX ? 2 : 1;
}

/* Channels that are transformed together: at most a strip, a multiple of the kernels' lanes. */
int64_t mpno_fft_strip_width(const mpno_fft *fft, int64_t channels);

/* One line of the last axis between the view (N rows, 1 or 2 planes) and kept columns (K complex
 * rows) of `width` channels; tmp: mpno_fft_line_scratch elements. scale: of what is read, 1 unless
 * arithmetic is 16 bits wide. The inverse returns 1 when a stored value is not finite. */
int64_t mpno_fft_line_scratch(const mpno_fft *fft, int64_t width);
void mpno_fft_forward_line(const mpno_fft *fft, const mpno_fft_rows *to, const mpno_fft_view *view,
                           int64_t width, double scale, void *tmp);
int mpno_fft_inverse_line(const mpno_fft *fft, const mpno_fft_view *view, const mpno_fft_rows *from,
                          int64_t width, void *tmp);

#endif
