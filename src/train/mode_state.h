/* SPDX-License-Identifier: MIT
 * What a run remembers of the modes of its blocks (modes.h). */
#ifndef MPNO_TRAIN_MODE_STATE_H
#define MPNO_TRAIN_MODE_STATE_H

#include <stdint.h>

#include "mpno/model.h"

typedef struct mpno_mode_state {
    int64_t n[MPNO_MAX_BLOCKS][MPNO_MAX_AXES]; /* of each block and axis */
    double loss[2];                            /* of training: the last epoch, the one before */
} mpno_mode_state;

static inline void mpno_mode_state_heed(mpno_mode_state *state, double loss) {
    state->loss[1] = state->loss[0];
    state->loss[0] = loss;
}

#endif
