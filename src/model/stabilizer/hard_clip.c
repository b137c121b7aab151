/* SPDX-License-Identifier: MIT
 * y = min(max(x, -1), 1): x itself where it is small, no gradient where it is large. */
#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    (void)config, (void)gain;
    return mpno_stabilizer_squash(graph, MPNO_SQUASH_CLIP, x, y);
}

const mpno_stabilizer_member mpno_stabilizer_hard_clip = {.build = build,
                                                          .bound = mpno_stabilizer_bound_one};
