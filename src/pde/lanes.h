/* SPDX-License-Identifier: MIT
 * Drives a solver that has several samples side by side, in lanes: whenever one is done, its lane
 * is given the next, so that no lane waits for the slowest. */
#ifndef MPNO_PDE_LANES_H
#define MPNO_PDE_LANES_H

#include "pde/pde.h"

enum { MPNO_PDE_MAX_LANES = 64 };

typedef struct mpno_lanes_ops {
    void (*begin)(void *worker, int lane, const mpno_pde_sample *sample);
    void (*advance)(void *worker, const bool *busy); /* all busy lanes at once */
    /* After that, of a busy lane: true when its sample is done or has failed. outcome: cleared. */
    bool (*finish)(void *worker, int lane, mpno_pde_outcome *outcome);
} mpno_lanes_ops;

/* Takes samples into n_lanes (at most MPNO_PDE_MAX_LANES) lanes until none is left. */
void mpno_lanes_run(const mpno_lanes_ops *ops, int n_lanes, void *worker, mpno_pde_work *work);

#endif
