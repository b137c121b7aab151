/* SPDX-License-Identifier: MIT
 * Normalisers: encode x -> (x - mean) / (std + eps), decode x -> x (std + eps) + mean, eps = 1e-7,
 * std unbiased (N - 1), as the PyTorch library's UnitGaussianNormalizer. Mean and deviation are
 *   scalar        over all values,
 *   channel-wise  of each channel, over samples and points,
 *   pixel-wise    of each channel at each point, over samples: on one grid only.
 * Real and imaginary parts of complex fields are values alike. All are fitted in one pass and f64,
 * values in the order they come: scalar ones by tiles of MPNO_MOMENTS_TILE values in two passes
 * each, merged one after the other (Chan, Golub, LeVeque, Am. Statistician 37, 1983, p. 242), the
 * others by Welford's recurrence; neither forms a difference of large sums. How values are parted
 * into calls changes no bit. Arrays are f32 or f64, in place; each value is computed in f64 and
 * rounded once. */
#ifndef MPNO_DATA_NORMALIZER_H
#define MPNO_DATA_NORMALIZER_H

#include <stddef.h>
#include <stdint.h>

#include "core/context.h"
#include "number/format.h"
#include "number/tensor.h"

#define MPNO_NORMALIZER_EPS 1e-7

typedef enum mpno_encoding {
    MPNO_ENCODING_SCALAR,
    MPNO_ENCODING_CHANNEL_WISE,
    MPNO_ENCODING_PIXEL_WISE
} mpno_encoding;

/* How values lie in memory: samples of [grid..][planes][channels]. */
typedef struct mpno_field_layout {
    int ndim, planes; /* planes: 2 of complex fields, else 1 */
    int64_t grid[MPNO_MAX_DIMS], channels;
} mpno_field_layout;

typedef struct mpno_normalizer {
    double mean, std; /* scalar */
    mpno_encoding encoding;
    mpno_field_layout layout; /* of others: grid only where pixel-wise */
    double *means, *stds;     /* of others, owned: [channels] or [points][channels] */
} mpno_normalizer;

/* Whole samples of f32 or f64, borrowed. */
typedef struct mpno_values {
    const void *data;
    int64_t n;
} mpno_values;

enum { MPNO_MOMENTS_TILE = 1024 };
/* A normaliser that is being fitted. One thread at a time. */
typedef struct mpno_moments {
    mpno_normalizer of; /* owned; std and stds hold sums of squared deviations */
    int64_t n;          /* values so far */
    int in_tile;
    double tile[MPNO_MOMENTS_TILE]; /* scalar: values that are not merged yet */
} mpno_moments;

const char *mpno_encoding_name(mpno_encoding encoding);

/* Scalar, of n >= 2 values. E_NUMERIC when they are not finite. */
MPNO_WARN_UNUSED mpno_status mpno_normalizer_fit(mpno_ctx *ctx, mpno_format format,
                                                 const void *data, int64_t n, mpno_normalizer *out);
/* Of all parts together, which are on one grid where pixel-wise. */
MPNO_WARN_UNUSED mpno_status mpno_normalizer_fit_parts(mpno_ctx *ctx, mpno_encoding encoding,
                                                       const mpno_field_layout *layout,
                                                       mpno_format format, const mpno_values *parts,
                                                       size_t n_parts, mpno_normalizer *out);
/* The same step by step: n values of whole samples each time. layout: not for scalar ones. Finish
 * and discard end it; errors as above. */
MPNO_WARN_UNUSED mpno_status mpno_moments_start(mpno_ctx *ctx, mpno_encoding encoding,
                                                const mpno_field_layout *layout,
                                                mpno_moments *moments);
void mpno_moments_add(mpno_moments *moments, mpno_format format, const void *data, int64_t n);
MPNO_WARN_UNUSED mpno_status mpno_moments_finish(mpno_ctx *ctx, mpno_moments *moments,
                                                 mpno_normalizer *out);
void mpno_moments_discard(mpno_ctx *ctx, mpno_moments *moments);

/* From a checkpoint: E_FORMAT unless mean is finite and std finite and not negative. The second one
 * leaves means and stds to be filled and then checked. */
MPNO_WARN_UNUSED mpno_status mpno_normalizer_restore(mpno_ctx *ctx, double mean, double std,
                                                     mpno_normalizer *out);
MPNO_WARN_UNUSED mpno_status mpno_normalizer_allocate(mpno_ctx *ctx, mpno_encoding encoding,
                                                      const mpno_field_layout *layout,
                                                      mpno_normalizer *out);
MPNO_WARN_UNUSED mpno_status mpno_normalizer_check(mpno_ctx *ctx, const mpno_normalizer *n);
void mpno_normalizer_clear(mpno_ctx *ctx, mpno_normalizer *normalizer);

/* Numbers in means and in stds: 0 of a scalar one. */
int64_t mpno_normalizer_count(const mpno_normalizer *normalizer);
/* E_SHAPE where it is pixel-wise and `grid` is not its own; what: "inputs", for the message. */
MPNO_WARN_UNUSED mpno_status mpno_normalizer_check_grid(mpno_ctx *ctx,
                                                        const mpno_normalizer *normalizer,
                                                        const char *what, int ndim,
                                                        const int64_t *grid);
/* format: MPNO_F32 or MPNO_F64; n values of whole samples, on the grid that was checked. */
void mpno_normalizer_encode(const mpno_normalizer *normalizer, mpno_format format, void *data,
                            int64_t n);
void mpno_normalizer_decode(const mpno_normalizer *normalizer, mpno_format format, void *data,
                            int64_t n);

#endif
