/* SPDX-License-Identifier: MIT
 * Decompositions of a complex tensor W of `order` dimensions, in f64, all tensors in C order with
 * the real plane before the imaginary one:
 *   tucker  sequentially truncated HOSVD (Vannieuwenhoven et al., SIAM J. Sci. Comput. 34, 2012):
 * of each dimension in turn the leading eigenvectors of the Gram matrix of what is left. Error at
 * most sqrt(order) times the best one's tt      TT-SVD (Oseledets, SIAM J. Sci. Comput. 33, 2011),
 * with a Gram matrix of the shorter side instead of an SVD. Error at most sqrt(order - 1) times the
 * best one's cp      alternating least squares (Kolda & Bader, SIAM Review 51, 2009, section 3.4)
 * from random factors, until a sweep gains less than 1e-4 of the error, 100 sweeps at most; what it
 * finds depends on the start, and is no best approximation Gram matrices square the condition:
 * singular values below 1e-8 of the largest are lost in rounding, and so is an error of that size;
 * a full rank is exact. */
#ifndef MPNO_MODEL_DECOMPOSE_H
#define MPNO_MODEL_DECOMPOSE_H

#include "core/context.h"
#include "model/factors.h"

/* factors[i]: of mpno_factor_list, owned by the caller. ranks: of mpno_factor_ranks. */
MPNO_WARN_UNUSED mpno_status mpno_decompose(mpno_ctx *ctx, mpno_factorization factorization,
                                            int order, const int64_t *shape, const int64_t *ranks,
                                            const double *w, double *const *factors);
/* W from its factors. */
MPNO_WARN_UNUSED mpno_status mpno_compose(mpno_ctx *ctx, mpno_factorization factorization,
                                          int order, const int64_t *shape, const int64_t *ranks,
                                          const double *const *factors, double *w);

/* Eigenvectors of the Hermitian [2][n][n] matrix, by Jacobi's rotations; `matrix` is overwritten,
 * vectors [2][n][n] has that of the largest eigenvalue in column 0, and so on. */
void mpno_hermitian_vectors(int64_t n, double *matrix, double *vectors);

#endif
