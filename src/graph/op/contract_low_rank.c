/* SPDX-License-Identifier: MIT
 * Y[k][b][o] = sum_r (sum_i X[k][b][i] A[i][r]) S[r(k)][r] B[r][o], complex: the contraction with a
 * CP weight, data first, without its dense form and without storing what lies between the products.
 * X [modes][batch][2][I], A [2][I][R] and B [2][R][O] for all modes, S [blocks][2][R] -> Y
 * [modes][batch][2][O]; r(k) = attr.mode_rows. attr.adjoint: X -> ((X B^H) conj S) A^H, operands in
 * the same order. A task takes some modes with all their samples and goes through the ranks block
 * by block: the block of the inner product, its matrices and the result stay in the caches (64 rows
 * x 256 ranks: 128 KiB). Each element of Y is one chain over the ranks. */
#include <math.h>

#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "graph/op/low_rank.h"

enum { ROWS = 64, RANKS = 256 };

mpno_low_rank mpno_low_rank_of(const mpno_graph *graph, const mpno_node *node, int first) {
    const mpno_weight *a = &graph->weights[graph->edges[node->in[first]].param],
                      *b = &graph->weights[graph->edges[node->in[first + 2]].param];
    return (mpno_low_rank){graph->edges[node->in[0]].modes, a->rows, a->cols, b->cols};
}

mpno_status mpno_low_rank_check(mpno_graph *graph, const mpno_node *node, int first,
                                mpno_low_rank *out) {
    const mpno_weight *w[3];
    for (int i = 0; i < 3; i++) w[i] = &graph->weights[graph->edges[node->in[first + i]].param];
    const bool complex = w[0]->is_complex && w[1]->is_complex && w[2]->is_complex;
    MPNO_CHECK(graph->ctx,
               complex && w[0]->blocks == 1 && w[2]->blocks == 1 && w[1]->rows == 1 &&
                   w[1]->cols == w[0]->cols && w[2]->rows == w[0]->cols,
               MPNO_E_SHAPE, "%s: factors of ranks %lld, %lld and %lld do not fit each other",
               node->op->name, (long long)w[0]->cols, (long long)w[1]->cols, (long long)w[2]->rows);
    *out = mpno_low_rank_of(graph, node, first);
    return MPNO_OK;
}

static char *element_at(const mpno_op_call *call, const mpno_operand *operand, int64_t at) {
    return (char *)operand->data + at * (int64_t)mpno_format_bytes(call->kernels->arithmetic);
}

mpno_planes mpno_low_rank_columns(const mpno_op_call *call, const mpno_operand *operand,
                                  int64_t rows, int64_t columns, int64_t first) {
    return (mpno_planes){.data = element_at(call, operand, first),
                         .row = columns,
                         .step = 1,
                         .plane = rows * columns};
}

mpno_planes mpno_low_rank_diagonal(const mpno_op_call *call, const mpno_operand *operand,
                                   int64_t mode, int64_t rank, int64_t first) {
    const int64_t block = call->node->attr.mode_rows[mode];
    return (mpno_planes){.data = element_at(call, operand, 2 * block * rank + first),
                         .row = 0,
                         .step = 1,
                         .plane = rank};
}

mpno_planes mpno_low_rank_exchanged(const mpno_op_call *call, mpno_planes planes) {
    const int64_t element = (int64_t)mpno_format_bytes(call->kernels->arithmetic);
    planes.data = (char *)planes.data + planes.plane * element;
    planes.plane = -planes.plane;
    return planes;
}

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    mpno_low_rank n;
    MPNO_TRY(mpno_low_rank_check(graph, node, 1, &n));
    const int64_t inputs = node->attr.adjoint ? n.outputs : n.inputs;
    MPNO_CHECK(graph->ctx, x->channels == inputs, MPNO_E_SHAPE,
               "contract_low_rank: the spectral weight takes %lld channels, %s has %lld",
               (long long)inputs, x->name, (long long)x->channels);
    out->kind = MPNO_EDGE_SPECTRUM;
    out->channels = node->attr.adjoint ? n.inputs : n.outputs;
    out->modes = x->modes;
    return MPNO_OK;
}

typedef struct low_rank_call {
    mpno_op_call *call;
    mpno_low_rank n;
    int64_t inputs, outputs, together; /* of this direction; modes of a task */
    mpno_planes first, second;         /* [inputs][rank], [rank][outputs] */
    bool adjoint;
    size_t element, thread_bytes;
    char *rooms;
    unsigned char *nonfinite; /* per thread */
} low_rank_call;

static int64_t modes_of_task(int64_t batch) {
    return batch < ROWS ? (ROWS + batch - 1) / batch : 1;
}

/* Rooms of a thread: rows of X, of Y, and the block between them. */
static size_t room_bytes(int64_t batch, int64_t channels, size_t element) {
    return mpno_aligned((size_t)(modes_of_task(batch) * batch * 2 * channels) * element);
}

