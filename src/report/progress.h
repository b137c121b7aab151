/* SPDX-License-Identifier: MIT
 * Progress of a training run as text for a sink of the caller: one line rewritten in place on a
 * terminal, one plain line per epoch elsewhere. Allocates nothing, reads no clock, cannot fail. One
 * thread at a time per object. */
#ifndef MPNO_REPORT_PROGRESS_H
#define MPNO_REPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mpno_progress_state {
    int64_t epoch, n_epochs; /* epoch counts from 0 */
    int64_t step, n_steps;   /* steps done of this epoch */
    double loss;
    double samples_per_second;
    double eta_seconds; /* negative: unknown */
    uint64_t bytes;     /* memory held */
    const char *policy; /* name of the precision policy, borrowed; NULL: left out */
    double loss_scale;  /* 1 or less: left out */
} mpno_progress_state;

typedef struct mpno_progress {
    void (*write)(void *user, const char *text);
    void *user;
    bool terminal, unicode; /* unicode: block characters in the bar */
    int width;              /* columns of the terminal; may be changed at any time */
    double last_time;       /* of the last line written */
    int shown;              /* columns now on the line */
} mpno_progress;

#define MPNO_PROGRESS_INTERVAL 0.1 /* seconds between updates on a terminal */

/* width <= 0: 80. user: borrowed, given back to write. */
mpno_progress mpno_progress_make(void (*write)(void *user, const char *text), void *user,
                                 bool terminal, bool unicode, int width);
/* After a step; `now` in seconds of any steady clock. Writes at most ten times a second, and
 * nothing off a terminal. */
void mpno_progress_step(mpno_progress *progress, const mpno_progress_state *state, double now);
/* After an epoch: its line, which stays. extra: more text for its end ("test 0.0123"), NULL: none.
 */
void mpno_progress_epoch(mpno_progress *progress, const mpno_progress_state *state,
                         const char *extra);
/* Before anything else is printed: clears the rewritten line. */
void mpno_progress_clear(mpno_progress *progress);

#endif
