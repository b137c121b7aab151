/* SPDX-License-Identifier: MIT
 * Radial power spectrum of a field u on a periodic grid:
 *     E(s) = sum over round(|k|) = s of |u^(k)|^2,   u^(k) = 1/N sum_n u(n) exp(-2 pi i k.n/N),
 * k integer wave vectors, for each channel. The shells sum to the mean square (Parseval). A field
 * that is not periodic has the power of its jump at the edge in it. Arithmetic in f64. */
#ifndef MPNO_TRAIN_SPECTRUM_H
#define MPNO_TRAIN_SPECTRUM_H

#include "transform/fft/fft.h"

/* One thread at a time. */
typedef struct mpno_spectrum {
    mpno_ctx *ctx;
    mpno_fft *fft;
    int ndim, planes;
    int64_t grid[MPNO_FFT_MAX_DIMS], channels;
    size_t n_shells;   /* wave numbers 0 .. n_shells - 1, up to the corner of the grid */
    double *transform; /* owned: [modes][2][channels], of the field that was transformed last */
    void *scratch;     /* owned */
} mpno_spectrum;

/* A wave vector that the transform keeps. */
typedef struct mpno_wave {
    int64_t k[MPNO_FFT_MAX_DIMS];
    double length; /* |k| */
    double weight; /* 2 where it stands for its conjugate too, else 1 */
} mpno_wave;

/* planes: 2 of complex fields, else 1. */
MPNO_WARN_UNUSED mpno_status mpno_spectrum_create(mpno_ctx *ctx, int ndim, const int64_t *grid,
                                                  int planes, int64_t channels, mpno_spectrum *out);
void mpno_spectrum_destroy(mpno_spectrum *spectrum);
/* u^ of field [grid..][planes][channels] (f32 or f64) into spectrum->transform. */
void mpno_spectrum_transform(const mpno_spectrum *spectrum, mpno_format format, const void *field);
int64_t mpno_spectrum_modes(const mpno_spectrum *spectrum);
mpno_wave mpno_spectrum_wave(const mpno_spectrum *spectrum, int64_t mode);
/* |u^|^2 of the field that was transformed last. */
double mpno_spectrum_power(const mpno_spectrum *spectrum, int64_t mode, int64_t channel);
/* Adds the shells of the field that was transformed last to power[n_shells][channels]. */
void mpno_spectrum_add(const mpno_spectrum *spectrum, double *power);

#endif
