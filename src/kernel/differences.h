/* SPDX-License-Identifier: MIT
 * First differences D along one axis of n points, h = 1/n, and D'D (D' the transpose), row by row.
 * Periodic: (D e)_k = (e_(k+1) - e_(k-1)) n / 2. One-sided at the ends:
 * (D e)_0 = (-11 e_0 + 18 e_1 - 9 e_2 + 2 e_3) n / 6, of third order, and its mirror image at n -
 * 1, which need n >= 4 (neuraloperator's FiniteDiff). */
#ifndef MPNO_KERNEL_DIFFERENCES_H
#define MPNO_KERNEL_DIFFERENCES_H

#include <stdbool.h>
#include <stdint.h>

/* One row: sum_i weight[i] e_(k + step[i]). */
typedef struct mpno_stencil {
    int n;
    int64_t step[8];
    double weight[8];
} mpno_stencil;

enum { MPNO_DIFFERENCES_EDGE = 4 }; /* rows at either end that differ from those between */

/* All rows of one axis: those that are special, and the one that all others share. */
typedef struct mpno_differences {
    int64_t n, edge; /* special: k < edge and k >= n - edge */
    mpno_stencil first[MPNO_DIFFERENCES_EDGE], last[MPNO_DIFFERENCES_EDGE], middle;
} mpno_differences;

typedef struct mpno_axis {
    int64_t n, stride; /* stride: values between neighbours, which steps are counted in */
    double h;
    bool one_sided;
} mpno_axis;

/* squared: rows of D'D instead of D. */
void mpno_differences_make(mpno_differences *rows, const mpno_axis *axis, bool squared);

#endif
