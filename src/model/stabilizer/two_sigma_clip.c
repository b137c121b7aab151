/* SPDX-License-Identifier: MIT
 * y = min(max(x, m - 2 s), m + 2 s), m and s of all points and channels of a sample: cuts outliers
 * off, bounds nothing. A limit lies between x and the mean, so that no |y| is above the largest
 * |x|. Lipschitz constant: inside dy = dx; at most a quarter of the N values lies outside
 * (Chebyshev), where dy = dm +- 2 ds, and (dm)^2 + (ds)^2 <= |dx|^2 / N, so that |dy|^2 <= (1 +
 * 5/4) |dx|^2. */
#include "model/stabilizer.h"

static mpno_status build(mpno_graph *graph, const mpno_fno_config *config, int gain, int x,
                         int *y) {
    const mpno_attr attr = {.batch = false};
    int in[] = {x, -1};
    (void)config, (void)gain;
    MPNO_TRY(mpno_graph_add(graph, &mpno_op_moments, 1, &x, NULL, MPNO_ROLE_SUMS, "stabiliser sums",
                            &in[1]));
    return mpno_stabilizer_node(graph, &mpno_op_sigma_clip, 2, in, &attr, y);
}

const mpno_stabilizer_member mpno_stabilizer_two_sigma_clip = {
    .build = build, .bound = mpno_stabilizer_bound_largest};
