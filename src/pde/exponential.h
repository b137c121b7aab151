/* SPDX-License-Identifier: MIT
 * Factors of exponential integrators: phi_j(c) = sum of c^i / (i + j)! over i >= 0, so phi_0 = exp,
 * phi_1 = (e^c - 1) / c. */
#ifndef MPNO_PDE_EXPONENTIAL_H
#define MPNO_PDE_EXPONENTIAL_H

#include <stdint.h>

typedef struct mpno_phi {
    double e, one, two, three; /* exp and phi_1 .. phi_3 */
} mpno_phi;

mpno_phi mpno_phi_of(double c); /* c <= 0; error: a few roundings */

/* The factors of ETDRK4 of one mode whose linear part is c / dt, as etd_stage of
 * kernel/flow_kernels.h reads them: factor f at to[f * plane]. */
void mpno_etd_factors(double c, double dt, double *to, int64_t plane);

#endif
