/* SPDX-License-Identifier: MIT
 * Scalar normaliser: encode x -> (x - mean) / (std + eps), decode x -> x (std + eps) + mean, with
 * one mean and one standard deviation (unbiased, N - 1) over all values and eps = 1e-7, as
 * neuralop's UnitGaussianNormalizer. Mean and sum of squares are two passes in f64: relative error
 * below n * 1.2e-16. Arrays are f32 or f64, in place; each value is computed in f64 and rounded
 * once. A plain value: both numbers are all that a checkpoint has to keep. */
#ifndef MPNO_DATA_NORMALIZER_H
#define MPNO_DATA_NORMALIZER_H

#include <stdint.h>

#include "core/context.h"
#include "number/format.h"

#define MPNO_NORMALIZER_EPS 1e-7

typedef struct mpno_normalizer {
    double mean, std;
} mpno_normalizer;

/* Values of f32 or f64, borrowed. */
typedef struct mpno_values {
    const void *data;
    int64_t n;
} mpno_values;

/* Of all parts together. At least 2 values. E_NUMERIC when they are not finite. */
MPNO_WARN_UNUSED mpno_status mpno_normalizer_fit_parts(mpno_ctx *ctx, mpno_format format,
                                                       const mpno_values *parts, size_t n_parts,
                                                       mpno_normalizer *out);
/* Of one. */
MPNO_WARN_UNUSED mpno_status mpno_normalizer_fit(mpno_ctx *ctx, mpno_format format,
                                                 const void *data, int64_t n, mpno_normalizer *out);
/* From a checkpoint: E_FORMAT unless mean is finite and std finite and not negative. */
MPNO_WARN_UNUSED mpno_status mpno_normalizer_restore(mpno_ctx *ctx, double mean, double std,
                                                     mpno_normalizer *out);
/* format: MPNO_F32 or MPNO_F64. */
void mpno_normalizer_encode(const mpno_normalizer *normalizer, mpno_format format, void *data,
                            int64_t n);
void mpno_normalizer_decode(const mpno_normalizer *normalizer, mpno_format format, void *data,
                            int64_t n);

#endif
