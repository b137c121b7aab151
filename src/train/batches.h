/* SPDX-License-Identifier: MIT
 * The training samples of an epoch, batch by batch. A batch is of one training set, and so of one
 * resolution; in an epoch every sample stands in one batch. The order of the samples in their set
 * and that of the batches of several sets are permutations drawn for (seed, epoch). Of streamed
 * sets the order is that of feed.h, and samples are taken from the windows that a loader brings;
 * a batch may lie in two of them. */
#ifndef MPNO_TRAIN_BATCHES_H
#define MPNO_TRAIN_BATCHES_H

#include "train/loader.h"
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
    int64_t *order;          /* samples, set by set; of feeds: places in their windows */
    void *x, *y, *embedding; /* of the batch that was gathered last */
    mpno_loader *loader;     /* of feeds; NULL: all sets are in memory */
    mpno_load_plan plans[2]; /* of this epoch and the next: [epoch % 2] */
    int64_t *earlier;        /* [sets]: windows of all epochs before */
    int64_t *reached;        /* [sets]: the window of the last batch; scratch while planning */
} mpno_batches;

/* Everything is allocated here. On failure too, to be cleared. */
MPNO_WARN_UNUSED mpno_status mpno_batches_make(mpno_ctx *ctx, const mpno_settings *settings,
                                               const mpno_sets *sets, const mpno_train_state *state,
                                               mpno_batches *out);
void mpno_batches_clear(mpno_batches *batches);
/* Of feeds: begins to read ahead what that epoch needs first, before its time begins. */
void mpno_batches_prepare(mpno_batches *batches, int64_t epoch);
/* The order of an epoch; of feeds, what the one after it needs is read ahead. Epochs of feeds
 * are begun one after the other. */
void mpno_batches_begin(mpno_batches *batches, int64_t epoch);
/* Samples of batch `index` of the epoch, augmented, side by side into x, y and embedding. */
MPNO_WARN_UNUSED mpno_status mpno_batches_gather(mpno_batches *batches, int64_t index,
                                                 const mpno_batch **out);
/* Largest batch of a training set. */
int64_t mpno_batches_capacity(const mpno_settings *settings, const mpno_set *set);

#endif
