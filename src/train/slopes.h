/* SPDX-License-Identifier: MIT
 * What each mode of fields on a periodic grid has of their slopes,
 *     P(k) = |k|^2 mean |u^(k)|^2   over samples and channels,
 * k integer wave vectors, u^ as in spectrum.h. The sum over all k is the mean square of the
 * gradient by (2 pi)^2, of a domain of length 1. Constants have none. Arithmetic in f64. */
#ifndef MPNO_TRAIN_SLOPES_H
#define MPNO_TRAIN_SLOPES_H

#include "train/spectrum.h"

/* Fields [n][grid..][planes][channels] of one format. */
typedef struct mpno_slope_fields {
    const void *data;
    mpno_format format;
    int64_t n, channels;
    int ndim, planes; /* 2 of complex fields, else 1 */
    const int64_t *grid;
} mpno_slope_fields;

typedef struct mpno_slopes {
    mpno_spectrum spectrum; /* owned: which wave vector a mode has */
    double *power;          /* owned: P of each mode that the spectrum keeps */
    double sum;             /* over all modes, also those that stand for their conjugates */
    int64_t points;
} mpno_slopes;

/* minus: NULL, or what is subtracted, shaped like them. On failure too, to be cleared. */
MPNO_WARN_UNUSED mpno_status mpno_slopes_measure(mpno_ctx *ctx, const mpno_slope_fields *fields,
                                                 const void *minus, mpno_slopes *out);
void mpno_slopes_clear(mpno_slopes *slopes); /* also of one that is all 0 */

#endif
