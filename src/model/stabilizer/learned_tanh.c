/* SPDX-License-Identifier: MIT
 * y = a tanh(x / a), a one number for each block, 1 at first, which is trained: how early to bend.
 */
#include <math.h>

#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    const int in[] = {x, gain};
    (void)config;
    return mpno_stabilizer_node(graph, &mpno_op_learned_tanh, 2, in, NULL, y);
}

static double bound(double largest, double factor) {
    (void)largest;
    return fabs(factor);
}

const mpno_stabilizer_member mpno_stabilizer_learned_tanh = {
    .build = build, .bound = bound, .gain = true};
