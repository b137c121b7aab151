/* SPDX-License-Identifier: MIT
 * Inner loops of the vorticity equation in two dimensions, f64, one table per ISA. Everything runs
 * over rows of MPNO_FLOW_LANES samples: a complex row is a real and an imaginary one. Work goes
 * column by column of the spectrum: all kept kx of one ky >= 0. Samples never meet.
 *
 * With vorticity w, its coefficients w(k), and the velocity u, v as one complex number z = u + iv:
 *   z(k)  = (kx + i ky) w(k) / |k|^2
 *   u.grad w = (d_xx - d_yy)(u v) + d_xy (v^2 - u^2), so of its coefficients F(k) the product
 *   z^2 = (u^2 - v^2) + 2i u v is all that is needed: with P(k) the coefficients of z^2,
 *   A = kx^2 - ky^2, B = 2 kx ky, G(k) = (A - iB) P(k):   F(k) = i/4 (G(k) - conj G(-k))
 * One complex transform there and one back, where u, v, u w, v w would take four real ones.
 * Pointers are 64-byte aligned; outputs overlap no input unless they are the same.
 * Error: a handful of roundings per value. */
#ifndef MPNO_KERNEL_FLOW_KERNELS_H
#define MPNO_KERNEL_FLOW_KERNELS_H

#include <stdint.h>

#include "core/cpu.h"

#define MPNO_FLOW_LANES 8 /* a cache line */
enum { MPNO_FLOW_ROW = 2 * MPNO_FLOW_LANES };

/* One column of the spectrum: row r has the wave number (kx[r], ky). */
typedef struct mpno_flow_column {
    int64_t rows;
    const int32_t *place, *mirror; /* rows of kx and -kx in full columns of the transform */
    const double *kx;
    double ky;
    const double *inverse; /* 1 / |k|^2; 0 for k = 0 and for what is masked */
    const double *keep;    /* 1/4 of the transform's scale; 0 for what is masked */
} mpno_flow_column;

/* A step in time of each sample: w' = -F + f - nu |k|^2 w. */
typedef struct mpno_flow_step {
    double nu;
    double dt[MPNO_FLOW_LANES];
} mpno_flow_step;

/* Coefficients of one column of an exponential integrator: [MPNO_FLOW_FACTORS][rows][lanes]. */
typedef enum mpno_flow_factor {
    MPNO_FLOW_E,  /* e^c, c = -nu |k|^2 dt */
    MPNO_FLOW_E2, /* e^(c/2) */
    MPNO_FLOW_Q,  /* dt/2 phi_1(c/2) */
    MPNO_FLOW_F1, /* dt (phi_1 - 3 phi_2 + 4 phi_3)(c) */
    MPNO_FLOW_F2, /* 2 dt (phi_2 - 2 phi_3)(c) */
    MPNO_FLOW_F3, /* dt (4 phi_3 - phi_2)(c) */
    MPNO_FLOW_FACTORS
} mpno_flow_factor;

typedef struct mpno_flow_kernels {
    /* z at the places of column ky and of column -ky, whose other rows stay; w: [rows][2][lanes].
     * minus stays when ky = 0, where w holds all of the column. */
    void (*velocity)(const mpno_flow_column *column, const double *w, double *plus, double *minus);
    /* z = z^2 for `points` points; most[lanes] = largest |z|^2 so far, sum[lanes] += |z|^2. */
    void (*square)(int64_t points, double *z, double *most, double *sum);
    /* n = f - F from P in full columns ky and -ky (the same when ky = 0). */
    void (*advection)(const mpno_flow_column *column, const double *plus, const double *minus,
                      const double *f, double *n);
    /* Heun + Crank-Nicolson, G = nu |k|^2, n1 and n2 of w and of the prediction s:
     *   s = ((1 - dt G/2) w + dt n1) / (1 + dt G/2)
     *   w = ((1 - dt G/2) w + dt/2 (n1 + n2)) / (1 + dt G/2), from s instead of n1 */
    void (*heun_predict)(const mpno_flow_column *column, const mpno_flow_step *step,
                         const double *n, const double *w, double *s);
    void (*heun_correct)(const mpno_flow_column *column, const mpno_flow_step *step,
                         const double *n, const double *s, double *w);
    /* Stages of ETDRK4 (Cox and Matthews 2002), stage 0 .. 3, n of stage - 1's s (of w at first):
     *   0  s = E2 w + Q n, sum = E w + F1 n, rest = E2 s - Q n
     *   1  s = E2 w + Q n, sum += F2 n
     *   2  s = rest + 2 Q n, sum += F2 n
     *   3  w = sum + F3 n */
    void (*etd_stage)(int stage, int64_t rows, const double *factors, const double *n, double *w,
                      double *s, double *sum, double *rest);
} mpno_flow_kernels;

const mpno_flow_kernels *mpno_flow_kernels_get(mpno_isa isa); /* isa is a cap; never NULL */

#endif
