/* SPDX-License-Identifier: MIT
 * Solves -div(a grad u) = f with u = 0 on the boundary of the unit box, in f64, by conjugate
 * gradients with one multigrid V-cycle as preconditioner. 1 to 3 dimensions, any number of points.
 *
 * Unknowns stand at the nodes i/N, 0 < i < N, of each axis; a control volume around each node and
 * the harmonic mean 2ab/(a+b) of the coefficient on each face give
 *   sum over neighbours j of a_ij (u_i - u_j) / h^2 = f_i,
 * of order 2 where a is smooth, and an M-matrix: f >= 0 gives u >= 0 up to the tolerance.
 * Coarse grids take every second node (n -> n/2 in each axis, so any n goes); interpolation follows
 * the matrix (Dendy 1982: black box multigrid), coarse matrices are Galerkin products, smoothing is
 * Chebyshev of degree 2 in the diagonally scaled matrix, whose largest eigenvalue is bounded by its
 * rows. The number of iterations does not depend on the grid (tests/unit/pde). */
#ifndef MPNO_PDE_MULTIGRID_H
#define MPNO_PDE_MULTIGRID_H

#include <stdbool.h>
#include <stdint.h>

#include "core/context.h"

#define MPNO_GRID_DIMS 3

/* The memory of one solver: one thread at a time. */
typedef struct mpno_multigrid mpno_multigrid;

/* intervals: N of each axis, at least 2, none more than twice another. */
MPNO_WARN_UNUSED mpno_status mpno_multigrid_create(mpno_ctx *ctx, int ndim,
                                                   const int64_t *intervals, mpno_multigrid **out);
void mpno_multigrid_destroy(mpno_ctx *ctx, mpno_multigrid **grid); /* accepts *grid == NULL */

typedef struct mpno_multigrid_result {
    int iterations;
    double residual; /* |f - A u| / |f|, computed from u */
} mpno_multigrid_result;

/* a: the coefficient, positive, and f, at all nodes 0 .. N of each axis; u: likewise, zero on the
 * boundary. False when the residual is still above the tolerance after `most` iterations. Uses no
 * context: may run in a task. */
bool mpno_multigrid_solve(mpno_multigrid *grid, const double *a, const double *f, double tolerance,
                          int most, double *u, mpno_multigrid_result *result);

#endif
