/* SPDX-License-Identifier: MIT
 * Training on a model's own predictions (push-forward: Brandstetter, Worrall, Welling, "Message
 * passing neural PDE solvers", ICLR 2022, section 3.1). Of a batch of trajectories j steps are
 * predicted one from the other, and the step after them is learnt from; j is drawn for (seed,
 * epoch, batch) from 0 .. rollout.steps - 1. No gradient goes through the predictions: the model
 * learns to bring back states that it has made itself, at the memory of one step. Noise on inputs
 * (rollout.noise) is drawn for (seed, epoch, place in the epoch). */
#ifndef MPNO_TRAIN_ROLLOUT_H
#define MPNO_TRAIN_ROLLOUT_H

#include "mpno/network.h"
#include "train/batches.h"

/* What the keys alone can tell: E_CONFIG. */
MPNO_WARN_UNUSED mpno_status mpno_rollout_check(mpno_ctx *ctx, const mpno_settings *settings);
/* Whether predictions of training data can be inputs: E_CONFIG. Channels must be known. */
MPNO_WARN_UNUSED mpno_status mpno_rollout_check_data(mpno_ctx *ctx, const mpno_settings *settings,
                                                     const mpno_dataset *data);

/* Room for one batch. Borrows settings and state. One thread at a time. */
typedef struct mpno_rollout {
    mpno_ctx *ctx;
    const mpno_settings *settings;
    const mpno_train_state *state;
    void *prediction, *target; /* owned */
} mpno_rollout;

/* Nothing is allocated where rollout.steps is 1. On failure too, to be cleared. */
MPNO_WARN_UNUSED mpno_status mpno_rollout_make(mpno_ctx *ctx, const mpno_settings *settings,
                                               const mpno_sets *sets, const mpno_train_state *state,
                                               mpno_rollout *out);
void mpno_rollout_clear(mpno_rollout *rollout);
/* Makes the gathered batch `index` of an epoch ready to be learnt from: noise and predictions into
 * batches->x; *target: what is to be predicted from it, borrowed until the next call. network: for
 * inference, on the weights that are trained; NULL where rollout.steps is 1. */
MPNO_WARN_UNUSED mpno_status mpno_rollout_advance(mpno_rollout *rollout, mpno_batches *batches,
                                                  const mpno_batch *batch, int64_t index,
                                                  mpno_network *network, const void **target);

#endif
