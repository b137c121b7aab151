/* SPDX-License-Identifier: MIT
 * Inner loops of the solvers on grids, f64, one table per ISA. A symmetric matrix on a grid is a
 * stencil: (A x)_i = center_i x_i - sum_o (c_o,i x_(i + s_o) + c_o,(i - s_o) x_(i - s_o)),
 * with one coupling c_o for each of half of the neighbours. Grids have a border of one point that
 * holds zeros, in the couplings too, so that one loop runs over all rows. Sums of products are kept
 * in 8 partial sums: the order of a sum depends on n alone. No fused multiply-add: the result is
 * bitwise the same on every ISA. Outputs overlap no input. */
#ifndef MPNO_KERNEL_GRID_KERNELS_H
#define MPNO_KERNEL_GRID_KERNELS_H

#include <stdint.h>

#include "core/cpu.h"

#define MPNO_STENCIL_HALF 13 /* half of the neighbours in three dimensions */

typedef struct mpno_stencil {
    int64_t n; /* points from the first to the last one inside; the pointers show the first */
    const double *center;
    int n_offsets;
    int64_t stride[MPNO_STENCIL_HALF]; /* positive */
    const double *coupling[MPNO_STENCIL_HALF];
} mpno_stencil;

typedef struct mpno_grid_kernels {
    /* y = A x */
    void (*apply)(const mpno_stencil *a, const double *x, double *y);
    /* r = b - A x */
    void (*residual)(const mpno_stencil *a, const double *x, const double *b, double *r);
    /* One step of Chebyshev: d = keep d + step (b - A x) / center, y = x + d; inverse = 1 / center,
     * 0 on the border. */
    void (*relax)(const mpno_stencil *a, const double *inverse, const double *x, const double *b,
                  double keep, double step, double *d, double *y);
    /* The first step, from x = 0: d = y = step b / center */
    void (*start)(int64_t n, const double *inverse, const double *b, double step, double *d,
                  double *y);
    double (*dot)(int64_t n, const double *a, const double *b);
    /* y += factor x */
    void (*add)(int64_t n, double factor, const double *x, double *y);
    /* p = z + factor p */
    void (*turn)(int64_t n, double factor, const double *z, double *p);
    /* Between two grids, every second point of the fine one. out_k += w_k fine_2k */
    void (*gather)(int64_t n, const double *w, const double *fine, double *out);
    /* fine_2k += w_k coarse_k */
    void (*spread)(int64_t n, const double *w, const double *coarse, double *fine);
    /* out_k += sign u_k a_2k w_k */
    void (*triple)(int64_t n, double sign, const double *u, const double *a, const double *w,
                   double *out);
} mpno_grid_kernels;

const mpno_grid_kernels *mpno_grid_kernels_get(mpno_isa isa); /* isa is a cap; never NULL */

#endif
