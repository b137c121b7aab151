/* SPDX-License-Identifier: MIT
 * An exponential moving average of a model's weights: after every optimiser step a += (1 - decay)
 * (p - a); the first step copies. As torch.optim.swa_utils.AveragedModel with
 * get_ema_multi_avg_fn(decay). Source: Polyak & Juditsky, "Acceleration of stochastic approximation
 * by averaging" (SIAM J. Control Optim. 30, 1992); the exponential form is common practice. */
#ifndef MPNO_TRAIN_EMA_H
#define MPNO_TRAIN_EMA_H

#include "mpno/model.h"

/* Borrows the model. One thread at a time. */
typedef struct mpno_ema mpno_ema;

/* Starts as a copy of the weights. */
MPNO_WARN_UNUSED mpno_status mpno_ema_create(mpno_model *model, double decay, mpno_ema **out);
void mpno_ema_destroy(mpno_ema **ema); /* accepts NULL */
/* After optimiser step `steps` = 1, 2, .. */
void mpno_ema_update(mpno_ema *ema, int64_t steps);
/* Averages into the model and the trained weights here, or back. Networks with copies of weights
 * must be refreshed or not used meanwhile. */
void mpno_ema_swap(mpno_ema *ema);
/* The average of a parameter in the outside order, as f64 (exact); not between two swaps. */
void mpno_ema_get(const mpno_ema *ema, int param, double *values);
void mpno_ema_set(mpno_ema *ema, int param, const double *values);

#endif
