/* SPDX-License-Identifier: MIT
 * Upper bounds of spectral norms (greatest singular values) by Gram iteration, proved: never below
 * the norm of the matrix as it is stored, rounding of the iteration included, and above it by a
 * factor of at most N^(1 / 2^(steps + 2)) (1 + 1e-15 (16 + p) N) for sides N <= p, which is 1.014
 * for N = 32 and 6 steps. Proof: docs/theory/spectral_norm.md, statements S1 to S5. Assumes
 * rounding to nearest and subnormal numbers kept, as C programs start. */
#ifndef MPNO_CERTIFY_SPECTRAL_NORM_H
#define MPNO_CERTIFY_SPECTRAL_NORM_H

#include "model/model.h"

enum { MPNO_NORM_STEPS = 7 }; /* 1.007 for 32 x 32 */

/* blocks matrices of one shape, in the layout of weights: each [rows][cols], complex ones
 * [2][rows][cols] with the real plane first. Borrowed. */
typedef struct mpno_matrices {
    const void *data;
    mpno_format format; /* f32 or f64 */
    int64_t blocks, rows, cols;
    bool is_complex;
} mpno_matrices;

/* bounds: [blocks], or NULL; most: the greatest of them, or NULL. steps: 0 .. 60 squarings after
 * the first product, which takes 4 rows cols N flops for sides N <= p of a complex matrix, and each
 * squaring 4 N^3; a quarter of that for real ones. INFINITY where a number is not finite, 0 of
 * zeros. The same bits for any number of threads. */
MPNO_WARN_UNUSED mpno_status mpno_spectral_norms(mpno_ctx *ctx, const mpno_matrices *matrices,
                                                 int steps, double *bounds, double *most);
/* The same without allocations: bounds [blocks], scratch of so many bytes, steps as above. For
 * matrices that the first function takes; those of fewer numbers need no more scratch. */
size_t mpno_spectral_norms_scratch(const mpno_matrices *matrices, int n_threads);
void mpno_spectral_norms_into(const mpno_matrices *matrices, int steps, int n_threads,
                              double *scratch, double *bounds);
/* The same of one matrix [rows][cols] with its two planes apart; im NULL: real. */
MPNO_WARN_UNUSED mpno_status mpno_spectral_norm(mpno_ctx *ctx, int64_t rows, int64_t cols,
                                                const double *re, const double *im, int steps,
                                                double *bound);
/* The largest of what blocks have, for bounds of ops (graph/bound.h): spectral norm, Frobenius norm
 * and modulus, all upper bounds; the spectral norm of a vector is its 2-norm. error: 0. */
MPNO_WARN_UNUSED mpno_status mpno_block_norms(mpno_ctx *ctx, const mpno_matrices *matrices,
                                              int steps, mpno_bound *out);
/* The matrices of a parameter: the modes of a spectral weight, the points of a convolution, the one
 * of a linear map. param's data must be there. */
mpno_matrices mpno_param_matrices(const mpno_model *model, int param);

#endif
