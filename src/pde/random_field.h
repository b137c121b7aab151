/* SPDX-License-Identifier: MIT
 * Gaussian random fields with a Matern-type covariance sigma^2 (tau^2 - Laplacian)^-alpha on a box
 * of 1 to 3 dimensions and lengths L, of zero mean:
 *   field(x) = sum over modes j of c_j xi_j phi_j1(x1) .. phi_jd(xd),  xi_j independent N(0, 1)
 *   c_j = sigma (lambda_j1 + .. + lambda_jd + tau^2)^(-alpha / 2)
 * phi are the eigenfunctions of -d^2/dx^2 with eigenvalue lambda, orthonormal in the mean over the
 * box; with s = x / L:
 *   NEUMANN    1, sqrt(2) cos(pi k s), k = 1 .. N-1         lambda = (pi k / L)^2
 *   DIRICHLET  sqrt(2) sin(pi k s), k = 1 .. N-1            (pi k / L)^2
 *   PERIODIC   1, sqrt(2) cos(2 pi k s), sqrt(2) sin(2 pi k s), k < N/2    (2 pi k / L)^2
 * and the constant mode is left out. With L = 1, sigma = tau^(alpha - d/2) NEUMANN is the recipe of
 * the Darcy sets of Li et al. (2021) in two dimensions, sampled at nodes, and PERIODIC that of the
 * initial values of their Navier-Stokes sets. Recipes that draw complex coefficients with real and
 * imaginary parts of variance 1 each and take a Hermitian inverse transform have the fields of
 * sqrt(2) times their sigma. xi_j depends on (seed,
 * sample, which, j) alone: a finer grid adds modes and keeps those of the coarse one. */
#ifndef MPNO_PDE_RANDOM_FIELD_H
#define MPNO_PDE_RANDOM_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "core/context.h"

typedef enum mpno_field_boundary {
    MPNO_NEUMANN,
    MPNO_DIRICHLET,
    MPNO_PERIODIC
} mpno_field_boundary;

typedef struct mpno_random_field_opts {
    int ndim;
    int64_t size[3]; /* N: intervals of each axis, at least 2 */
    mpno_field_boundary boundary;
    double alpha, tau, sigma;
    double length[3]; /* L; 0: 1 */
} mpno_random_field_opts;

typedef struct mpno_random_field mpno_random_field; /* read-only: threads share it */

MPNO_WARN_UNUSED mpno_status mpno_random_field_create(mpno_ctx *ctx,
                                                      const mpno_random_field_opts *opts,
                                                      mpno_random_field **out);
void mpno_random_field_destroy(mpno_ctx *ctx, mpno_random_field **field); /* accepts NULL inside */

/* Values of an axis: at the nodes i L/N, i = 0 .. N, N + 1 of them; PERIODIC without the last. */
int64_t mpno_random_field_points(const mpno_random_field *field, int axis);
size_t mpno_random_field_scratch_bytes(const mpno_random_field *field);
/* Field `which` (below 2^20) of a sample. scratch: 64-byte aligned; out: [points1]..[pointsd]. */
void mpno_random_field_sample(const mpno_random_field *field, uint64_t seed, uint32_t sample,
                              uint32_t which, void *scratch, double *out);
/* Modes of an axis, and c_j of a mode (0 for the one left out). */
int64_t mpno_random_field_modes(const mpno_random_field *field, int axis);
double mpno_random_field_coefficient(const mpno_random_field *field, const int64_t j[3]);

#endif
