/* SPDX-License-Identifier: MIT
 * y = x / s, s = model.stabilizer_scale: bounds sums s times as large. The authors tried s = 1e6 in
 * f16, where numbers of order 1 then keep 4 bits; prescale does the same without that loss. */
#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    const mpno_attr attr = {.scale = 1 / config->stabilizer_scale};
    (void)gain;
    return mpno_stabilizer_node(graph, &mpno_op_scale, 1, &x, &attr, y);
}

static double bound(double largest, double factor) {
    return largest / factor;
}

const mpno_stabilizer_member mpno_stabilizer_scale = {.build = build, .bound = bound};
