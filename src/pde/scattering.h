/* SPDX-License-Identifier: MIT
 * The Helmholtz equation on a periodic box of two dimensions with absorption, f64, up to
 * MPNO_FLOW_LANES samples side by side:
 *   Laplacian u + k^2 (1 + i eta) a(x) u = f,   u and f complex, a > 0, eta > 0
 * Space: trigonometric collocation on N1 x N2 nodes, whose error falls faster than any power of N
 * once N is beyond two points a wave. Solver: the convergent Born series (Osnabrugge,
 * Leedumrongwatthanakun and Vellekoop, J. Comput. Phys. 322, 2016), a transform there and one back
 * an iteration; their number grows as max |a - 1| / eta and does not depend on N. A sample's bits
 * depend neither on its lane nor on the others. */
#ifndef MPNO_PDE_SCATTERING_H
#define MPNO_PDE_SCATTERING_H

#include "core/context.h"
#include "kernel/flow_kernels.h"

/* Iterations between two looks at the residual. */
enum { MPNO_SCATTERING_ROUND = 8 };

typedef struct mpno_scattering_opts {
    int64_t size[2];  /* N, at least 4 */
    double length[2]; /* of the sides */
    double k, eta;
} mpno_scattering_opts;

/* The memory of one thread. */
typedef struct mpno_scattering mpno_scattering;

MPNO_WARN_UNUSED mpno_status mpno_scattering_create(mpno_ctx *ctx, const mpno_scattering_opts *opts,
                                                    mpno_scattering **out);
void mpno_scattering_destroy(mpno_ctx *ctx, mpno_scattering **scattering); /* accepts NULL inside */
/* A sample in its lane: a [N1][N2] and f [N1][N2][2]; u is 0. */
void mpno_scattering_put(mpno_scattering *scattering, int lane, const double *a, const double *f);
/* A round of iterations of all lanes. residual[lane]: |f - A u| / |f| of what get gives, as long as
 * no other round has run. */
void mpno_scattering_round(mpno_scattering *scattering, double residual[MPNO_FLOW_LANES]);
void mpno_scattering_get(const mpno_scattering *scattering, int lane, double *u); /* [N1][N2][2] */

#endif
