/* SPDX-License-Identifier: MIT
 * Flow in two dimensions on a torus, f64, up to MPNO_FLOW_LANES samples side by side, each with
 * time steps of its own:
 *   w_t + u.grad w = nu Laplacian w + f,   u = (psi_y, -psi_x),   -Laplacian psi = w,   means 0.
 *
 * Pseudo-spectral: w(x) = sum of w(k) exp(i k x) over |k1| <= m1, |k2| <= m2, products on the grid.
 * SQUARE keeps m = (N - 1) / 3, the most for which no product of two kept modes folds onto a third:
 * then the only error of the right-hand side is rounding. CIRCULAR keeps what the recipe of the
 * forcing set keeps, k1^2 + k2^2 <= 0.6 (N1^2 + N2^2) / 4 (indices) without the Nyquist
 * frequencies: more modes, with folding.
 *
 * HEUN is Heun for advection and forcing with Crank-Nicolson for diffusion, of order 2; ETDRK4 that
 * of Cox and Matthews (2002), of order 4, with diffusion exact. The step is
 *   dt = min(cfl h / max |u|, cfl h^2 / mu),  h = min(L1 / N1, L2 / N2) / 2 pi,
 *   mu = nu sqrt(max |f|) (L1 / 2 pi)^(3/4) (L2 / 2 pi)^(3/4)   (max |f| = 0: mu = nu)
 * of each sample by itself; the recipe of the forcing set has the same for whole batches, with
 * h = 1 / max(N1, N2), which is this in its box. ETDRK4, whose factors depend on
 * dt, takes the next smaller power of 2^(1/8). A sample's bits depend neither on its lane nor on
 * the others. */
#ifndef MPNO_PDE_VORTICITY_H
#define MPNO_PDE_VORTICITY_H

#include <stdbool.h>

#include "core/context.h"
#include "kernel/flow_kernels.h"

typedef enum mpno_flow_integrator { MPNO_FLOW_HEUN, MPNO_FLOW_ETDRK4 } mpno_flow_integrator;

typedef struct mpno_vorticity_opts {
    int64_t size[2];  /* N, at least 4 */
    double length[2]; /* L */
    double nu;
    mpno_flow_integrator integrator;
    bool circular;
    double cfl;
    double dt; /* of every step but the last before a stop; 0: as above */
} mpno_vorticity_opts;

typedef struct mpno_vorticity mpno_vorticity;   /* read-only: threads share it */
typedef struct mpno_flow_lanes mpno_flow_lanes; /* memory of one thread; borrows the former */

MPNO_WARN_UNUSED mpno_status mpno_vorticity_create(mpno_ctx *ctx, const mpno_vorticity_opts *opts,
                                                   mpno_vorticity **out);
void mpno_vorticity_destroy(mpno_ctx *ctx, mpno_vorticity **flow); /* accepts *flow == NULL */
/* K1 = 2 m1 + 1 and K2 = m2 + 1: frequencies -m1 .. m1 and 0 .. m2, as in transform/fft/fft.h. */
void mpno_vorticity_modes(const mpno_vorticity *flow, int64_t keep[2]);

/* Of a step of one sample: additions and multiplications, as executed, and bytes that a grid beyond
 * the second cache moves. */
double mpno_vorticity_flops(const mpno_vorticity *flow);
double mpno_vorticity_bytes(const mpno_vorticity *flow);

MPNO_WARN_UNUSED mpno_status mpno_flow_lanes_create(mpno_ctx *ctx, const mpno_vorticity *flow,
                                                    mpno_flow_lanes **out);
void mpno_flow_lanes_destroy(mpno_ctx *ctx, mpno_flow_lanes **lanes); /* accepts *lanes == NULL */

/* A sample in its lane: coefficients [K1][K2][2] of w and f (either NULL: 0), of which means and
 * what is masked are dropped, and max |f|. */
void mpno_flow_put(mpno_flow_lanes *lanes, int lane, const double *w, const double *f, double most);
void mpno_flow_get(const mpno_flow_lanes *lanes, int lane, double *w);
/* One step of all lanes, none longer than left[lane] (0: the lane stays as it is). dt[lane]: its
 * length, exactly left[lane] when it got there; NaN where w is not finite. */
void mpno_flow_step_all(mpno_flow_lanes *lanes, const double left[MPNO_FLOW_LANES],
                        double dt[MPNO_FLOW_LANES]);

#endif
