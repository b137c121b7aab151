/* SPDX-License-Identifier: MIT
 * y = asinh x: grows as a logarithm, keeps what it squashes apart; of f32 numbers at most 89.5. */
#include <math.h>

#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    (void)config, (void)gain;
    return mpno_stabilizer_squash(graph, MPNO_SQUASH_ARCSINH, x, y);
}

static double bound(double largest, double factor) {
    (void)factor;
    return asinh(largest);
}

const mpno_stabilizer_member mpno_stabilizer_arcsinh = {.build = build, .bound = bound};
