/* SPDX-License-Identifier: MIT
 * Learning rate as a function of the epoch, with PyTorch's meaning: epoch e (from 0) uses the rate
 * after e steps of StepLR, lr gamma^floor(e / step_size), or CosineAnnealingLR, eta_min + (lr -
 * eta_min)(1 + cos(pi e / T_max)) / 2 (past T_max the rate rises again). */
#ifndef MPNO_TRAIN_LR_H
#define MPNO_TRAIN_LR_H

#include <stdint.h>

typedef enum mpno_lr_kind {
#define X(name, function, text) MPNO_LR_##name,
#include "train/lr_schedules.def"
#undef X
    MPNO_LR_COUNT
} mpno_lr_kind;

typedef struct mpno_lr_opts {
    mpno_lr_kind kind;
    double base, gamma, eta_min;
    int64_t step_size, t_max;
} mpno_lr_opts;

double mpno_lr_at(const mpno_lr_opts *opts, int64_t epoch);
const char *mpno_lr_name(mpno_lr_kind kind);

#endif
