/* SPDX-License-Identifier: MIT
 * Dynamic loss scaling: see loss_scale.h. */
#include "train/loss_scale.h"

#include <math.h>

mpno_loss_scale mpno_loss_scale_make(double initial, int64_t growth_interval) {
    double scale = initial > 1 ? exp2(floor(log2(initial))) : 1;
    if (scale > MPNO_LOSS_SCALE_MAX) scale = MPNO_LOSS_SCALE_MAX;
    return (mpno_loss_scale){scale, growth_interval, 0, 0};
}

void mpno_loss_scale_overflow(mpno_loss_scale *state) {
    state->scale = state->scale > 2 ? state->scale / 2 : 1;
    state->good_steps = 0;
    state->skipped++;
}

void mpno_loss_scale_good(mpno_loss_scale *state) {
    if (++state->good_steps < state->growth_interval) return;
    if (state->scale < MPNO_LOSS_SCALE_MAX) state->scale *= 2;
    state->good_steps = 0;
}
