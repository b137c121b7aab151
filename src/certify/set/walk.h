/* SPDX-License-Identifier: MIT
 * The walk along a forward graph that SET certificates are made by: of every edge how large it can
 * be over the ball, how far its computed values can be from the exact ones, how far two computed
 * versions of it can be apart, and how much a change of the input may have grown. Errors pass from
 * node to node by the `bound` faces of ops (graph/bound.h), which are asked with bounds over the
 * ball where a running bound has norms of one run. Statements L1 .. of docs/theory/set.md. */
#ifndef MPNO_CERTIFY_SET_WALK_H
#define MPNO_CERTIFY_SET_WALK_H

#include "certify/range/range.h"
#include "certify/savings.h"
#include "certify/set.h"
#include "certify/set/heart.h"
#include "model/model.h"

typedef struct mpno_set_walk {
    mpno_ctx *ctx;
    const mpno_model *model;
    const mpno_graph *graph;
    mpno_range_walk ranges;
    bool just_in_time; /* scales are those of the values */
    bool unfused;      /* every value is stored, and read as it is */
    int output;        /* the answer's edge */
    mpno_bound *edges; /* [n_edges]: norm and most; PARAM: of the master weight, frobenius of the
                          copy as well, error: of the copy that is read (spectral norm of a block) */
    double *error, *drift, *slope, *norm; /* [n_edges]; norm: of data, those of edges */
    double *zero;                         /* [n_edges] */
    mpno_saving *savings; /* [n_nodes]: of linear maps behind a linear map and GELU */
    double *blocks; /* [n_nodes]: of additions that end the heart of a block, its Lipschitz
                       constant; else 0 */
} mpno_set_walk;

/* Walks along the network, which must be as mpno_set_certify wants it. Close it, come what may. */
MPNO_WARN_UNUSED mpno_status mpno_set_walk_along(const mpno_model *model,
                                                 const mpno_network *network,
                                                 const mpno_set_opts *opts, mpno_set_walk *out);
void mpno_set_close(mpno_set_walk *walk);

/* ---- between the files of the walk ---- */

typedef enum mpno_set_question {
    MPNO_SET_NORM,  /* of the computed result, when `off` are norms and f(0) = 0 */
    MPNO_SET_ERROR, /* from the exact result, when `off` are errors */
    MPNO_SET_DRIFT, /* between versions, when `off` are drifts: once for each of the two */
    MPNO_SET_SLOPE  /* without roundings */
} mpno_set_question;

/* Of the result of a node before it is stored; off: one number per edge. INFINITY: not known. */
double mpno_set_pass(const mpno_set_walk *walk, const mpno_node *node, const double *off,
                     mpno_set_question question);
/* What storing an edge of this norm adds to its error; INFINITY where it may overflow. */
double mpno_set_stored(const mpno_set_walk *walk, int edge, double norm);

/* weights.c: norms of weights and how far copies are from them; the largest 2-norm of what the
 * elements of a block may be off by, slack [blocks][rows][cols]. */
double mpno_set_slack(const mpno_weight *weight, const double *slack);
MPNO_WARN_UNUSED mpno_status mpno_set_measure(mpno_set_walk *walk, const mpno_node *node, int i);

/* heart.c: its Lipschitz constant (set/heart.h). */
MPNO_WARN_UNUSED mpno_status mpno_set_heart_slope(const mpno_set_walk *walk,
                                                  const mpno_set_heart *heart, double *slope);

#endif
