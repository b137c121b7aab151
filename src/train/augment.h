/* SPDX-License-Identifier: MIT
 * Data augmentation: every time a training sample is used, x and y go through one symmetry of the
 * grid, drawn for (seed, epoch, sample) from those that the keys augment.* allow: a rotation, then
 * an exchange of axes, then flips, then a shift, each with equal chances for all. Nothing else
 * enters the draw, so that threads, batches and resumption do not change it. Which symmetries leave
 * which equation as it is: docs/howto/augment.md. */
#ifndef MPNO_TRAIN_AUGMENT_H
#define MPNO_TRAIN_AUGMENT_H

#include "data/dataset.h"
#include "data/symmetry.h"
#include "train/config.h"

/* Whether any symmetry is asked for. */
bool mpno_augment_wanted(const mpno_settings *settings);
/* What the keys alone can tell: E_CONFIG. */
MPNO_WARN_UNUSED mpno_status mpno_augment_check(mpno_ctx *ctx, const mpno_settings *settings);
/* Whether the grids and channels of `data` (shapes alone) have the symmetries: E_CONFIG. */
MPNO_WARN_UNUSED mpno_status mpno_augment_check_data(mpno_ctx *ctx, const mpno_settings *settings,
                                                     const mpno_dataset *data);
/* Of checked settings and data; `sample` counts all training samples of a run. */
mpno_symmetry mpno_augment_draw(const mpno_settings *settings, const mpno_dataset *data,
                                int64_t epoch, int64_t sample);

#endif
