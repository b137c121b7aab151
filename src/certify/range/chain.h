/* SPDX-License-Identifier: MIT
 * The products of a spectrum with its weights seen together with the inverse transform behind them
 * (S7): from the spectrum that a forward transform left, of which the sum of squares is known by
 * Bessel's inequality, through all contractions to an edge. */
#ifndef MPNO_CERTIFY_RANGE_CHAIN_H
#define MPNO_CERTIFY_RANGE_CHAIN_H

#include "certify/range/range.h"

/* Of each channel of the edge, one number each:
 *   most    |z[k]| of every mode
 *   rms     sqrt(sum_k w[k] |z[k]|^2), w the weights of the edge's range
 *   sum     sum_k v[k] |z[k]|, v the weights of the inverse transform
 *   column  the largest over the last frequencies j of the sum of |z[k]| over the modes k that have
 *           it, k = .. keep + j: coefficients of a line */
typedef struct mpno_chain {
    double *most, *rms, *sum, *column; /* owned: most */
} mpno_chain;

/* What follows: the inverse weights and how many last frequencies there are. */
typedef struct mpno_chain_end {
    const double *weights; /* [modes]; NULL: sum and column are not asked for */
    int64_t keep;
} mpno_chain_end;

/* stored: with the rounding of the edge itself, as who reads it meets it. */
MPNO_WARN_UNUSED mpno_status mpno_chain_bounds(const mpno_range_walk *walk, int edge, bool stored,
                                               const mpno_chain_end *end, mpno_chain *out);
void mpno_chain_clear(mpno_ctx *ctx, mpno_chain *chain);

#endif
