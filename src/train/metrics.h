/* SPDX-License-Identifier: MIT
 * Errors of predictions in physical units: relative L2, relative H1 and mean square, as defined in
 * mpno/loss.h, each the mean over samples and channels. Sums are formed in f64, sample after
 * sample, so that they do not depend on threads. */
#ifndef MPNO_TRAIN_METRICS_H
#define MPNO_TRAIN_METRICS_H

#include <stdint.h>

#include "core/context.h"
#include "mpno/format.h"
#include "mpno/loss.h"

typedef struct mpno_metrics {
    double l2, h1, mse; /* sums until mpno_metrics_finish, then means */
    int64_t count;      /* samples x channels */
} mpno_metrics;

/* norms: boundary and measure of the H1 error; the terms are not read. prediction, truth:
 * [n][grid..][planes][channels] of `format` (f32 or f64), contiguous; planes: 2 of complex fields,
 * else 1. */
MPNO_WARN_UNUSED mpno_status mpno_metrics_add(mpno_ctx *ctx, mpno_metrics *metrics,
                                              const mpno_objective *norms, mpno_format format,
                                              int64_t n, int ndim, const int64_t *grid, int planes,
                                              int64_t channels, const void *prediction,
                                              const void *truth);
void mpno_metrics_finish(mpno_metrics *metrics);

#endif
