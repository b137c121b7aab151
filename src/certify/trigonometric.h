/* SPDX-License-Identifier: MIT
 * Fields between grids as samples of one periodic function: the trigonometric interpolant of the
 * values that are given, the one of least frequency (of an even number of points the highest one is
 * a cosine). Exact at points that both grids have; elsewhere right to about 1e-16 times the number
 * of points of an axis times the largest value. docs/theory/discretisation.md, D1. */
#ifndef MPNO_CERTIFY_TRIGONOMETRIC_H
#define MPNO_CERTIFY_TRIGONOMETRIC_H

#include "core/context.h"
#include "transform/fft/fft.h"

/* in [from..][width], out [to..][width] (f64, apart): any sizes from 1 on. width: values of a
 * point. E_MEMORY alone. The same bits for any number of threads. */
MPNO_WARN_UNUSED mpno_status mpno_trigonometric(mpno_ctx *ctx, int ndim, const int64_t *from,
                                                const int64_t *to, int64_t width, const double *in,
                                                double *out);
/* Every second point of each axis, from the first: in [2 to..][width], out [to..][width]. */
void mpno_every_second(int ndim, const int64_t *to, int64_t width, const double *in, double *out);

#endif
