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
    /* exec_codec.c */
    uint64_t round_seed, round_step;
    unsigned char *scales; /* of the tensors whose scales last; NULL: none */
    _Atomic uint32_t *most;
    int32_t **shells; /* per edge, NULL: its modes have none */
    bool calibrated[2]; /* per pass */
};

/* The edge has a place in the arena. */
bool mpno_exec_placed(const mpno_exec *exec, int edge);
/* Bytes of the running sum of a gradient of a weight over the parts of a batch; 0: none. */
size_t mpno_exec_chain_bytes(const mpno_exec *exec, int edge);
/* Chooses the codec of an edge at the capacity, with its bytes. */
void mpno_exec_plan_codec(mpno_exec *exec, int edge);
/* Whether a tensor may lie where another did: the same values and scales a row. */
bool mpno_exec_same_codec(const mpno_exec *exec, int edge, int other);
MPNO_WARN_UNUSED mpno_status mpno_exec_realise_codecs(mpno_exec *exec);
void mpno_exec_destroy_codecs(mpno_exec *exec);
/* Makes the codecs ready for a pass over `batch` samples. */
void mpno_exec_prepare_codecs(mpno_exec *exec, int64_t before, int64_t batch);
/* Takes new scales from what was stored, where they last from pass to pass; true: one has changed.
 */
bool mpno_exec_renew_scales(mpno_exec *exec);
/* Frees what planning made; the graph keeps what the lowering added. */
void mpno_exec_drop_plan(mpno_exec *exec);
/* With the kernels of the plan, on its graph and tensors; the rest is for the caller. */
mpno_tile_run mpno_exec_tile_run(const mpno_exec *exec, int64_t batch);
size_t mpno_exec_step_scratch(const mpno_exec *exec, int step);
/* Of one step at capacity, for a layer (-1: all). */
double mpno_exec_step_flops(const mpno_exec *exec, int step, int layer);

#endif
