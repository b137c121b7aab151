/* SPDX-License-Identifier: MIT
 * Looks at a training run's tensors while it goes on (report.diagnostics): every so-manieth batch a
 * census of all that is stored, and now and then a few samples once more beside `full`. No number
 * of the run changes. One thread at a time. */
#ifndef MPNO_TRAIN_DIAGNOSTICS_H
#define MPNO_TRAIN_DIAGNOSTICS_H

#include "model/tally.h"
#include "train/diagnosis.h"

/* A look takes up to 5 % of a step, a shadow comparison of two samples up to 0.8 steps of 16
 * samples and 5 steps of 4 (docs/howto/diagnose.md). Looks every 16 batches, and comparisons at
 * every 16th of these for batches of 16 samples, more rarely for smaller ones: below 1 % together.
 */
enum { MPNO_SHADOW_LOOKS = 16, MPNO_SHADOW_BATCH = 16, MPNO_SHADOW_SAMPLES = 2 };

/* Records that grow; zeroed: empty. */
typedef struct mpno_tensor_records {
    mpno_tensor_record *v; /* owned */
    int n, room;
} mpno_tensor_records;

/* Adds what a tally has seen of a network, and a shadow comparison (may be NULL), to the records of
 * its tensors. A tensor whose format has changed begins anew. */
MPNO_WARN_UNUSED mpno_status mpno_records_add(mpno_ctx *ctx, const mpno_network *network,
                                              const mpno_tally *tally, const mpno_shadow *shadow,
                                              mpno_tensor_records *records);
void mpno_records_clear(mpno_ctx *ctx, mpno_tensor_records *records);
/* The record of a tensor; NULL: there is none. */
mpno_tensor_record *mpno_records_find(const mpno_tensor_records *records, const mpno_graph *graph,
                                      int edge);
/* Bytes of tensors and arena of a network; under_full is left to the caller. */
mpno_half_bytes mpno_half_bytes_of(const mpno_model *model, const mpno_network *network);

typedef struct mpno_diagnostics {
    mpno_ctx *ctx;
    int64_t every;       /* batches between two looks */
    size_t memory_limit; /* bytes; 0: none */
    mpno_tensor_records records;
    mpno_network **networks; /* owned array of borrowed networks; what tallies are of */
    mpno_tally *tallies;     /* owned */
    int n_tallies;
    int told_phase; /* of which a policy that is not half was looked for last */
    bool looked;    /* since the last epoch ended */
} mpno_diagnostics;

MPNO_WARN_UNUSED mpno_status mpno_diagnostics_create(mpno_ctx *ctx, int64_t every,
                                                     size_t memory_limit, mpno_diagnostics **out);
void mpno_diagnostics_destroy(mpno_diagnostics **diagnostics); /* accepts NULL */
/* Before the networks go. Accepts NULL. */
void mpno_diagnostics_drop_networks(mpno_diagnostics *diagnostics);

/* A batch of the run, counted from 0 on. */
typedef struct mpno_diagnosed_batch {
    int64_t number, n;
    const void *x, *target, *embedding;
    double loss_scale;
    uint64_t seed; /* of dropout */
} mpno_diagnosed_batch;
/* Before the step of a batch. Accepts NULL. */
MPNO_WARN_UNUSED mpno_status mpno_diagnostics_begin(mpno_diagnostics *diagnostics,
                                                    mpno_network *network, int64_t number);
/* After it, when its gradients have been used. Accepts NULL. */
MPNO_WARN_UNUSED mpno_status mpno_diagnostics_end(mpno_diagnostics *diagnostics, mpno_model *model,
                                                  mpno_network *network,
                                                  const mpno_diagnosed_batch *batch);
/* What was counted so far into the records. */
MPNO_WARN_UNUSED mpno_status mpno_diagnostics_collect(mpno_diagnostics *diagnostics);
/* Ends an epoch: censuses become history. */
void mpno_diagnostics_end_epoch(mpno_diagnostics *diagnostics, int64_t epoch);

#endif
