/* SPDX-License-Identifier: MIT
 * Checkpoints: safetensors with the weights under the PyTorch library's names, shapes and order
 * (f32 or f64, complex ones as the safetensors layer writes them), the optimiser's states
 * as "optimizer.STATE.NAME" ("optimizer.exp_avg.NAME"), averages of the weights as "ema.NAME",
 * normalisers that are not scalar as "normalizer.x.mean", ".std" (f64, [grid..,] channels), and
 * three texts: "version" (of this layout), "config" (JSON of config.def without what does not
 * decide the numbers of a run but for the data files) and "state" (JSON of mpno_train_state). No
 * times, no machine: equal runs give equal bytes. */
#ifndef MPNO_TRAIN_CHECKPOINT_H
#define MPNO_TRAIN_CHECKPOINT_H

#include <stdint.h>

#include "core/context.h"
#include "data/normalizer.h"
#include "data/tensors.h"
#include "mpno/model.h"
#include "mpno/optimizer.h"
#include "train/config.h"
#include "train/early_stopping.h"
#include "train/ema.h"
#include "train/loss_scale.h"
#include "train/mode_state.h"

#define MPNO_CHECKPOINT_VERSION "1"

/* Where a run stands between two epochs. Owns what the normalisers own. */
typedef struct mpno_train_state {
    int64_t epoch, step; /* epochs done; optimiser steps done (skipped ones are not) */
    mpno_loss_scale loss_scale;
    mpno_lr_state lr;
    mpno_early_stopping early;
    bool encode_x, encode_y;
    mpno_normalizer x, y; /* of the training data, where encode_ says so */
    uint64_t data_checksum;
    int64_t best_epoch; /* 0: none yet */
    double best_error;  /* relative L2 on the validation data; NaN without one */
    mpno_mode_state modes;
    bool own_modes;      /* they were read: blocks have others than the configuration says */
    int64_t epoch_steps; /* steps of an epoch; 0: not known */
    int64_t level;       /* of precision.policy = adaptive, counted from 0 */
} mpno_train_state;

void mpno_train_state_clear(mpno_ctx *ctx, mpno_train_state *state);

/* A checkpoint in memory. */
typedef struct mpno_checkpoint {
    mpno_settings settings; /* owned */
    mpno_train_state state;
    bool foreign;           /* a state dict of the PyTorch library: no optimiser, no normalisers */
    mpno_tensor_file *file; /* owned */
    char path[4096];
} mpno_checkpoint;

/* optimizer and ema may be NULL. */
MPNO_WARN_UNUSED mpno_status mpno_checkpoint_write(
    mpno_ctx *ctx, const char *path, const mpno_settings *settings, const mpno_train_state *state,
    const mpno_model *model, const mpno_optimizer *optimizer, const mpno_ema *ema);
/* The file itself, or the last checkpoint of a run folder. E_IO: there is none. */
MPNO_WARN_UNUSED mpno_status mpno_checkpoint_find(mpno_ctx *ctx, const char *path, char *out,
                                                  size_t capacity);
/* path: a checkpoint of ours, a run folder (its last.safetensors) or a .pt state dict. E_FORMAT
 * says what is wrong. */
MPNO_WARN_UNUSED mpno_status mpno_checkpoint_read(mpno_ctx *ctx, const char *path,
                                                  mpno_checkpoint **out);
void mpno_checkpoint_destroy(mpno_ctx *ctx, mpno_checkpoint **checkpoint); /* accepts NULL */

/* Weights, averages (as weights or beside them) and states of an optimiser into a model of the same
 * architecture. E_FORMAT names the first tensor that differs. */
MPNO_WARN_UNUSED mpno_status mpno_checkpoint_load_model(mpno_ctx *ctx,
                                                        const mpno_checkpoint *checkpoint,
                                                        mpno_model *model);
MPNO_WARN_UNUSED mpno_status mpno_checkpoint_load_averages(mpno_ctx *ctx,
                                                           const mpno_checkpoint *checkpoint,
                                                           mpno_model *model);
MPNO_WARN_UNUSED mpno_status mpno_checkpoint_load_ema(mpno_ctx *ctx,
                                                      const mpno_checkpoint *checkpoint,
                                                      const mpno_model *model, mpno_ema *ema);
MPNO_WARN_UNUSED mpno_status mpno_checkpoint_load_optimizer(mpno_ctx *ctx,
                                                            const mpno_checkpoint *checkpoint,
                                                            const mpno_model *model,
                                                            mpno_optimizer *optimizer);
/* E_CONFIG naming the first key that decides numbers and differs; n_epochs may differ where the
 * phases already run agree. */
MPNO_WARN_UNUSED mpno_status mpno_checkpoint_same_run(mpno_ctx *ctx,
                                                      const mpno_checkpoint *checkpoint,
                                                      const mpno_settings *settings);
/* The settings of a checkpoint as a tree (owned by the caller). */
MPNO_WARN_UNUSED mpno_status mpno_checkpoint_config_tree(mpno_ctx *ctx,
                                                         const mpno_settings *settings,
                                                         mpno_value **out);

#endif
