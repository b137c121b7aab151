/* SPDX-License-Identifier: MIT
 * A precision schedule: phases, each under one policy and perhaps with a stabiliser of its own, as
 * long as a fraction of the epochs, so many epochs or so many steps. Boundaries of fractions are
 * round(f x epochs) with f the sum of the fractions so far (halves away from zero); phases that get
 * no step are left out. Or levels, of which a run is on one at a time and goes up by decisions
 * (precision.h) rather than by time. */
#ifndef MPNO_TRAIN_SCHEDULE_H
#define MPNO_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/context.h"

#define MPNO_MAX_PHASES 16
#define MPNO_PAPER_SCHEDULE "mixed:0.25,fft32:0.5,full:0.25" /* arXiv 2307.15034, section 5 */
#define MPNO_ADAPTIVE_LEVELS "mixed,fft32,full"

/* A place in a run: so many epochs and so many steps after its beginning. */
typedef struct mpno_run_place {
    int64_t epochs, steps;
} mpno_run_place;

typedef struct mpno_phase {
    const char *policy; /* static: a row of policies.def */
    int usual;          /* mpno_stabilizer where nothing else is asked for: the policy's; of levels
                           prescale */
    int stabilizer;     /* one of its own, -1: none */
    double blend;       /* part of x in what that makes of x; see mpno_settings_phase */
    mpno_run_place from, to;
    int64_t first,
        end; /* epochs first .. end - 1 have steps of it; may lie behind the last epoch */
} mpno_phase;

typedef struct mpno_schedule {
    int n;
    mpno_phase phase[MPNO_MAX_PHASES];
    int64_t n_epochs, epoch_steps; /* epoch_steps: steps of an epoch, 0 while that is not known */
    bool adaptive;                 /* the phases are levels */
    int level;                     /* the one in force */
} mpno_schedule;

/* text: a list of POLICY[/STABILIZER][:LENGTH] with LENGTH a fraction, or a whole number followed
 * by ep (epochs) or st (steps): "mixed:0.25,fft32:0.5,full:0.25", "mixed/softsign:10ep,full"; the
 * last one may leave its length out and takes the rest. E_CONFIG for unknown names, and for lengths
 * that are not positive or do not reach the end. */
MPNO_WARN_UNUSED mpno_status mpno_schedule_parse(mpno_ctx *ctx, const char *text, int64_t n_epochs,
                                                 mpno_schedule *out);
/* The same without lengths: levels. */
MPNO_WARN_UNUSED mpno_status mpno_schedule_parse_levels(mpno_ctx *ctx, const char *text,
                                                        int64_t n_epochs, mpno_schedule *out);
/* Tells how many steps an epoch has: phases measured in steps find their epochs. */
void mpno_schedule_fit(mpno_schedule *schedule, int64_t epoch_steps);
/* Index of the phase that step `step` of an epoch belongs to; those past the end belong to the
 * last.
 */
int mpno_schedule_at(const mpno_schedule *schedule, int64_t epoch, int64_t step);
/* That of the last step of an epoch. */
int mpno_schedule_at_end(const mpno_schedule *schedule, int64_t epoch);
/* Whether a phase begins with this step. before: the one until now, -1 in a run that starts or was
 * resumed. */
bool mpno_schedule_begins(const mpno_schedule *schedule, int before, int phase, int64_t epoch,
                          int64_t step);

#endif
