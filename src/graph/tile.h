/* SPDX-License-Identifier: MIT
 * Tile programs: the form in which chains of pixel-wise ops run. One interpreter for every chain.
 * Per tile of rows of one sample: load and convert, ops on values that live in a thread's buffers,
 * convert and store; reductions go to partial sums per (sample, chunk of tiles), which are added in
 * that order when all tiles are done. */
#ifndef MPNO_GRAPH_TILE_H
#define MPNO_GRAPH_TILE_H

#include <stdatomic.h>

#include "graph/graph.h"
#include "graph/lower.h"

/* A stored tensor, or one given from outside. */
typedef struct mpno_stored {
    bool external;
    mpno_format format;
    size_t bytes,
        offset;      /* in the arena; with the scales of blocks, which stand behind the values */
    int first, last; /* steps */
    int takes, heir; /* the edge in whose place it lies, the one that lies in its; -1: none */
    void *data;
    size_t chain_offset;
    double *chain; /* see mpno_op_call; NULL: none */
    bool coded;    /* stored through the codec */
    mpno_codec codec;
    atomic_bool nonfinite; /* since the last look */
} mpno_stored;

static inline const mpno_codec *mpno_stored_codec(const mpno_stored *s) {
    return s->coded ? &s->codec : NULL;
}
static inline void mpno_stored_load(const mpno_kernels *kernels, const mpno_stored *s, void *dst,
                                    const void *at, int64_t n) {
    const mpno_operand operand = {.format = s->format, .codec = mpno_stored_codec(s)};
    mpno_operand_load(kernels, &operand, dst, at, n);
}
static inline int mpno_stored_store(const mpno_kernels *kernels, const mpno_stored *s, void *at,
                                    const void *src, int64_t n) {
    const mpno_operand operand = {.format = s->format, .codec = mpno_stored_codec(s)};
    return mpno_operand_store(kernels, &operand, at, src, n);
}

typedef struct mpno_tile_op {
    mpno_instr_kind kind;
    int node, edge;           /* OP; LOAD, STORE */
    int source;               /* LOAD */
    int in[MPNO_OP_MAX_IN];   /* index of a value, a pack or an edge of sums or columns, by kind of
                                 operand; -1: left out */
    int out[MPNO_OP_MAX_OUT]; /* index of a value, a partial sum or an edge of columns */
    int room;  /* value that is its own scratch, -1: the scratch that all ops share */
    bool bf16; /* OP: computes in bf16 */
} mpno_tile_op;

typedef struct mpno_tile_value {
    int64_t channels;
    size_t offset; /* in a thread's buffers; unused where the value is read in place */
    bool loaded;
    int in_place; /* edge that it is read from without a copy, -1: none; set for each run */
} mpno_tile_value;

/* A weight converted to the arithmetic type, as the op wants it. */
typedef struct mpno_tile_pack {
    int edge;
    bool transposed, packed; /* mpno_op */
    bool bf16;               /* packed for products of bf16 */
    size_t offset, bytes;    /* in the step's scratch; unused when it can be read in place */
} mpno_tile_pack;

typedef struct mpno_tile_partial {
    int edge;
    bool f64, per_sample;
    int64_t count;
    size_t offset; /* in a chunk's partials */
} mpno_tile_partial;

/* How the points of a sample are cut: tiles hold whole lines of the last axis or an equal part of
 * one, chunks whole lines. */
typedef struct mpno_tiling {
    int64_t points, line;
    int64_t rows;          /* of a tile, at most */
    int64_t chunk, chunks; /* points of a chunk; how many of them */
} mpno_tiling;
int64_t mpno_tile_rows(int64_t line); /* of a tile of lines of so many rows */
mpno_tiling mpno_tiling_of(const mpno_grid *grid);
/* Points of the tile that begins at `first`, in a chunk that ends before `end`. */
static inline int64_t mpno_tiling_rows(const mpno_tiling *t, int64_t first, int64_t end) {
    const int64_t rest = t->line > t->rows ? t->line - first % t->line : end - first;
    return rest < t->rows ? rest : t->rows;
}

typedef struct mpno_tile_program {
    mpno_ctx *ctx;
    mpno_tile_op *ops;
    mpno_tile_value *values;
    mpno_tile_pack *packs;
    mpno_tile_partial *partials;
    int n_ops, n_values, n_packs, n_partials;
    mpno_tiling tiling;
    size_t pack_bytes, chunk_bytes, value_bytes, op_scratch_bytes;
} mpno_tile_program;

typedef struct mpno_tile_run {
    const mpno_kernels *kernels;
    const mpno_field_kernels *fields;
    const mpno_bf16_kernels *products;
    const mpno_graph *graph;
    mpno_stored *stored;   /* per edge */
    int64_t batch, before; /* samples; see mpno_op_call */
    int n_threads;
    uint64_t drop_seed;
    void *scratch;
} mpno_tile_run;

MPNO_WARN_UNUSED mpno_status mpno_tile_compile(const mpno_graph *graph, const mpno_step *step,
                                               const mpno_policy *policy, mpno_tile_program *out);
void mpno_tile_destroy(mpno_tile_program *program);
/* Scratch of a run: packed weights, partial sums, buffers of the threads. */
size_t mpno_tile_scratch_bytes(const mpno_tile_program *program, int64_t capacity, int n_threads);
void mpno_tile_execute(const mpno_tile_program *program, const mpno_tile_run *run);

#endif
