/* SPDX-License-Identifier: MIT
 * y = x / sqrt(mean x^2 + 1e-5), the mean over the points of a sample's channel. Values reach
 * sqrt(n), but by the Cauchy-Schwarz inequality the sum of |y| is at most n, whatever the number of
 * channels. Lipschitz constant: that at 0, 1 / sqrt(1e-5). */
#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    const mpno_attr attr = {.groups = config->hidden_channels, .eps = 1e-5, .uncentred = true};
    int in[] = {x, -1, -1, -1};
    (void)gain;
    MPNO_TRY(mpno_graph_add(graph, &mpno_op_moments, 1, &x, &attr, MPNO_ROLE_SUMS,
                            "stabiliser sums", &in[1]));
    return mpno_stabilizer_node(graph, &mpno_op_normalize, 4, in, &attr, y);
}

const mpno_stabilizer_member mpno_stabilizer_rms_norm = {.build = build,
                                                         .bound = mpno_stabilizer_bound_one};
