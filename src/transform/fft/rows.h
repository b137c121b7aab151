/* SPDX-License-Identifier: MIT
 * Addresses within scratch. Nothing here looks at a number: that is what kernels are for. */
#ifndef MPNO_TRANSFORM_FFT_ROWS_H
#define MPNO_TRANSFORM_FFT_ROWS_H

#include "kernel/fft_kernels.h"
#include "number/format.h"

/* Channels of the blocks in which fast transforms run, in bytes of arithmetic: one cache line, so
 * that the passes of a line of some hundred points stay in L1 whatever the width of the rows they
 * come from. */
#define MPNO_FFT_BLOCK_BYTES 64

static inline size_t mpno_rows_element(const mpno_fft_kernels *kernels) {
    return mpno_format_bytes(kernels->arithmetic);
}

static inline int64_t mpno_rows_block(const mpno_fft_kernels *kernels, int64_t width) {
    int64_t block = MPNO_FFT_BLOCK_BYTES / (int64_t)mpno_rows_element(kernels);
    return width < block ? width : block;
}

/* base + n elements. */
static inline void *mpno_rows_offset(const mpno_fft_kernels *kernels, void *base, int64_t n) {
    return (char *)base + (size_t)n * mpno_rows_element(kernels);
}

/* Rows without gaps: [.., 2, width]. */
static inline mpno_fft_rows mpno_rows_dense(void *data, int64_t width) {
    return (mpno_fft_rows){.data = data, .stride = 2 * width, .plane = width};
}

/* The same rows from row `row`, channel `channel` on. */
static inline mpno_fft_rows mpno_rows_part(const mpno_fft_kernels *kernels,
                                           const mpno_fft_rows *rows, int64_t row,
                                           int64_t channel) {
    mpno_fft_rows part = *rows;
    part.data = mpno_rows_offset(kernels, rows->data, row * rows->stride + channel);
    return part;
}

/* The conjugate: planes change roles. */
static inline mpno_fft_rows mpno_rows_swapped(const mpno_fft_kernels *kernels,
                                              const mpno_fft_rows *rows) {
    return (mpno_fft_rows){mpno_rows_offset(kernels, rows->data, rows->plane), rows->stride,
                           -rows->plane};
}

#endif
