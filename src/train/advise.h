/* SPDX-License-Identifier: MIT
 * Inside of mpno_advise: what was found of each policy (advise.c), what follows from it
 * (advise_report.c). */
#ifndef MPNO_TRAIN_ADVISE_H
#define MPNO_TRAIN_ADVISE_H

#include "mpno/advise.h"
#include "train/diagnostics.h"
#include "train/gradient_error.h"
#include "train/restore.h"

enum { MPNO_MOST_TRIALS = 64 };

/* One policy with one 16-bit format. */
typedef struct mpno_trial {
    const char *policy;
    mpno_format half;
    double difference;   /* of the predictions from those of full, relative L2; NaN: not finite */
    double error;        /* against the truth, relative L2; NaN: no truth, or not finite */
    double seconds;      /* of a prediction of the batch, the least of some */
    double step_seconds; /* estimate for a training step */
    size_t activation_bytes;            /* of a prediction */
    mpno_half_bytes training;           /* of a training step */
    double headroom;                    /* least of what the forward pass stores */
    const mpno_tensor_record *tightest; /* of that tensor; NULL: none */
    int64_t lost, compared;             /* values that became zero in the forward pass */
    double gradient_decibel; /* least of the gradients that are stored; NaN: not looked at */
    bool gradients_finite;
    mpno_gradient_error gradient; /* against full; of no layer: not looked at */
    mpno_tensor_records records; /* of the forward pass; gradients behind them */
    char broken[160];            /* layer and tensor that was not finite; "": none */
} mpno_trial;

typedef struct mpno_advice {
    mpno_ctx *ctx;
    const mpno_restored *restored;
    const char *file; /* of the data */
    mpno_dataset *data;
    bool has_truth;
    int64_t batch;
    mpno_trial trials[MPNO_MOST_TRIALS]; /* the first one is full */
    int n_trials;
} mpno_advice;

MPNO_WARN_UNUSED mpno_status mpno_advice_report(const mpno_advice *advice, const mpno_sink *sink,
                                                char **json);

#endif
