/* SPDX-License-Identifier: MIT
 * y = tanh x, as the paper has it (arXiv 2307.15034, section 4.3): |y| <= 1, and nearly x around 0.
 */
#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    (void)config, (void)gain;
    return mpno_stabilizer_node(graph, &mpno_op_tanh, 1, &x, NULL, y);
}

const mpno_stabilizer_member mpno_stabilizer_tanh = {.build = build,
                                                     .bound = mpno_stabilizer_bound_one};
