/* SPDX-License-Identifier: MIT
 * Early stopping: a run ends when the validation error has not fallen by more than min_delta below
 * its lowest value for `patience` evaluations in a row. Source: Prechelt, "Early stopping - but
 * when?" (Neural networks: tricks of the trade, 1998). */
#ifndef MPNO_TRAIN_EARLY_STOPPING_H
#define MPNO_TRAIN_EARLY_STOPPING_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Plain value. */
typedef struct mpno_early_stopping {
    double best;     /* lowest error that counted; INFINITY at first */
    int64_t waiting; /* evaluations since */
    bool stopped;
} mpno_early_stopping;

static inline mpno_early_stopping mpno_early_stopping_start(void) {
    return (mpno_early_stopping){.best = INFINITY};
}

static inline void mpno_early_stopping_add(mpno_early_stopping *state, double error,
                                           int64_t patience, double min_delta) {
    if (error < state->best - min_delta) {
        state->best = error;
        state->waiting = 0;
    } else {
        state->stopped = ++state->waiting >= patience;
    }
}

#endif
