/* SPDX-License-Identifier: MIT
 * The learning rate, with the meaning of torch.optim.lr_scheduler: epoch e (from 0) uses the rate
 * after e steps of the scheduler. In front of any schedule the rate may rise linearly, from
 * warmup_start times the base rate: over warmup_epochs (LinearLR before the schedule, as by
 * SequentialLR) or over warmup_steps (a factor on the schedule, for each optimiser step). Formulas:
 * docs/theory/optimizer. */
#ifndef MPNO_TRAIN_LR_H
#define MPNO_TRAIN_LR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/fields.h"

typedef enum mpno_lr_kind {
#define X(name, function, text) MPNO_LR_##name,
#include "train/lr_schedules.def"
#undef X
    MPNO_LR_COUNT
} mpno_lr_kind;

typedef struct mpno_lr_opts {
    mpno_lr_kind kind;
    double base, gamma, eta_min;
    int64_t step_size, t_max, t_0, t_mult;
    mpno_int_list milestones;
    /* plateau */
    bool largest, absolute; /* the metric should grow; the threshold is a difference, no fraction */
    int64_t patience, cooldown;
    double threshold, min_lr;
    /* warm-up: one of the two, or none */
    int64_t warmup_epochs, warmup_steps;
    double warmup_start;
} mpno_lr_opts;

/* What plateau remembers. Plain value. */
typedef struct mpno_lr_state {
    double rate, best;
    int64_t bad, cooldown; /* epochs without progress; epochs that are not counted yet */
} mpno_lr_state;

mpno_lr_state mpno_lr_start(const mpno_lr_opts *opts);
/* The rate of the optimiser step that follows `steps` others, in epoch `epoch`. */
double mpno_lr_at(const mpno_lr_opts *opts, const mpno_lr_state *state, int64_t epoch,
                  int64_t steps);
/* After epoch `epoch`, which ended with this metric. Only plateau listens, after the warm-up. */
void mpno_lr_epoch_end(const mpno_lr_opts *opts, mpno_lr_state *state, int64_t epoch,
                       double metric);
const char *mpno_lr_name(mpno_lr_kind kind);

#endif
