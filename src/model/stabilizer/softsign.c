/* SPDX-License-Identifier: MIT
 * y = x / (1 + |x|): as tanh bounded by 1, but it bends early and saturates slowly. */
#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    (void)config, (void)gain;
    return mpno_stabilizer_squash(graph, MPNO_SQUASH_SOFTSIGN, x, y);
}

const mpno_stabilizer_member mpno_stabilizer_softsign = {.build = build,
                                                         .bound = mpno_stabilizer_bound_one};
