/* SPDX-License-Identifier: MIT
 * Modes of each block that change while a run trains, within those that there are weights for
 * (model.max_n_modes). Decided before an epoch (adaptive: also the first), from what a checkpoint
 * holds and the epoch's first batch, so that a resumed run decides alike.
 *
 *   adaptive        an axis grows to the outermost mode that stands above the noise floor of the
 *                   policy's formats by modes.margin, and above the error of the network, in what
 *                   the targets hold, or the inputs and the block; it shrinks where its outermost
 *                   modes lie below the noise floor
 *   loss_gap        all axes grow when the training loss has stopped falling
 *   grad_explained  an axis grows when its outer modes hold much of the gradient
 *
 * Weights of modes that come in for the first time are zero, and those of modes that leave are
 * kept: the loss does not jump. The last two rules: George et al., "Incremental spatial and
 * spectral learning of neural operators" (arXiv 2211.15188), for every block (the PyTorch library
 * changes the first one alone, and adds up weights where the paper has gradients). */
#ifndef MPNO_TRAIN_MODES_H
#define MPNO_TRAIN_MODES_H

#include "core/value.h"
#include "mpno/optimizer.h"
#include "train/config.h"
#include "train/mode_state.h"

typedef enum mpno_mode_rule {
    MPNO_MODES_FIXED,
    MPNO_MODES_ADAPTIVE,
    MPNO_MODES_LOSS_GAP,
    MPNO_MODES_GRAD_EXPLAINED
} mpno_mode_rule;

/* What a decision looks at. */
typedef struct mpno_mode_probe {
    mpno_ctx *ctx;
    const mpno_settings *settings;
    mpno_model *model;               /* its modes are changed for a while */
    const mpno_optimizer *optimizer; /* its first state sums up gradients */
    const mpno_network_opts *opts;   /* of the phase, on the grid of the batch */
    int64_t n;                       /* samples of it that may be looked at */
    const void *x, *y, *embedding;
} mpno_mode_probe;

/* Keys that do not fit together. */
MPNO_WARN_UNUSED mpno_status mpno_modes_check(mpno_ctx *ctx, const mpno_settings *settings);
/* model.n_modes in every block, and of these at most precision.modes. */
mpno_mode_state mpno_modes_begin(const mpno_settings *settings);
/* Whether blocks may use other modes than model.n_modes: by a rule, or precision.modes. */
bool mpno_modes_own(const mpno_settings *settings);
/* A rule and precision.modes exclude each other in training. */
MPNO_WARN_UNUSED mpno_status mpno_modes_check_training(mpno_ctx *ctx,
                                                       const mpno_settings *settings);
/* Under a rule or precision.modes, zeroes the weights of modes that blocks do not use: those of a
 * new model come in without a jump; those that a run keeps must not be exported, as other programs
 * use all. */
MPNO_WARN_UNUSED mpno_status mpno_modes_zero_unused(mpno_ctx *ctx, const mpno_settings *settings,
                                                    mpno_model *model);
/* Modes into a model, as they were decided. */
MPNO_WARN_UNUSED mpno_status mpno_modes_apply(const mpno_mode_state *state, mpno_model *model);
/* Of a model, as a list of lists, one for each block; owned by the caller. */
MPNO_WARN_UNUSED mpno_status mpno_modes_list(mpno_ctx *ctx, const mpno_model *model,
                                             mpno_value **out);
/* All that there are weights for. */
MPNO_WARN_UNUSED mpno_status mpno_modes_apply_most(mpno_model *model);
/* Whether there is something to decide before this epoch, counted from 0. */
bool mpno_modes_due(const mpno_settings *settings, int64_t epoch);
/* Bytes that a decision takes for a batch of so many samples on the grid of opts. */
MPNO_WARN_UNUSED mpno_status mpno_modes_need(const mpno_settings *settings, mpno_model *model,
                                             const mpno_network_opts *opts, int64_t samples,
                                             size_t *bytes);
/* Decides; state and model then hold the new modes. */
MPNO_WARN_UNUSED mpno_status mpno_modes_decide(const mpno_mode_probe *probe, mpno_mode_state *state,
                                               bool *changed);

#endif
