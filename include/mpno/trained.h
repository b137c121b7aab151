/* SPDX-License-Identifier: MIT
 * A trained model for use in a program: predictions from arrays in memory, on any grid. */
#ifndef MPNO_TRAINED_H
#define MPNO_TRAINED_H

#include "mpno/format.h"
#include "mpno/model.h"
#include "mpno/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mpno_trained mpno_trained; /* one thread at a time */

/* checkpoint: as for mpno_eval. overrides: may be NULL; borrowed during the call. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_trained_load(mpno_ctx *ctx, const char *checkpoint,
                                                        const mpno_config *overrides,
                                                        mpno_trained **out);
MPNO_API void mpno_trained_destroy(mpno_trained **trained); /* accepts NULL and *trained == NULL */
/* Its weights and configuration (channels, axes); borrowed. */
MPNO_API const mpno_model *mpno_trained_model(const mpno_trained *trained);

/* The grid on which predictions for inputs on `grid` lie; both one entry an axis of the model. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_trained_output_grid(mpno_trained *trained,
                                                               const int64_t *grid, int64_t *out);
/* Predicts n samples. x: [n][in_channels][grid..], y: [n][out_channels][output grid..], both of
 * `format` (MPNO_F32: float, MPNO_F64: double), in physical units as in the training data; complex
 * fields are pairs of real and imaginary part. A call with the grid and no more samples than the
 * one before makes no new plans. E_NUMERIC names the first sample of x that is not finite. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_trained_predict(mpno_trained *trained,
                                                           mpno_format format, int64_t n,
                                                           const int64_t *grid, const void *x,
                                                           void *y);

#ifdef __cplusplus
}
#endif

#endif
