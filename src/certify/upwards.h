/* SPDX-License-Identifier: MIT
 * Bounds rounded upwards by counting roundings: sums, products, quotients and roots of numbers that
 * are not negative lose at most a factor 1 - u = 1 - 2^-53 at each operation, so that a factor
 * above 1 makes up for all of them and no rounding mode is changed. Proof:
 * docs/theory/spectral_norm.md, S1. */
#ifndef MPNO_CERTIFY_UPWARDS_H
#define MPNO_CERTIFY_UPWARDS_H

#include <float.h>
#include <stdint.h>

/* A factor that makes up for 1e6 roundings and more: of formulas of fewer operations whose numbers
 * are not negative. */
#define MPNO_ENLARGED (1 + 1e-9)

/* Not below x / (1 - u)^roundings, for up to 2^51 of them. */
static inline double mpno_up(double x, int64_t roundings) {
    return x * (1.0 + (double)(roundings + 1) * DBL_EPSILON);
}

#endif
