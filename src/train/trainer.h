/* SPDX-License-Identifier: MIT
 * The training loop: epochs of seeded batches, phases of precision, evaluation, checkpoints, logs.
 * A step allocates nothing. One thread at a time; the parallel parts are inside of network and
 * optimiser. */
#ifndef MPNO_TRAIN_TRAINER_H
#define MPNO_TRAIN_TRAINER_H

#include "mpno/network.h"
#include "mpno/run.h"
#include "report/progress.h"
#include "report/runlog.h"
#include "report/tensorboard.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/diagnostics.h"
#include "train/lipschitz.h"
#include "train/precision.h"
#include "train/predictor.h"
#include "train/rollout.h"
#include "train/sets.h"

/* Norms of the gradients of an epoch, where opt.grad_clip_norm measures them. */
typedef struct mpno_clipping {
    double sum;
    int64_t steps, clipped;
} mpno_clipping;

typedef struct mpno_trainer {
    mpno_ctx *ctx;
    mpno_settings *settings; /* borrowed, resolved, channels known after opening */
    const mpno_sink *sink;   /* borrowed, may be NULL */
    mpno_schedule schedule;
    mpno_lr_opts lr;
    mpno_train_state state;
    mpno_sets sets;
    mpno_model *model;
    mpno_optimizer *optimizer;
    mpno_ema *ema;           /* NULL: no averages are kept */
    mpno_lipschitz *lipschitz; /* NULL: no budget of norms */
    mpno_network **networks; /* [sets.n_train], of the current phase; NULL: that of the twin */
    mpno_network **ahead;    /* the same for inference, which predict the steps of a roll-out */
    int phase;               /* -1: no network yet */
    bool scaled;             /* the loss, in this phase */
    mpno_batches batches;
    mpno_rollout rollout;
    mpno_runlog *log;
    mpno_tensorboard *board; /* NULL: not wanted */
    mpno_progress progress;
    mpno_metrics validation;
    mpno_metrics *tests;  /* [sets.n_tests], of the last evaluation */
    int64_t evaluated;    /* epochs done when that was; 0: never */
    int64_t validated;    /* the same of the validation data alone */
    int64_t step_samples; /* of the step that is being made, so far */
    bool broken;          /* an overflow has spoilt the step that is being accumulated */
    double rate;          /* of the last step */
    mpno_clipping clipping;
    double train_loss;   /* mean over the samples of the last epoch */
    double *set_loss;    /* [sets.n_train]: the same of each training set */
    double seconds;      /* in training steps, by this process */
    int64_t epochs_here; /* run by this process */
    mpno_diagnostics *diagnostics; /* NULL: off */
} mpno_trainer;

/* Reads data and, with resume, the checkpoint; makes model, optimiser, run folder and logs. */
MPNO_WARN_UNUSED mpno_status mpno_trainer_open(mpno_ctx *ctx, mpno_settings *settings, bool resume,
                                               const mpno_sink *sink, mpno_trainer *trainer);
void mpno_trainer_close(mpno_trainer *trainer);
/* All epochs that are left. E_STOPPED when the sink asked for it; the checkpoint is written then.
 */
MPNO_WARN_UNUSED mpno_status mpno_trainer_run(mpno_trainer *trainer);

/* The run has ended before its last epoch, as opt.early_stopping asks; the weights are the best. */
bool mpno_trainer_stopped_early(const mpno_trainer *trainer);

/* What the logs say: trainer_log.c. */
MPNO_WARN_UNUSED mpno_status mpno_trainer_open_log(mpno_trainer *trainer, bool resume);
MPNO_WARN_UNUSED mpno_status mpno_trainer_log_phase(mpno_trainer *trainer, int64_t epoch);
MPNO_WARN_UNUSED mpno_status mpno_trainer_log_modes(mpno_trainer *trainer);
MPNO_WARN_UNUSED mpno_status mpno_trainer_log_precision(mpno_trainer *trainer, int64_t epoch,
                                                        const mpno_precision_finding *finding);
MPNO_WARN_UNUSED mpno_status mpno_trainer_log_skip(mpno_trainer *trainer, int64_t batch);
MPNO_WARN_UNUSED mpno_status mpno_trainer_log_early_stop(mpno_trainer *trainer);
MPNO_WARN_UNUSED mpno_status mpno_trainer_log_epoch(mpno_trainer *trainer, double seconds);
/* trainer_diagnostics.c: what report.diagnostics says of a phase that begins and of an epoch. */
MPNO_WARN_UNUSED mpno_status mpno_trainer_diagnose_phase(mpno_trainer *trainer);
MPNO_WARN_UNUSED mpno_status mpno_trainer_diagnose_epoch(mpno_trainer *trainer);
/* What is known of the tensor that was not finite, if any: the name of the failure for a sentence,
 * and the size of its values before; fields of the event "failed". */
typedef struct mpno_failure {
    char name[64], before[256];
    const char *layer, *tensor; /* NULL: not known */
} mpno_failure;
mpno_failure mpno_trainer_failure(const mpno_trainer *trainer);
/* Event `event` of an epoch, and its numbers as scalars; board_fields may be NULL. */
MPNO_WARN_UNUSED mpno_status mpno_trainer_log_event(mpno_trainer *trainer, const char *event,
                                                    int64_t epoch, const mpno_value *fields,
                                                    const mpno_value *board_fields);
/* The object that summary.json holds; owned by the caller. */
MPNO_WARN_UNUSED mpno_status mpno_trainer_summary(mpno_trainer *trainer, mpno_value **out);

/* Loss scale in force: 1 where the phase stores nothing in f16. */
double mpno_trainer_loss_scale(const mpno_trainer *trainer);
/* {"l2": .., "h1": .., "mse": ..} at map[key]. */
MPNO_WARN_UNUSED mpno_status mpno_metrics_put(mpno_ctx *ctx, mpno_value *map, const char *key,
                                              const mpno_metrics *metrics);
/* The tensors a network stores, as a list of maps. */
MPNO_WARN_UNUSED mpno_status mpno_tensors_list(mpno_ctx *ctx, const mpno_network *network,
                                               mpno_value **out);

#endif
