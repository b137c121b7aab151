/* SPDX-License-Identifier: MIT
 * Burgers' equation in one dimension on a periodic box of length L, f64, up to MPNO_FLOW_LANES
 * samples side by side, each with time steps of its own:
 *   u_t + (u^2 / 2)_x = nu u_xx
 * Pseudo-spectral: u(x) = sum of u(k) exp(2 pi i k x / L) over |k| <= m = (N - 1) / 3, for which no
 * product of two kept modes folds onto a third. In time ETDRK4 of Cox and Matthews (2002), of order
 * 4, with diffusion exact. Steps are
 *   dt = cfl min(max(h, nu / max |u|) / max |u|, (L / 4 pi)^2 / nu),  h = L / N,
 * cut down to a power of 2^(1/8): the time in which a wave passes a point of the grid or, where the
 * grid is finer than that, the width of a shock; but no more than that in which the second mode
 * decays, for otherwise a field that fades takes ever longer steps. A sample's bits depend neither
 * on its lane nor on the others. */
#ifndef MPNO_PDE_STEEPENING_H
#define MPNO_PDE_STEEPENING_H

#include "core/context.h"
#include "kernel/flow_kernels.h"

typedef struct mpno_burgers_opts {
    int64_t size; /* N, at least 4 */
    double length, nu, cfl;
    double dt; /* of every step but the last before a stop; 0: as above */
} mpno_burgers_opts;

/* The memory of one thread. */
typedef struct mpno_burgers mpno_burgers;

MPNO_WARN_UNUSED mpno_status mpno_burgers_create(mpno_ctx *ctx, const mpno_burgers_opts *opts,
                                                 mpno_burgers **out);
void mpno_burgers_destroy(mpno_ctx *ctx, mpno_burgers **burgers); /* accepts *burgers == NULL */
/* m + 1: frequencies 0 .. m. */
int64_t mpno_burgers_modes(const mpno_burgers *burgers);

/* A sample in its lane: coefficients [modes][2] of u. */
void mpno_burgers_put(mpno_burgers *burgers, int lane, const double *u);
void mpno_burgers_get(const mpno_burgers *burgers, int lane, double *u);
/* The share of the highest sixth of the modes in the root mean square of u. About 0.1 / sqrt(m) or
 * more when a shock is thinner than the grid, below 1e-3 when all is resolved. */
double mpno_burgers_tail(const mpno_burgers *burgers, int lane);
/* One step of all lanes, none longer than left[lane] (0: the lane stays as it is). dt[lane]: its
 * length, exactly left[lane] when it got there; NaN where u is not finite. */
void mpno_burgers_step_all(mpno_burgers *burgers, const double left[MPNO_FLOW_LANES],
                           double dt[MPNO_FLOW_LANES]);

#endif
