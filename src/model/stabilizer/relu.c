/* SPDX-License-Identifier: MIT
 * y = max(x, 0): bounds nothing; one of the activation functions that the paper asks about. */
#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    (void)config, (void)gain;
    return mpno_stabilizer_squash(graph, MPNO_SQUASH_RELU, x, y);
}

const mpno_stabilizer_member mpno_stabilizer_relu = {.build = build,
                                                     .bound = mpno_stabilizer_bound_largest};
