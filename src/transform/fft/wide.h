/* SPDX-License-Identifier: MIT
 * Transforms in long double, for tables: z[m][2] -> sum_j z[j] exp(-2 pi i j k / m), m a product of
 * 2, 3, 5 and 7. Error in the 2-norm: mpno_wide_growth(m) half units in the last place of long
 * double of sqrt(m) times the norm of z. */
#ifndef MPNO_TRANSFORM_FFT_WIDE_H
#define MPNO_TRANSFORM_FFT_WIDE_H

#include "core/context.h"

/* out[m][2] and in[m][2] do not overlap. */
MPNO_WARN_UNUSED mpno_status mpno_wide_transform(mpno_ctx *ctx, int64_t m, const long double *in,
                                                 long double *out);
double mpno_wide_growth(int64_t m);

#endif
