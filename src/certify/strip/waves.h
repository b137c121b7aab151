/* SPDX-License-Identifier: MIT
 * Sums over waves e^(2 pi i k.x) of a strip |Im x_j| <= r: of the coefficients of a field, by
 * shells |k| = |k_1| + .. + |k_d|, and of the geometric series that bound what nobody has seen.
 * Statements D7, D10 and D11 of docs/theory/discretisation.md. Results are upper bounds. */
#ifndef MPNO_CERTIFY_STRIP_WAVES_H
#define MPNO_CERTIFY_STRIP_WAVES_H

#include "transform/fft/fft.h"

enum { MPNO_RADII = 28, MPNO_BALLS = 3 };

/* The radii that are tried, ascending, the first one a fraction of a grid cell; and the largest
 * shells of what is taken from a field that was computed on the grid. */
typedef struct mpno_waves {
    int ndim;
    int64_t size[MPNO_FFT_MAX_DIMS];
    int n_shells;                         /* of all frequencies of the grid */
    double radius[MPNO_RADII];            /* in parts of the period */
    int ball[MPNO_BALLS];                 /* shells 0 .. ball, all below the Nyquist frequencies */
    double noise[MPNO_BALLS][MPNO_RADII]; /* root of the sum of e^(4 pi r |k|) over the ball */
    double noise_imag[MPNO_BALLS][MPNO_RADII]; /* .. of sinh(2 pi r |k|)^2 */
    /* [ball][from][to], from > to: of a field of modulus 1 in the wider strip, what aliases in the
     * ball and waves beyond it add up to in the narrower one. */
    double beyond[MPNO_BALLS][MPNO_RADII][MPNO_RADII];
} mpno_waves;
void mpno_waves_make(int ndim, const int64_t *size, mpno_waves *out);

/* Sum over m != 0 of e^(-2 pi r |k + n m|): of a function of modulus 1 in the strip, at most the
 * coefficient of aliases of frequency k, 2 |k_j| < n_j. */
double mpno_waves_alias(const mpno_waves *waves, const int64_t *frequency, double radius);

/* Which shell and which weight (2: stands for its conjugate as well) each mode of a transform has.
 */
typedef struct mpno_mode_shell {
    int shell;
    double weight;
} mpno_mode_shell;
/* shells: [mpno_fft_modes] */
void mpno_waves_shells(const mpno_fft *fft, mpno_mode_shell *shells);
/* The frequencies of a mode, negative ones as such. */
void mpno_waves_frequency(const mpno_fft *fft, int64_t mode, int64_t *frequency);

/* sums [n_shells][channels + 2]: of each channel the sum of moduli over the modes of the shell, by
 * weights, then the sum of their 2-norms over channels and that of the norms' squares. modes
 * [n][2][channels]. */
void mpno_waves_sum(const mpno_mode_shell *shells, int64_t n, int64_t channels, int n_shells,
                    const double *modes, double *sums);

#endif
