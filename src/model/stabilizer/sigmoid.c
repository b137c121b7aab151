/* SPDX-License-Identifier: MIT
 * y = 1 / (1 + e^-x): its mean is no longer that of x but about 1/2, which a transform adds up. */
#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    (void)config, (void)gain;
    return mpno_stabilizer_squash(graph, MPNO_SQUASH_SIGMOID, x, y);
}

const mpno_stabilizer_member mpno_stabilizer_sigmoid = {.build = build,
                                                        .bound = mpno_stabilizer_bound_one};
