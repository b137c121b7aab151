/* SPDX-License-Identifier: MIT
 * What the plan of a network (network_plan.c) and its passes (network.c) share. */
#ifndef MPNO_MODEL_NETWORK_INSIDE_H
#define MPNO_MODEL_NETWORK_INSIDE_H

#include "model/network.h"

struct mpno_network {
    mpno_ctx *ctx;
    mpno_model *model;
    mpno_network_opts opts;
    mpno_policy policy;
    mpno_plans *plans;
    mpno_graph *graph;
    mpno_exec *exec;
    mpno_fno_edges edges;
    int target, loss, input_gradient; /* edges, -1: none */
    int first_param;
    int *param_grads;     /* edges; of running statistics: what moves them */
    void **gradients;     /* per parameter; NULL unless training */
    void **weight_copies; /* per parameter; NULL where the master weight is read */
    mpno_codec *codecs;   /* of the copies */
    uint64_t round_seed, round_step;
    char *exceptions;      /* of opts.storage */
    double loss_scale;     /* of the last step */
    const void *embedding; /* borrowed; NULL: not given */
    int bad_edge;          /* the last one that was not finite, -1: none */
};

/* Batch norm takes its statistics from the batch. */
bool mpno_network_wants_statistics(const mpno_network_opts *opts);
size_t mpno_network_param_count(const mpno_network *net, int param);
/* The copy of a weight is [values], with scales [values][largest magnitudes][scales]: bytes of the
 * largest magnitudes, and of all, 0 where the master weight is read. */
size_t mpno_network_most_bytes(const mpno_codec *codec);
size_t mpno_network_copy_bytes(const mpno_network *net, int param);

#endif
