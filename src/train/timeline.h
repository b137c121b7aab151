/* SPDX-License-Identifier: MIT
 * The plan of a network's memory and time, step by step, ready to be drawn. */
#ifndef MPNO_TRAIN_TIMELINE_H
#define MPNO_TRAIN_TIMELINE_H

#include "core/value.h"
#include "mpno/network.h"
#include "report/timeline.h"

/* Owns the arrays of `drawn`. Times are those of a batch at capacity; negative: not estimated. */
typedef struct mpno_network_timeline {
    mpno_timeline drawn;
    mpno_moment *steps;
    mpno_block *blocks;
    double forward_seconds, backward_seconds;
    double bandwidth; /* bytes a second of a copy */
} mpno_network_timeline;

/* title: borrowed. estimate: pieces of the steps are run, some tens of milliseconds. On failure
 * too, to be cleared. */
MPNO_WARN_UNUSED mpno_status mpno_network_timeline_make(mpno_ctx *ctx, const mpno_network *network,
                                                        const char *title, bool estimate,
                                                        mpno_network_timeline *out);
void mpno_network_timeline_clear(mpno_ctx *ctx, mpno_network_timeline *timeline);
/* map["steps"]: a list of maps. */
MPNO_WARN_UNUSED mpno_status mpno_network_timeline_put(mpno_ctx *ctx,
                                                       const mpno_network_timeline *timeline,
                                                       mpno_value *map);

#endif
