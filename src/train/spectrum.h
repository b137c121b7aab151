/* SPDX-License-Identifier: MIT
 * Radial power spectrum of a field u on a periodic grid:
 *     E(s) = sum over round(|k|) = s of |u^(k)|^2,   u^(k) = 1/N sum_n u(n) exp(-2 pi i k.n/N),
 * k integer wave vectors, mean over channels. The shells sum to the mean square (Parseval). A field
 * that is not periodic has the power of its jump at the edge in it. Arithmetic in f64. */
#ifndef MPNO_TRAIN_SPECTRUM_H
#define MPNO_TRAIN_SPECTRUM_H

#include "transform/fft/fft.h"

/* One thread at a time. */
typedef struct mpno_spectrum {
    mpno_ctx *ctx;
    mpno_fft *fft;
    int ndim;
    int64_t grid[MPNO_FFT_MAX_DIMS], channels;
    size_t n_shells;   /* wave numbers 0 .. n_shells - 1, up to the corner of the grid */
    double *transform; /* owned: [modes][2][channels] */
    void *scratch;     /* owned */
} mpno_spectrum;

MPNO_WARN_UNUSED mpno_status mpno_spectrum_create(mpno_ctx *ctx, int ndim, const int64_t *grid,
                                                  int64_t channels, mpno_spectrum *out);
void mpno_spectrum_destroy(mpno_spectrum *spectrum);
/* Adds the power of field [grid..][channels] (f32 or f64) to power[n_shells]. */
void mpno_spectrum_add(const mpno_spectrum *spectrum, mpno_format format, const void *field,
                       double *power);

#endif
