/* SPDX-License-Identifier: MIT
 * What the three contraction ops share: tasks of some kept modes, one complex product a mode,
 * operands and results in the arithmetic type in per-thread rooms unless they are stored in it. */
#ifndef MPNO_GRAPH_OP_CONTRACT_MODES_H
#define MPNO_GRAPH_OP_CONTRACT_MODES_H

#include "graph/graph.h"

typedef struct mpno_mode_call mpno_mode_call;
typedef void mpno_mode_body(const mpno_mode_call *m, int64_t mode, int thread);

struct mpno_mode_call {
    mpno_op_call *call;
    mpno_mode_body *body;
    int64_t batch, inputs, outputs; /* of this weight */
    int64_t modes, per_task;
    size_t element;           /* bytes of the arithmetic type */
    unsigned char *nonfinite; /* per thread */
    size_t thread_bytes;
};

/* The scratch of one thread: room for every panel that any of the three ops may need. */
typedef struct mpno_mode_rooms {
    char *first, *second; /* spectra, [batch][2][inputs or outputs] */
    char *weight;         /* [2][inputs][outputs] */
    char *transposed;     /* [2][outputs][inputs] */
} mpno_mode_rooms;
mpno_mode_rooms mpno_mode_rooms_of(const mpno_mode_call *m, int thread);

/* The spectrum operand of one mode, [batch][2][channels]; `room` is used when it must be converted.
 */
mpno_planes mpno_mode_spectrum(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                               void *room);
/* Block of the weight that kept mode `mode` uses, [2][inputs][outputs]; `room` as above. */
mpno_planes mpno_mode_weight(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                             void *room);
/* Where a spectrum of one mode is made: in its place, or in `room` when it must be converted. */
mpno_planes mpno_mode_place(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                            void *room);
/* Finishes what was made there or, at `made`, elsewhere. bad: in its place, a value is not finite.
 */
void mpno_mode_store(const mpno_mode_call *m, const mpno_operand *operand, int64_t mode,
                     const void *made, int bad, int thread);
/* The planes with their roles exchanged, see mpno_planes. */
mpno_planes mpno_mode_exchanged(const mpno_mode_call *m, const mpno_planes *planes);

/* Runs `body` once per mode of `call` and gathers the non-finite flags. */
void mpno_mode_run(mpno_op_call *call, int64_t inputs, int64_t outputs, int64_t modes,
                   mpno_mode_body *body);

/* Shared faces: 8 flops per mode, sample, input and output; scratch for all threads. */
mpno_op_cost mpno_mode_cost(const mpno_graph *graph, const mpno_node *node, int64_t batch);
size_t mpno_mode_total_scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                               size_t type_bytes, int n_threads);

#endif
