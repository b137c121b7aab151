/* SPDX-License-Identifier: MIT
 * Lowering: from small ops to steps. Chains of pixel-wise ops become tile programs that keep their
 * values in tiles of rows (L1/L2); only what a transform, a loss or a later program needs is
 * stored. The rules:
 *   1. Stored are fields that whole ops read or write, and requested outputs.
 *   2. A value that a later program needs is recomputed there when that takes no matrix product;
 * otherwise it is stored - or rather what stands before the cheap one-operand ops at its end (GELU,
 * norm, gate), so that these are redone at the load.
 *   3. Unless keep_products, the backward pass stores nothing of the forward pass besides: it
 * recomputes from what forward stored, and repeats an inverse transform when the kept spectrum is
 * smaller than the field (docs/design/lowering.md).
 *   4. A value that is first needed later is computed and stored earlier where making it later
 * would keep two other fields or more.
 *   5. A gradient that a later program could make again by cheap ops is stored all the same where
 * these are many and it can take the place of a field that they alone read.
 * Unfused: every op its own program, every field stored. */
#ifndef MPNO_GRAPH_LOWER_H
#define MPNO_GRAPH_LOWER_H

#include "graph/graph.h"

/* Rows of a tile: 128 rows x 64 channels of f32 are 32 KiB, four times that in wide hidden layers,
 * which stays in an L2 cache. 64 rows took as long on 64 channels and 4 to 6 % longer on 24 and 32
 * (darcy16, fno3d), 32 rows took longer on all, 256 no less than 128. Tiles of one chunk share
 * partial sums; chunks never cross samples and never depend on the number of threads, so that sums
 * do not either.
 */
enum { MPNO_TILE_ROWS = 128, MPNO_CHUNK_ROWS = 4096 };

typedef enum mpno_instr_kind { MPNO_INSTR_LOAD, MPNO_INSTR_OP, MPNO_INSTR_STORE } mpno_instr_kind;

typedef struct mpno_instr {
    mpno_instr_kind kind;
    int node;   /* OP */
    int edge;   /* LOAD, STORE: the value */
    int source; /* LOAD: the stored edge it is read from */
} mpno_instr;

typedef struct mpno_step {
    int whole; /* node of a whole op, or -1: a tile program */
    int grid;  /* of all fields of a tile program */
    bool backward;
    mpno_instr *instrs; /* owned */
    int n_instrs;
} mpno_step;

typedef struct mpno_lowered {
    mpno_step *steps;
    int n_steps;
    bool *stored; /* per edge: has memory of its own */
    int n_edges;  /* lowering may add edges (repeated transforms): stored has graph->n_edges entries
                   */
} mpno_lowered;

typedef struct mpno_lower_opts {
    const int *requested; /* edges that must be computed: outputs, gradients */
    int n_requested;
    bool unfused;
    bool keep_products; /* rule 3 ends where matrix products would be repeated: these are stored */
    int run; /* the most layers in a row whose outputs, too, are made again (repeat.h); 0: none */
    int64_t batch; /* samples of a run; 0: unknown, many */
    const mpno_policy *policy;
} mpno_lower_opts;

MPNO_WARN_UNUSED mpno_status mpno_lower(mpno_graph *graph, const mpno_lower_opts *opts,
                                        mpno_lowered *out);
void mpno_lowered_destroy(mpno_ctx *ctx, mpno_lowered *lowered);

/* Instructions of a program; 1 for a whole op. */
int mpno_step_length(const mpno_step *step);
/* Node i of a step, i < length, in order; NULL: a load or a store. */
const mpno_node *mpno_step_node(const mpno_graph *graph, const mpno_step *step, int i);
/* "block 1", or "block 1-2" when a program serves two. */
void mpno_step_layer(const mpno_graph *graph, const mpno_step *step, char *out, size_t capacity);
/* "linear 2, gelu, +7": ops with the most work first, in so many columns unless one alone is
 * longer. */
void mpno_step_ops(const mpno_graph *graph, const mpno_step *step, int columns, char *out,
                   size_t capacity);

#endif
