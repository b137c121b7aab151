/* SPDX-License-Identifier: MIT
 * Dynamic loss scaling: gradients stored in f16 are those of scale x loss, so that small ones do
 * not vanish below 2^-24. An overflow halves the scale and skips the step; `growth_interval` good
 * steps in a row double it. Powers of two, so that scaling itself never rounds. Formats with the
 * exponent range of f32 (bf16, f32, f64) and those whose tensors carry scales of their own need none
 * (mpno_settings_scale_loss): the scale is 1. Source: Micikevicius et al.,
 * "Mixed precision training", ICLR 2018, section 3.2. */
#ifndef MPNO_TRAIN_LOSS_SCALE_H
#define MPNO_TRAIN_LOSS_SCALE_H

#include <stdint.h>

#define MPNO_LOSS_SCALE_MAX 16777216.0 /* 2^24 */

typedef struct mpno_loss_scale {
    double scale;            /* a power of two >= 1 */
    int64_t growth_interval; /* good steps until it doubles */
    int64_t good_steps;      /* since the last change */
    int64_t skipped;         /* steps skipped so far */
} mpno_loss_scale;

/* initial: rounded down to a power of two, at least 1. */
mpno_loss_scale mpno_loss_scale_make(double initial, int64_t growth_interval);
void mpno_loss_scale_overflow(mpno_loss_scale *state);
void mpno_loss_scale_good(mpno_loss_scale *state);

#endif
