/* SPDX-License-Identifier: MIT
 * A look at a model's predictions on a test set: the best, the median and the worst sample as
 * pictures, and the mean spectra of truth, prediction and error. */
#ifndef MPNO_TRAIN_GALLERY_H
#define MPNO_TRAIN_GALLERY_H

#include "core/text.h"
#include "report/tensorboard.h"
#include "train/restore.h"

/* Appends the section of one set to an HTML page. board (may be NULL) gets the picture of the
 * median sample at `step`. */
MPNO_WARN_UNUSED mpno_status mpno_gallery(mpno_ctx *ctx, const mpno_restored *restored,
                                          const mpno_settings *settings, const mpno_set *set,
                                          mpno_tensorboard *board, int64_t step, double wall_time,
                                          mpno_text *page);

#endif
