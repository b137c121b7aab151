/* SPDX-License-Identifier: MIT
 * What a network stores, counted: an observer that takes a census of every tensor. */
#ifndef MPNO_MODEL_TALLY_H
#define MPNO_MODEL_TALLY_H

#include "kernel/census_kernels.h"
#include "model/network.h"

/* One thread at a time. */
typedef struct mpno_tally {
    mpno_ctx *ctx;
    const mpno_graph *graph; /* borrowed */
    int n_threads;
    int n_edges;
    mpno_census *edges;   /* owned: [n_edges]; values 0: never stored */
    mpno_format *formats; /* owned: [n_edges] */
    mpno_census *parts;   /* owned: [n_threads] */
} mpno_tally;

/* Borrows the network's graph. */
MPNO_WARN_UNUSED mpno_status mpno_tally_create(const mpno_network *network, int n_threads,
                                               mpno_ctx *ctx, mpno_tally *out);
void mpno_tally_clear(mpno_tally *tally);
/* Counts go on until the next start. */
void mpno_tally_start(mpno_tally *tally);
/* For mpno_network_observe. */
mpno_observer mpno_tally_observer(mpno_tally *tally);

/* Size of the largest finite value of a census. */
double mpno_census_largest(const mpno_census *census, mpno_format format);
/* Adds the counts of one to another of the same format. */
void mpno_census_add(mpno_census *to, const mpno_census *from);

#endif
