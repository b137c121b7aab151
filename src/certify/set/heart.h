/* SPDX-License-Identifier: MIT
 * The heart of a block in a graph: K f(x) + W x of real fields, K a spectral convolution on one
 * grid, f a stabiliser of one value or none, W a linear map, a gate or x itself. */
#ifndef MPNO_CERTIFY_SET_HEART_H
#define MPNO_CERTIFY_SET_HEART_H

#include "graph/graph.h"

typedef struct mpno_set_heart {
    int x;         /* edge */
    int nodes[16]; /* from x to the addition, which is not among them; backwards */
    int n_nodes;
    int contract, skip; /* nodes; skip -1: x itself */
    const mpno_fft *fft;
    double low; /* slopes of f: low .. 1 */
} mpno_set_heart;
/* Whether the node is the addition that ends one. */
bool mpno_set_find_heart(const mpno_graph *graph, const mpno_node *node, mpno_set_heart *heart);

#endif
