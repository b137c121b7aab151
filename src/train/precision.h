/* SPDX-License-Identifier: MIT
 * precision.policy = adaptive: a run begins on the first of its levels (policies, from low
 * precision to high) and goes to the next one when the error that low precision makes has become a
 * part of the error that training has left to remove. Decided before an epoch, at most every
 * precision.interval steps, from what a checkpoint holds and the epoch's first batch, so that a
 * resumed run decides alike.
 *
 *   prediction  |low - full| over |full - target|: predictions of the same weights under the
 *               level's policy and in full, relative L2 errors, mean over the samples. Two forward
 *               passes and two networks made, 0.9 steps of darcy16: every 50 steps 1.9 %
 *   gradient    |low - full| over |full| of the batch's gradient, all weights together. Two
 *               passes forward and backward, 2.3 steps of darcy16: every 150 steps 1.5 %
 *
 * Both networks have the stabiliser of the level. */
#ifndef MPNO_TRAIN_PRECISION_H
#define MPNO_TRAIN_PRECISION_H

#include "train/config.h"

typedef enum mpno_precision_measure_kind {
    MPNO_MEASURE_PREDICTION,
    MPNO_MEASURE_GRADIENT
} mpno_precision_measure_kind;

/* What a decision looks at. */
typedef struct mpno_precision_probe {
    mpno_ctx *ctx;
    const mpno_settings *settings;
    mpno_model *model;
    const mpno_network_opts *opts; /* of training on the level, on the grid of the batch */
    double loss_scale;
    uint64_t step; /* of dropout */
    int64_t n;     /* samples of the batch */
    const void *x, *y, *embedding;
} mpno_precision_probe;

typedef struct mpno_precision_finding {
    double error;          /* by precision, relative */
    double training_error; /* relative L2 in full; 0 where gradients are compared */
    double share;          /* what precision.fraction is compared with */
    bool raises;
} mpno_precision_finding;

/* Whether there is something to decide before this epoch, counted from 0. */
bool mpno_precision_due(const mpno_settings *settings, const mpno_schedule *schedule,
                        int64_t epoch);
/* Bytes that a decision takes, of a batch as large as the training network `opts` may get. */
MPNO_WARN_UNUSED mpno_status mpno_precision_need(const mpno_settings *settings, mpno_model *model,
                                                 const mpno_network_opts *opts, size_t *bytes);
MPNO_WARN_UNUSED mpno_status mpno_precision_measure(const mpno_precision_probe *probe,
                                                    mpno_precision_finding *out);

#endif
