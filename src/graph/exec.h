/* SPDX-License-Identifier: MIT
 * Execution of a lowered graph: a plan (which tensors are stored, where, in what format; what it
 * costs) that can be asked before memory exists, then realised, then run any number of times
 * without allocation. One thread at a time. */
#ifndef MPNO_GRAPH_EXEC_H
#define MPNO_GRAPH_EXEC_H

#include "graph/graph.h"
#include "graph/lower.h"

typedef struct mpno_exec mpno_exec;
typedef enum mpno_pass { MPNO_PASS_FORWARD, MPNO_PASS_BACKWARD } mpno_pass;

typedef struct mpno_exec_opts {
    const mpno_policy *policy; /* copied */
    int64_t capacity;          /* most samples of one run */
    bool parts;                /* a batch may come in several runs */
    int n_threads;
    bool unfused;
    bool keep_products; /* mpno_lower_opts */
    bool remake_layers; /* mpno_lower_opts.run: the one that needs the least memory */
    bool apart; /* no tensor takes the place of one that its program reads: a check of that */
    const int *requested; /* edges to compute: outputs, gradients */
    int n_requested;
    int external_output; /* a requested field that is written to memory bound by the caller; -1:
                            none */
} mpno_exec_opts;

/* graph: borrowed, and extended by the lowering. */
MPNO_WARN_UNUSED mpno_status mpno_exec_create(mpno_graph *graph, const mpno_exec_opts *opts,
                                              mpno_exec **out);
MPNO_WARN_UNUSED mpno_status mpno_exec_realise(mpno_exec *exec);
void mpno_exec_destroy(mpno_exec **exec);

/* Memory of an edge given from outside: inputs, parameters (in `format`), parameter gradients, the
 * external output. Borrowed. */
void mpno_exec_bind(mpno_exec *exec, int edge, const void *data, mpno_format format);
/* The same through a codec, whose scales the caller keeps. */
void mpno_exec_bind_coded(mpno_exec *exec, int edge, const mpno_codec *codec);
/* Stochastic rounding of the runs that follow depends on these two and the tensor. */
void mpno_exec_set_rounding(mpno_exec *exec, uint64_t seed, uint64_t step);
/* The next run of each pass finds scales of tensors, channels and modes anew, in some runs more; else
 * they are those that the last run has found. */
void mpno_exec_forget_scales(mpno_exec *exec);
/* The seed of the dropped values of the runs that follow. */
void mpno_exec_set_drop_seed(mpno_exec *exec, uint64_t seed);
/* Where a stored edge lies. */
const void *mpno_exec_data(const mpno_exec *exec, int edge);

/* Runs one pass on `batch` samples. Gives the first edge, in order of execution, that was stored
 * with a value that is not finite, or -1. before: samples of the same batch that earlier runs have
 * had (opts.parts); gradients of weights are then those of all of them, with the bits of one run.
 */
int mpno_exec_run(mpno_exec *exec, mpno_pass pass, int64_t before, int64_t batch,
                  double loss_scale);

/* A tensor that has just been stored. */
typedef struct mpno_sight {
    int edge;
    mpno_format format;
    const mpno_codec *codec; /* what has scales: its bits are not its values; else NULL */
    const void *data;
    int64_t batch; /* samples of that run */
} mpno_sight;

/* Who looks at tensors as they are stored: called for each one right after the step that wrote it,
 * before another may take its place. Gradients of weights are not shown: they are of the arithmetic
 * format, and stay. */
typedef struct mpno_observer {
    void (*look)(void *user, const mpno_sight *sight);
    void *user;
} mpno_observer;
/* From now on; copied; NULL: nobody, which costs nothing. */
void mpno_exec_observe(mpno_exec *exec, const mpno_observer *observer);

/* Measures from now on how long every step takes, from zero. */
MPNO_WARN_UNUSED mpno_status mpno_exec_watch(mpno_exec *exec);
/* Seconds that a layer (-1: all) took since then. What a tile program takes is divided between the
 * layers that it serves by their operations. 0 when nothing was measured. */
double mpno_exec_layer_seconds(const mpno_exec *exec, int layer, mpno_pass pass);

/* One step of the lowered program at the capacity: what it computes, what it moves between memory
 * and its ops (weights and sums count once, scratch does not count), and what was measured. */
typedef struct mpno_exec_step {
    const mpno_step *step;
    double flops, loaded_bytes, stored_bytes;
    size_t live_bytes;                    /* in the arena meanwhile, scratch included */
    size_t scratch_bytes, scratch_offset; /* of it scratch, and where */
    double seconds;                       /* of all runs since mpno_exec_watch; 0: not measured */
} mpno_exec_step;
/* One step alone, for measuring: whoever runs it sees to it that its operands are there. */
void mpno_exec_run_step(mpno_exec *exec, int step, int64_t before, int64_t batch,
                        double loss_scale);
/* Where the tensors lie that were placed; mpno_exec_arena_bytes. */
void *mpno_exec_arena(const mpno_exec *exec);
int mpno_exec_n_steps(const mpno_exec *exec);
mpno_exec_step mpno_exec_step_at(const mpno_exec *exec, int index);

/* How long each step would take at capacity on this machine now: seconds[n_steps]. Every kind of
 * step is run on a piece of its work (some chunks of points, some samples, some modes) in memory of
 * its own; no step is faster than its bytes pass through memory. Takes tens of milliseconds. The
 * executor need not be realised. bandwidth: bytes a second of a copy. */
MPNO_WARN_UNUSED mpno_status mpno_exec_estimate(const mpno_exec *exec, double *seconds,
                                                double *bandwidth);

/* Facts of the plan. */
typedef struct mpno_exec_tensor {
    int edge;
    mpno_format format;
    size_t bytes, offset;
    int first, last; /* steps */
    bool kept;       /* forward to backward */
} mpno_exec_tensor;
int mpno_exec_n_tensors(const mpno_exec *exec); /* stored in the arena */
mpno_exec_tensor mpno_exec_tensor_at(const mpno_exec *exec, int index);
/* Bytes of the sum over the parts of a batch that stands behind a gradient of a weight, 0: none. */
size_t mpno_exec_chain(const mpno_exec *exec, int edge, size_t *offset);
mpno_format mpno_exec_format(const mpno_exec *exec, int edge);
mpno_scaling mpno_exec_scaling(const mpno_exec *exec, int edge);
const mpno_codec *mpno_exec_codec(const mpno_exec *exec, int edge); /* NULL: none */
size_t mpno_exec_arena_bytes(const mpno_exec *exec);
size_t mpno_exec_lower_bound(const mpno_exec *exec);
double mpno_exec_flops(const mpno_exec *exec, int layer);       /* -1: all layers */
size_t mpno_exec_layer_bytes(const mpno_exec *exec, int layer); /* most alive at once */

#endif
