/* SPDX-License-Identifier: MIT
 * Inside of the multigrid solver: its levels, and how the coarse ones are made. */
#ifndef MPNO_PDE_MULTIGRID_LEVELS_H
#define MPNO_PDE_MULTIGRID_LEVELS_H

#include "kernel/grid_kernels.h"
#include "pde/multigrid.h"

enum { MPNO_GRID_LEVELS = 32, MPNO_GRID_CORNERS = 27 };

/* A grid of n[0] x n[1] x n[2] points inside a border of one point; 2-D and 1-D problems lie in the
 * last axes, without border in the unused ones. Arrays have `total` values, borders included. */
typedef struct mpno_grid_level {
    int ndim;
    int64_t n[MPNO_GRID_DIMS], stride[MPNO_GRID_DIMS], total, first;
    int n_offsets;
    int offset[MPNO_STENCIL_HALF][MPNO_GRID_DIMS];
    double *center, *inverse, *coupling[MPNO_STENCIL_HALF];
    double *x, *other, *d, *b, *r; /* iterate and its successor, step, right-hand side, residual */
    /* To the next level: weight[q][I] is the weight of coarse point I at the fine point 2 I + p,
     * p = mpno_grid_corner(q). Arrays of the next level's size. */
    double *weight[MPNO_GRID_CORNERS];
    double largest; /* bound of the eigenvalues of inverse * A */
    mpno_stencil stencil;
} mpno_grid_level;

struct mpno_multigrid {
    const mpno_grid_kernels *kernels;
    int ndim, n_levels;
    int64_t intervals[MPNO_GRID_DIMS];
    mpno_grid_level level[MPNO_GRID_LEVELS];
    double *factor; /* Cholesky factor of the coarsest matrix, [n][n] */
    int64_t n_coarsest;
    double *u, *p, *q; /* of conjugate gradients */
    double *memory;    /* owns all arrays */
};

/* The point q = 0 .. 3^d - 1 of {-1, 0, 1}^d, the unused leading axes 0. */
void mpno_grid_corner(int ndim, int q, int out[MPNO_GRID_DIMS]);
/* Center and couplings of the finest level are there: fills the rest of the hierarchy. */
void mpno_multigrid_setup(mpno_multigrid *grid);
/* Solves on the coarsest level: x from b. */
void mpno_multigrid_coarsest(const mpno_multigrid *grid);

#endif
