/* SPDX-License-Identifier: MIT
 * The Lipschitz constant of the heart of a block, x -> K f(x) + W x on real fields: K a spectral
 * convolution, f a function of one value with slopes between two numbers, W a linear map of
 * channels at every point. By Parseval's equation the linear part decouples into one matrix for
 * each frequency. Statements L4 and L5 of docs/theory/set.md. */
#ifndef MPNO_CERTIFY_SET_BLOCK_H
#define MPNO_CERTIFY_SET_BLOCK_H

#include "core/context.h"
#include "transform/fft/fft.h"

typedef struct mpno_set_block {
    const mpno_fft *fft; /* of real data; forward and inverse alike */
    int64_t inputs, outputs;
    const int32_t *mode_rows; /* mode -> block; NULL: all meet the first */
    const double *blocks;     /* [..][2][inputs][outputs], real plane first */
    const double *skip;       /* W [outputs][inputs]; NULL: 0 */
    double low, high;         /* slopes of f, 0 <= low <= high */
} mpno_set_block;

/* slope: at least the Lipschitz constant; equal but for the roundings of spectral norms (a few
 * percent) where low == high. Not smaller than any of its parts needs: the least of two bounds, one
 * by the middle slope and one by the sum of the paths. */
MPNO_WARN_UNUSED mpno_status mpno_set_block_slope(mpno_ctx *ctx, const mpno_set_block *block,
                                                  double *slope);

#endif
