/* SPDX-License-Identifier: MIT
 * What planning (exec_plan.c) and running (exec.c) of a lowered graph share. */
#ifndef MPNO_GRAPH_EXEC_INSIDE_H
#define MPNO_GRAPH_EXEC_INSIDE_H

#include "graph/exec.h"
#include "graph/lower.h"
#include "graph/tile.h"

struct mpno_exec {
    mpno_graph *graph;
    mpno_policy policy;
    int64_t capacity;
    bool parts;
    int n_threads;
    mpno_lowered lowered;
    mpno_tile_program *programs; /* per step; empty for whole ops */
    size_t *scratch_offset;      /* per step */
    mpno_stored *stored;         /* per edge */
    size_t arena_bytes, lower_bound;
    char *arena;
    uint64_t drop_seed;
    double *seconds;        /* per step; NULL: not measured */
    mpno_observer observer; /* look NULL: nobody */
};

/* The edge has a place in the arena. */
bool mpno_exec_placed(const mpno_exec *exec, int edge);
/* Bytes of the running sum of a gradient of a weight over the parts of a batch; 0: none. */
size_t mpno_exec_chain_bytes(const mpno_exec *exec, int edge);
/* Frees what planning made; the graph keeps what the lowering added. */
void mpno_exec_drop_plan(mpno_exec *exec);
/* With the kernels of the plan, on its graph and tensors; the rest is for the caller. */
mpno_tile_run mpno_exec_tile_run(const mpno_exec *exec, int64_t batch);
size_t mpno_exec_step_scratch(const mpno_exec *exec, int step);
/* Of one step at capacity, for a layer (-1: all). */
double mpno_exec_step_flops(const mpno_exec *exec, int step, int layer);

#endif
