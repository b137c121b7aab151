/* SPDX-License-Identifier: MIT
 * Stabilisers: a table (stabilisers.def), and of each what its file in stabilizer/ says: how it is
 * built, and how large what it hands to a transform can be. */
#ifndef MPNO_MODEL_STABILIZER_H
#define MPNO_MODEL_STABILIZER_H

#include "graph/graph.h"
#include "mpno/model.h"

typedef struct mpno_stabilizer_member {
    /* Adds the nodes of y = f(x); gain: edge of the learned number, -1: there is none. NULL: y = x.
     */
    mpno_status (*build)(mpno_graph *graph, const mpno_fno_config *config, int gain, int x, int *y);
    /* Largest mean magnitude of a channel that the function can hand on when no |x| is above
     * `largest`: a transform's sum of n points is at most n times this. factor: a or s. */
    double (*bound)(double largest, double factor);
    bool gain;     /* has a learned number */
    bool batch;    /* a sample's result depends on the others of its batch */
    bool prescale; /* transforms with 16-bit arithmetic scale before they add: no sum leaves the
                      range of what is handed on */
} mpno_stabilizer_member;

#define X(NAME, name, formula, lipschitz, low, high) \
    extern const mpno_stabilizer_member mpno_stabilizer_##name;
#include "model/stabilisers.def"
#undef X
const mpno_stabilizer_member *mpno_stabilizer_member_of(mpno_stabilizer stabilizer);
/* Whether the field itself is what it hands on. */
static inline bool mpno_stabilizer_is_identity(mpno_stabilizer stabilizer) {
    return mpno_stabilizer_member_of(stabilizer)->build == NULL;
}

/* The stabiliser of block `layer`: NONE where model.stabilizer_placement leaves it out. */
mpno_stabilizer mpno_stabilizer_of_layer(const mpno_fno_config *config, int layer);

/* What members share: one node on x, called "stabilised"; and bounds. */
MPNO_WARN_UNUSED mpno_status mpno_stabilizer_node(mpno_graph *graph, const mpno_op *op, int n_in,
                                                  const int *in, const mpno_attr *attr, int *y);
MPNO_WARN_UNUSED mpno_status mpno_stabilizer_squash(mpno_graph *graph, mpno_squash squash, int x,
                                                    int *y);
double mpno_stabilizer_bound_one(double largest, double factor);     /* 1 */
double mpno_stabilizer_bound_largest(double largest, double factor); /* largest */

#endif
