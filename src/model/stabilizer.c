/* SPDX-License-Identifier: MIT
 * The table of stabilisers, and how many points each makes safe. With |x_n| at most `largest` and
 * y = f(x) every partial sum of an unscaled transform of n points is at most n times the mean of
 * |y| in magnitude, both real and imaginary part (docs/reference/policies.md). */
#include "model/stabilizer.h"

#include <math.h>
#include <string.h>

#include "number/format.h"

static const mpno_stabilizer_info infos[] = {
#define X(NAME, name, formula, lipschitz, low, high) {#name, formula, lipschitz, low, high},
#include "model/stabilisers.def"
#undef X
};

static const mpno_stabilizer_member *const members[] = {
#define X(NAME, name, formula, lipschitz, low, high) &mpno_stabilizer_##name,
#include "model/stabilisers.def"
#undef X
};

static bool known(mpno_stabilizer s) {
    return (unsigned)s < MPNO_STABILIZER_COUNT;
}

const mpno_stabilizer_info *mpno_stabilizer_get(mpno_stabilizer s) {
    return known(s) ? &infos[s] : NULL;
}

const mpno_stabilizer_member *mpno_stabilizer_member_of(mpno_stabilizer s) {
    return members[s];
}

bool mpno_stabilizer_couples_batch(mpno_stabilizer s) {
    return known(s) && members[s]->batch;
}

double mpno_stabilizer_safe_points(mpno_stabilizer s, mpno_format format, double largest,
                                   double factor) {
    if (!known(s)) return 0;
    const double bound = members[s]->bound(largest, factor), most = mpno_format_max(format);
    if (members[s]->prescale) return bound <= most ? INFINITY : 0;
    return bound > 0 ? floor(most / bound) : INFINITY;
}

mpno_stabilizer mpno_stabilizer_of_layer(const mpno_fno_config *config, int layer) {
    const bool here = layer == 0 || config->stabilizer_placement == MPNO_PLACEMENT_ALL;
    return here ? config->stabilizer : MPNO_STABILIZER_NONE;
}

mpno_status mpno_stabilizer_node(mpno_graph *graph, const mpno_op *op, int n_in, const int *in,
                                 const mpno_attr *attr, int *y) {
    return mpno_graph_add(graph, op, n_in, in, attr, MPNO_ROLE_ACTIVATION, "stabilised", y);
}

mpno_status mpno_stabilizer_squash(mpno_graph *graph, mpno_squash squash, int x, int *y) {
    const mpno_attr attr = {.squash = squash};
    return mpno_stabilizer_node(graph, &mpno_op_squash, 1, &x, &attr, y);
}

double mpno_stabilizer_bound_one(double largest, double factor) {
    (void)largest, (void)factor;
    return 1;
}

double mpno_stabilizer_bound_largest(double largest, double factor) {
    (void)factor;
    return largest;
}
