/* SPDX-License-Identifier: MIT
 * See lanes.h. */
#include "pde/lanes.h"

/* Gives free lanes a sample each; false: nothing is left to do. */
static bool fill(const mpno_lanes_ops *ops, int n_lanes, void *worker, mpno_pde_work *work,
                 bool *busy) {
    bool some = false;
    for (int i = 0; i < n_lanes; i++) {
        mpno_pde_sample sample;
        if (!busy[i] && mpno_pde_take(work, i, &sample)) {
            ops->begin(worker, i, &sample);
            busy[i] = true;
        }
        some |= busy[i];
    }
    return some;
}

void mpno_lanes_run(const mpno_lanes_ops *ops, int n_lanes, void *worker, mpno_pde_work *work) {
    bool busy[MPNO_PDE_MAX_LANES] = {false};
    while (fill(ops, n_lanes, worker, work, busy)) {
        ops->advance(worker, busy);
        for (int i = 0; i < n_lanes; i++) {
            mpno_pde_outcome outcome = {0};
            if (!busy[i] || !ops->finish(worker, i, &outcome)) continue;
            busy[i] = false;
            mpno_pde_give(work, i, &outcome);
        }
    }
}