/* Rows of some modes, all samples: in their place, or in `room` when they must be converted. */
static mpno_planes rows_of(const low_rank_call *l, const mpno_operand *operand, int64_t mode,
                           void *room) {
    const int64_t row = 2 * operand->channels, first = mode * l->call->batch * row;
    const bool wide = operand->format == l->call->kernels->arithmetic;
    char *stored = (char *)operand->data + (size_t)first * mpno_format_bytes(operand->format);
    return (mpno_planes){
        .data = wide ? stored : room, .row = row, .step = 1, .plane = operand->channels};
}

static void multiply_ranks(const low_rank_call *l, int64_t mode, int64_t modes, int64_t first,
                           int64_t ranks, const mpno_planes *x, const mpno_planes *y, void *room,
                           int *bad) {
    const mpno_kernels *k = l->call->kernels;
    const int64_t batch = l->call->batch, rows = modes * batch;
    const size_t element = l->element;
    mpno_planes z = {.data = room, .row = 2 * ranks, .step = 1, .plane = ranks}, a = l->first,
                b = l->second;
    a.data = (char *)a.data + (size_t)first * element;
    b.data = (char *)b.data + (size_t)(first * b.row) * element;
    const mpno_planes turned = mpno_low_rank_exchanged(l->call, z);
    if (l->adjoint) {
        const mpno_planes from = mpno_low_rank_exchanged(l->call, *x);
        (void)k->gemm_complex(rows, ranks, l->inputs, &from, &a, &turned, 0);
    } else {
        (void)k->gemm_complex(rows, ranks, l->inputs, x, &a, &z, 0);
    }
    for (int64_t m = 0; m < modes; m++) {
        const mpno_planes s =
            mpno_low_rank_diagonal(l->call, &l->call->in[2], mode + m, l->n.rank, first);
        mpno_planes part = l->adjoint ? turned : z;
        part.data = (char *)part.data + (size_t)(m * batch * z.row) * element;
        k->multiply_complex(batch, ranks, &part, &s, &part, 0);
    }
    if (l->adjoint) {
        const mpno_planes to = mpno_low_rank_exchanged(l->call, *y);
        *bad = k->gemm_complex(rows, l->outputs, ranks, &turned, &b, &to, first > 0);
    } else {
        *bad = k->gemm_complex(rows, l->outputs, ranks, &z, &b, y, first > 0);
    }
}

static void some_modes(void *argument, int64_t task, int thread) {
    const low_rank_call *l = argument;
    const mpno_op_call *call = l->call;
    const mpno_operand *in = &call->in[0], *out = &call->out[0];
    const int64_t mode = task * l->together, left = l->n.modes - mode,
                  modes = left < l->together ? left : l->together;
    char *room = l->rooms + (size_t)thread * l->thread_bytes,
         *to = room + room_bytes(call->batch, l->inputs, l->element),
         *between = to + room_bytes(call->batch, l->outputs, l->element);
    const mpno_planes x = rows_of(l, in, mode, room), y = rows_of(l, out, mode, to);
    const int64_t rows = modes * call->batch;
    int bad = 0;
    if (x.data == room)
        mpno_operand_load(
            call->kernels, in, room,
            (char *)in->data + (size_t)(mode * call->batch * x.row) * mpno_format_bytes(in->format),
            rows * x.row);
    for (int64_t first = 0; first < l->n.rank; first += RANKS) {
        const int64_t ranks = l->n.rank - first < RANKS ? l->n.rank - first : RANKS;
        multiply_ranks(l, mode, modes, first, ranks, &x, &y, between, &bad);
    }
    if (y.data == to)
        bad = mpno_operand_store(call->kernels, out,
                                 (char *)out->data + (size_t)(mode * call->batch * y.row) *
                                                         mpno_format_bytes(out->format),
                                 to, rows * y.row);
    l->nonfinite[thread] |= (unsigned char)bad;
}

/* to[cols][rows] = from[rows][cols]^T, both planes. */
static mpno_planes transposed(const low_rank_call *l, const mpno_operand *operand, int64_t rows,
                              int64_t cols, char *to) {
    for (int plane = 0; plane < 2; plane++) {
        const size_t at = (size_t)(plane * rows * cols) * l->element;
        l->call->kernels->transpose(to + at, rows, (char *)operand->data + at, cols, rows, cols);
    }
    return (mpno_planes){.data = to, .row = rows, .step = 1, .plane = rows * cols};
}

static size_t matrix_bytes(int64_t rows, int64_t cols, size_t element) {
    return mpno_aligned(2 * (size_t)(rows * cols) * element);
}

