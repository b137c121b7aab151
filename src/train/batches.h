/* SPDX-License-Identifier: MIT
 * The training samples of an epoch, batch by batch. A batch is of one training set, and so of one
 * resolution; in an epoch every sample stands in one batch. The order of the samples in their set
 * and that of the batches of several sets are permutations drawn for (seed, epoch). */
#ifndef MPNO_TRAIN_BATCHES_H
#define MPNO_TRAIN_BATCHES_H

#include "train/sets.h"

typedef struct mpno_batch {
    size_t set;
    int64_t first, n; /* of the order of all samples */
} mpno_batch;

/* Borrows settings, sets and state. One thread at a time. */
typedef struct mpno_batches {
    mpno_ctx *ctx;
    const mpno_settings *settings;
    const mpno_sets *sets;
    const mpno_train_state *state;
    int64_t n, epoch;
    mpno_batch *list;        /* [n], set by set */
    int64_t *turn;           /* [n]: the batches in the order of the epoch */
    int64_t *order;          /* samples, set by set */
    void *x, *y, *embedding; /* of the batch that was gathered last */
} mpno_batches;

/* Everything is allocated here. On failure too, to be cleared. */
MPNO_WARN_UNUSED mpno_status mpno_batches_make(mpno_ctx *ctx, const mpno_settings *settings,
                                               const mpno_sets *sets, const mpno_train_state *state,
                                               mpno_batches *out);
void mpno_batches_clear(mpno_batches *batches);
/* The order of an epoch. */
void mpno_batches_begin(mpno_batches *batches, int64_t epoch);
/* Samples of batch `index` of the epoch, augmented, side by side into x, y and embedding. */
const mpno_batch *mpno_batches_gather(mpno_batches *batches, int64_t index);
/* Largest batch of a training set. */
int64_t mpno_batches_capacity(const mpno_settings *settings, const mpno_set *set);

#endif
