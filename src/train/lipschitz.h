/* SPDX-License-Identifier: MIT
 * Training under a budget of norms (regularizer.lipschitz_*), so that a bound over a set of inputs
 * says something (certify/set.h): after optimiser steps every matrix whose spectral norm is above
 * the budget is multiplied by what brings it down to it. Norms are bounded from above by Gram
 * iteration (certify/spectral_norm.h), so that afterwards none is above the budget, proved, and one
 * that was scaled is at most 3 % below it for sides up to 32. Nearest points of the ball in the
 * spectral norm would keep small singular values; scaling costs less and keeps directions. Source:
 * Gouk et al., "Regularisation of neural networks by enforcing Lipschitz continuity" (Machine
 * Learning 110, 2021). Bits do not depend on threads; a projection allocates nothing. Statement L8
 * of docs/theory/set.md. */
#ifndef MPNO_TRAIN_LIPSCHITZ_H
#define MPNO_TRAIN_LIPSCHITZ_H

#include "model/model.h"
#include "train/config.h"

typedef struct mpno_lipschitz mpno_lipschitz;

/* Bytes that it keeps. */
size_t mpno_lipschitz_need(const mpno_model *model, const mpno_settings *settings, int n_threads);
/* Borrows the model. NULL where no budget is set. */
MPNO_WARN_UNUSED mpno_status mpno_lipschitz_create(mpno_model *model, const mpno_settings *settings,
                                                   mpno_lipschitz **out);
void mpno_lipschitz_destroy(mpno_lipschitz **lipschitz); /* accepts NULL */
/* Whether any weight was changed: networks have to be refreshed then. Accepts NULL. */
bool mpno_lipschitz_project(mpno_lipschitz *lipschitz);
/* The same after step `steps` = 1, 2, .. where one is due. */
bool mpno_lipschitz_step(mpno_lipschitz *lipschitz, int64_t steps);

/* E_CONFIG for budgets that cannot be kept with other keys. */
MPNO_WARN_UNUSED mpno_status mpno_lipschitz_check(mpno_ctx *ctx, const mpno_settings *settings);

#endif
