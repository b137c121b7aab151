/* SPDX-License-Identifier: MIT
 * What the three contraction ops share: one task per kept mode, planar complex matrices as real
 * products, operands converted to the arithmetic type in per-thread panels unless they are stored
 * in it. */
#ifndef MPNO_GRAPH_OP_CONTRACT_MODES_H
#define MPNO_GRAPH_OP_CONTRACT_MODES_H

#include "graph/graph.h"

/* A [rows][2][cols] operand of one mode (or [2][rows][cols] for weights) in the arithmetic type. */
typedef struct mpno_mode_panel {
    void *re, *im;
    int64_t ld; /* elements between rows */
} mpno_mode_panel;

typedef struct mpno_mode_call {
    mpno_op_call *call;
    int64_t batch, inputs, outputs; /* of this weight */
    size_t element;                 /* bytes of the arithmetic type */
    unsigned char *nonfinite;       /* per thread */
    size_t thread_bytes;
} mpno_mode_call;

/* The scratch of one thread: room for every panel that any of the three ops may need. */
typedef struct mpno_mode_rooms {
    char *first, *second; /* spectra, [batch][2][inputs or outputs] */
    char *negated,
        *turned;      /* one room: an imaginary part, [batch][inputs or outputs]; or a spectrum */
    char *weight;     /* [2][inputs][outputs] */
    char *transposed; /* [2][outputs][inputs] */
} mpno_mode_rooms;
mpno_mode_rooms mpno_mode_rooms_of(const mpno_mode_call *m, int thread);

/* The spectrum operand of mode k as a panel; `room` (batch * 2 * channels elements) is used when it
 * must be converted. */
mpno_mode_panel mpno_mode_spectrum(const mpno_mode_call *m, const mpno_operand *operand,
                                   int64_t mode, void *room);
/* Block of the weight that kept mode `mode` uses, [2][inputs][outputs]. */
mpno_mode_panel mpno_mode_weight(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                                 void *room);
/* room[rows][cols] = -panel.im */
void mpno_mode_negate(const mpno_mode_call *m, const mpno_mode_panel *panel, int64_t cols,
                      void *room);
/* room[rows][2][cols] = (-panel.im, panel.re): i times the panel */
void mpno_mode_turn(const mpno_mode_call *m, const mpno_mode_panel *panel, int64_t cols,
                    void *room);
/* Stores a finished [batch][2][channels] panel as mode k of `operand`. */
void mpno_mode_store(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                     void *panel, int thread);
/* Runs `body` once per mode of `call` and gathers the non-finite flags. */
void mpno_mode_run(mpno_op_call *call, int64_t inputs, int64_t outputs, int64_t modes,
                   void (*body)(void *argument, int64_t mode, int thread));

/* Shared faces: 8 flops per mode, sample, input and output; scratch for all threads. */
mpno_op_cost mpno_mode_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch);
size_t mpno_mode_total_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                               size_t type_bytes, int n_threads);

#endif
