/* SPDX-License-Identifier: MIT
 * Reads ahead: one thread that brings the windows of streamed training sets into memory in the
 * order in which an epoch needs them, three for each set: of two a batch may take its samples while
 * the third is read. Inputs and outputs are encoded as they come. What is read, and when it is
 * used, is decided by the plans alone, so that no result depends on how fast the thread is. */
#ifndef MPNO_TRAIN_LOADER_H
#define MPNO_TRAIN_LOADER_H

#include "train/sets.h"

enum { MPNO_LOADER_WINDOWS = 3 };

/* Window `window` of an epoch of training set `set`. */
typedef struct mpno_load {
    size_t set;
    int64_t window;
} mpno_load;

/* The order of one epoch. Owns its arrays. */
typedef struct mpno_load_plan {
    int64_t epoch;      /* -1: none */
    int64_t **blocks;   /* [sets]: [n_blocks], as mpno_feed_order gives them, like the next two */
    int64_t **starts;   /* [sets]: [n_blocks + 1] */
    int64_t *n_windows; /* [sets] */
    int64_t **begins;   /* [sets]: [n_windows + 1], places of all samples at which they begin */
    int64_t *turn;      /* [n_batches]: the batches in their order */
    mpno_load *loads;   /* in the order in which they are needed */
    int64_t n_loads;
} mpno_load_plan;

typedef struct mpno_loader mpno_loader;

/* Room alone. On failure too, to be cleared. */
MPNO_WARN_UNUSED mpno_status mpno_load_plan_make(mpno_ctx *ctx, const mpno_sets *sets,
                                                 int64_t n_batches, mpno_load_plan *out);
void mpno_load_plan_clear(mpno_ctx *ctx, const mpno_sets *sets, mpno_load_plan *plan);

/* Room for the windows, and the thread. Borrows sets and state (whose normalisers must stay). */
MPNO_WARN_UNUSED mpno_status mpno_loader_start(mpno_ctx *ctx, const mpno_sets *sets,
                                               const mpno_train_state *state, mpno_loader **out);
void mpno_loader_stop(mpno_loader **loader); /* *loader may be NULL */
/* Appends what a plan wants to what is to be read; borrows the plan until all of it was released or
 * the loader is stopped. At most two plans at a time. */
void mpno_loader_follow(mpno_loader *loader, const mpno_load_plan *plan);
/* Window `number` of a set, counted over all plans from 0: waits until it is in memory. Windows
 * before number - 1 are given back. */
MPNO_WARN_UNUSED mpno_status mpno_loader_wait(mpno_loader *loader, size_t set, int64_t number,
                                              const mpno_dataset **out);

#endif
