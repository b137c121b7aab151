/* SPDX-License-Identifier: MIT
 * y = min(max(x, m - 2 s), m + 2 s), m and s of the whole batch, as the authors of the paper have
 * it: what a network says of a sample depends on the samples beside it. */
#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    const mpno_attr attr = {.batch = true};
    int in[] = {x, -1};
    (void)config, (void)gain;
    MPNO_TRY(mpno_graph_add(graph, &mpno_op_moments, 1, &x, NULL, MPNO_ROLE_SUMS, "stabiliser sums",
                            &in[1]));
    MPNO_TRY(mpno_graph_add(graph, &mpno_op_average_samples, 1, &in[1], NULL, MPNO_ROLE_SUMS,
                            "stabiliser batch sums", &in[1]));
    return mpno_stabilizer_node(graph, &mpno_op_sigma_clip, 2, in, &attr, y);
}

const mpno_stabilizer_member mpno_stabilizer_two_sigma_clip_batch = {
    .build = build, .bound = mpno_stabilizer_bound_largest, .batch = true};
