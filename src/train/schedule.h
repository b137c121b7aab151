/* SPDX-License-Identifier: MIT
 * A precision schedule: phases of epochs, each under one policy. Boundaries are round(f x epochs)
 * with f the sum of the fractions so far (halves away from zero); phases that get no epoch are left
 * out. */
#ifndef MPNO_TRAIN_SCHEDULE_H
#define MPNO_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/context.h"

#define MPNO_MAX_PHASES 16
#define MPNO_PAPER_SCHEDULE "mixed:0.25,fft32:0.5,full:0.25" /* arXiv 2307.15034, section 5 */

typedef struct mpno_phase {
    const char *policy; /* static: a row of policies.def */
    bool tanh;          /* the policy asks for the tanh stabiliser */
    int64_t first, end; /* epochs first .. end - 1 */
} mpno_phase;

typedef struct mpno_schedule {
    int n;
    mpno_phase phase[MPNO_MAX_PHASES];
} mpno_schedule;

/* text: "mixed:0.25,fft32:0.5,full:0.25", or one policy's name for the whole run. E_CONFIG for
 * unknown policies and for fractions that are not positive or do not sum to 1. */
MPNO_WARN_UNUSED mpno_status mpno_schedule_parse(mpno_ctx *ctx, const char *text, int64_t n_epochs,
                                                 mpno_schedule *out);
/* Index of the phase that epoch belongs to; epochs past the end belong to the last. */
int mpno_schedule_at(const mpno_schedule *schedule, int64_t epoch);

#endif
