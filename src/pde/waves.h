/* SPDX-License-Identifier: MIT
 * Initial values of PDEBench's equations in one dimension (Takamoto et al. 2022, appendix D): on a
 * periodic box of length 1
 *   u(s) = sum of A_i sin(2 pi n_i s + p_i), i = 1 .. n,
 * A_i uniform in [0, 1], n_i whole in [1, k_max], p_i uniform in [0, 2 pi]; then with the
 * probability `absolute` |u| with a random sign, and with the probability `window` times a window
 * that is 1 between two random places and falls to 0 within some hundredths. Each is a function: it
 * can be had anywhere. */
#ifndef MPNO_PDE_WAVES_H
#define MPNO_PDE_WAVES_H

#include <stdbool.h>
#include <stdint.h>

enum { MPNO_MAX_WAVES = 64 };

typedef struct mpno_waves_opts {
    int64_t n, k_max; /* n at most MPNO_MAX_WAVES */
    double absolute, window;
} mpno_waves_opts;

typedef struct mpno_waves {
    int64_t n;
    double amplitude[MPNO_MAX_WAVES], k[MPNO_MAX_WAVES], phase[MPNO_MAX_WAVES];
    double sign; /* of |u|; 0: of u itself */
    bool window;
    double from, to; /* the window, both in (0, 1) */
} mpno_waves;

/* Depends on the options, seed and sample alone. */
void mpno_waves_draw(const mpno_waves_opts *opts, uint64_t seed, uint32_t sample, mpno_waves *out);
double mpno_waves_at(const mpno_waves *waves, double s); /* any s */

#endif