static void forward(mpno_op_call *call) {
    low_rank_call l = {.call = call,
                       .n = mpno_low_rank_of(call->graph, call->node, 1),
                       .adjoint = call->node->attr.adjoint,
                       .element = mpno_format_bytes(call->kernels->arithmetic),
                       .rooms = call->scratch,
                       .together = modes_of_task(call->batch)};
    l.inputs = l.adjoint ? l.n.outputs : l.n.inputs;
    l.outputs = l.adjoint ? l.n.inputs : l.n.outputs;
    if (l.adjoint) {
        char *a = call->scratch, *b = a + matrix_bytes(l.n.outputs, l.n.rank, l.element);
        l.first = transposed(&l, &call->in[3], l.n.rank, l.n.outputs, a);
        l.second = transposed(&l, &call->in[1], l.n.inputs, l.n.rank, b);
        l.rooms = b + matrix_bytes(l.n.inputs, l.n.rank, l.element);
    } else {
        l.first = mpno_low_rank_columns(call, &call->in[1], l.n.inputs, l.n.rank, 0);
        l.second = mpno_low_rank_columns(call, &call->in[3], l.n.rank, l.n.outputs, 0);
    }
    l.thread_bytes = room_bytes(call->batch, l.inputs, l.element) +
                     room_bytes(call->batch, l.outputs, l.element) +
                     room_bytes(call->batch, RANKS, l.element);
    l.nonfinite = (unsigned char *)l.rooms + (size_t)call->n_threads * l.thread_bytes;
    memset(l.nonfinite, 0, (size_t)call->n_threads);
    mpno_parallel(call->n_threads, (l.n.modes + l.together - 1) / l.together, some_modes, &l);
    for (int t = 0; t < call->n_threads; t++) call->nonfinite[0] |= l.nonfinite[t] != 0;
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    const mpno_low_rank n = mpno_low_rank_of(graph, node, 1);
    const size_t rooms = room_bytes(batch, n.inputs, type_bytes) +
                         room_bytes(batch, n.outputs, type_bytes) +
                         room_bytes(batch, RANKS, type_bytes) + 1,
                 turned = matrix_bytes(n.inputs, n.rank, type_bytes) +
                          matrix_bytes(n.outputs, n.rank, type_bytes);
    return (node->attr.adjoint ? turned : 0) + (size_t)n_threads * rooms;
}

static mpno_status backward(mpno_graph *graph, int index, const int *grad_out, const bool *wanted,
                            int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int dx[] = {grad_out[0], node.in[1], node.in[2], node.in[3]},
              dw[] = {node.in[0], grad_out[0], node.in[1], node.in[2], node.in[3]};
    mpno_attr attr = node.attr;
    int first;
    if (wanted[1] || wanted[2] || wanted[3]) {
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_contract_low_rank_dw, 5, dw, &attr,
                                         node.in[1], &first));
        for (int i = 0; i < 3; i++) grad_in[1 + i] = first + i;
    }
    attr.adjoint = true;
    if (wanted[0])
        MPNO_TRY(mpno_graph_add_gradient(graph, &mpno_op_contract_low_rank, 4, dx, &attr,
                                         node.in[0], &grad_in[0]));
    return MPNO_OK;
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_low_rank n = mpno_low_rank_of(graph, node, 1);
    return (mpno_op_cost){
        (8.0 * (double)(n.inputs + n.outputs) + 6) * (double)(n.modes * batch * n.rank), true};
}

/* Roundings of a chain of n complex products in units of the operand's norm times u: two partial
 * sums for each, of which one has only the real part of a last row, and the products. */
static double chain(double n, const mpno_bound *matrix) {
    return (1 + sqrt(2)) * n * matrix->norm + sqrt(2) * matrix->frobenius;
}

/* Statement B9 for three factors: |A| |S| |B|, each of which may have been made of others; chains
 * of 2 I, 2 and 2 R roundings, by the magnitudes of all products or by partial sums, whichever is
 * less. What underflows in the first two is multiplied by the others. */
static double bound(const mpno_bound_call *call) {
    const mpno_bound *x = &call->in[0], *a = &call->in[1], *s = &call->in[2], *b = &call->in[3];
    const double inputs = (double)call->graph->edges[call->node->in[0]].channels;
    const double rank = (double)mpno_low_rank_of(call->graph, call->node, 1).rank;
    const double computed = a->norm * s->most * b->norm;
    /* (A + e_A)(S + e_S)(B + e_B) - A S B, without the digits that a difference would lose */
    const double off = a->error * (s->most + s->error) * (b->norm + b->error) +
                       a->norm * s->error * (b->norm + b->error) + a->norm * s->most * b->error;
    const double size = a->frobenius * s->most * b->frobenius;
    const double terms = sqrt(2) * (2 * inputs + 2 + 2 * rank),
                 after = sqrt(rank) * (s->most + 1) * b->frobenius;
    const double sums = chain(inputs, a) / a->norm + 2 * sqrt(2) + chain(rank, b) / b->norm;
    return (computed + off) * x->error + off * x->norm +
           fmin(mpno_bound_rounding(call, terms, size * x->norm),
                mpno_bound_rounding(call, sums, computed * x->norm)) +
           after * mpno_bound_rounding(call, terms, 0);
}

const mpno_op mpno_op_contract_low_rank = {
    .name = "contract_low_rank",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch = scratch,
    .bound = bound,
};
