/* SPDX-License-Identifier: MIT
 * Gradients of A, S and B of contract_low_rank, with Z = X A and D = dY B^H:
 *   dA[i][r] = sum_kb conj(X) D conj(S),  dS[r(k)][r] = sum_b conj(Z) D,
 *   dB[r][o] = sum_kb conj(Z S) dY
 * X [modes][batch][2][I], dY [modes][batch][2][O], A, S, B -> like A, S, B, of the arithmetic type.
 * Nothing but the batch and the modes is summed over ranks here, so a task takes some ranks: their
 * columns of all five matrices stay in the caches while X and dY pass. Each element is one chain in
 * the order of samples, then modes, which a later part of the batch continues. */
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "graph/op/low_rank.h"
#include "graph/op/mode_panel.h"

enum { MODES = 64, RANKS = 64, LEAST_RANKS = 16 };

static mpno_status shape(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    mpno_low_rank n;
    MPNO_TRY(mpno_low_rank_check(graph, node, 2, &n));
    for (int i = 0; i < 3; i++) mpno_shape_gradient_of(graph, node->in[2 + i], &out[i]);
    return MPNO_OK;
}

typedef struct gradient_call {
    mpno_op_call *call;
    mpno_low_rank n;
    int64_t parts; /* of the ranks */
    size_t element, thread_bytes;
    unsigned char *nonfinite; /* per thread and result */
} gradient_call;

/* Where part i of the ranks begins: a last one of few ranks belongs to the one before. */
static int64_t n_parts(int64_t rank) {
    const int64_t whole = rank / RANKS;
    return whole == 0 ? 1 : whole + (rank % RANKS >= LEAST_RANKS);
}

static size_t panel(int64_t rows, int64_t columns, size_t element) {
    return mpno_aligned((size_t)(rows * 2 * columns) * element);
}

/* Of a thread: X, dY, then Z, Z S, D, D conj(S) and B^T of some ranks. */
static size_t room_bytes(const mpno_low_rank *n, size_t element) {
    return panel(MODES, n->inputs, element) + panel(MODES, n->outputs, element) +
           3 * panel(MODES, RANKS + LEAST_RANKS, element) +
           panel(n->outputs, RANKS + LEAST_RANKS, element);
}

typedef struct rank_part {
    int64_t first, ranks;
    mpno_planes a, b_turned, da, db; /* columns or rows of these ranks */
    char *x, *dy;                    /* rooms */
    mpno_planes z, zs, d;
} rank_part;

static mpno_planes next_panel(char **room, int64_t rows, int64_t columns, int64_t most,
                              size_t element) {
    const mpno_planes p = {.data = *room, .row = 2 * columns, .step = 1, .plane = columns};
    *room += panel(rows, most, element);
    return p;
}

static rank_part open_part(const gradient_call *g, int64_t task, int thread) {
    const mpno_op_call *call = g->call;
    const mpno_low_rank *n = &g->n;
    char *room = (char *)call->scratch + (size_t)thread * g->thread_bytes;
    rank_part p = {.first = task * RANKS, .x = room};
    p.ranks = task + 1 < g->parts ? RANKS : n->rank - p.first;
    p.dy = room += panel(MODES, n->inputs, g->element);
    room += panel(MODES, n->outputs, g->element);
    const int64_t most = RANKS + LEAST_RANKS;
    p.z = next_panel(&room, MODES, p.ranks, most, g->element);
    p.zs = next_panel(&room, MODES, p.ranks, most, g->element);
    p.d = next_panel(&room, MODES, p.ranks, most, g->element);
    p.b_turned = next_panel(&room, n->outputs, p.ranks, most, g->element);
    p.a = mpno_low_rank_columns(call, &call->in[2], n->inputs, n->rank, p.first);
    p.da = mpno_low_rank_columns(call, &call->out[0], n->inputs, n->rank, p.first);
    const mpno_planes b =
        mpno_low_rank_columns(call, &call->in[4], n->rank, n->outputs, p.first * n->outputs);
    p.db = mpno_low_rank_columns(call, &call->out[2], n->rank, n->outputs, p.first * n->outputs);
    for (int plane = 0; plane < 2; plane++)
        call->kernels->transpose(
            (char *)p.b_turned.data + (size_t)(plane * p.b_turned.plane) * g->element,
            p.b_turned.row, (char *)b.data + (size_t)(plane * b.plane) * g->element, b.row, p.ranks,
            n->outputs);
    return p;
}

static mpno_planes row_of(const mpno_planes *panel, int64_t row, size_t element) {
    mpno_planes at = *panel;
    at.data = (char *)at.data + row * at.row * (int64_t)element;
    return at;
}

/* Z S, dS and D conj(S) of each mode. */
static void scale_modes(const gradient_call *g, const rank_part *p, int64_t mode, int64_t modes,
                        bool going_on) {
    mpno_op_call *call = g->call;
    const mpno_kernels *k = call->kernels;
    for (int64_t m = 0; m < modes; m++) {
        const mpno_planes s = mpno_low_rank_diagonal(call, &call->in[3], mode + m, g->n.rank,
                                                     p->first),
                          ds = mpno_low_rank_diagonal(call, &call->out[1], mode + m, g->n.rank,
                                                      p->first),
                          z = row_of(&p->z, m, g->element), zs = row_of(&p->zs, m, g->element),
                          d = row_of(&p->d, m, g->element),
                          turned = mpno_low_rank_exchanged(call, d),
                          dturned = mpno_low_rank_exchanged(call, ds);
        k->multiply_complex(1, p->ranks, &z, &s, &zs, 0);
        /* conj(Z) D: of B and C exchanged */
        k->multiply_complex(1, p->ranks, &z, &turned, &dturned, going_on);
        /* D conj(S): of A and C exchanged */
        k->multiply_complex(1, p->ranks, &turned, &s, &turned, 0);
    }
}

static void some_ranks(void *argument, int64_t task, int thread) {
    const gradient_call *g = argument;
    const mpno_op_call *call = g->call;
    const mpno_kernels *k = call->kernels;
    const rank_part p = open_part(g, task, thread);
    const mpno_planes d_turned = mpno_low_rank_exchanged(call, p.d),
                      da = mpno_low_rank_exchanged(call, p.da),
                      db = mpno_low_rank_exchanged(call, p.db);
    bool going_on = call->before > 0;
    int bad[2] = {0};
    for (int64_t sample = 0; sample < call->batch; sample++)
        for (int64_t mode = 0; mode < g->n.modes; mode += MODES) {
            const int64_t modes = g->n.modes - mode < MODES ? g->n.modes - mode : MODES;
            const mpno_planes x = mpno_mode_panel(call, &call->in[0], mode, modes, sample, p.x),
                              dy = mpno_mode_panel(call, &call->in[1], mode, modes, sample, p.dy),
                              dy_turned = mpno_low_rank_exchanged(call, dy);
            mpno_planes xt = x, zt = p.zs;
            xt.step = x.row, xt.row = 1; /* transposes: modes are the inner index */
            zt.step = p.zs.row, zt.row = 1;
            (void)k->gemm_complex(modes, p.ranks, g->n.inputs, &x, &p.a, &p.z, 0);
            (void)k->gemm_complex(modes, p.ranks, g->n.outputs, &dy_turned, &p.b_turned, &d_turned,
                                  0);
            scale_modes(g, &p, mode, modes, call->before > 0 || sample > 0);
            bad[0] = k->gemm_complex(g->n.inputs, p.ranks, modes, &xt, &d_turned, &da, going_on);
            bad[1] = k->gemm_complex(p.ranks, g->n.outputs, modes, &zt, &dy_turned, &db, going_on);
            going_on = true;
        }
    for (int i = 0; i < 2; i++) g->nonfinite[2 * thread + i] |= (unsigned char)bad[i];
}

static void forward(mpno_op_call *call) {
    gradient_call g = {.call = call,
                       .n = mpno_low_rank_of(call->graph, call->node, 2),
                       .element = mpno_format_bytes(call->kernels->arithmetic)};
    const mpno_weight *s = &call->graph->weights[call->graph->edges[call->node->in[3]].param];
    g.parts = n_parts(g.n.rank);
    g.thread_bytes = room_bytes(&g.n, g.element);
    g.nonfinite = (unsigned char *)call->scratch + (size_t)call->n_threads * g.thread_bytes;
    memset(g.nonfinite, 0, 2 * (size_t)call->n_threads);
    if (g.n.modes < s->blocks && call->before == 0) /* each mode meets a block of its own */
        memset(call->out[1].data, 0, mpno_weight_count(s) * g.element);
    mpno_parallel(call->n_threads, g.parts, some_ranks, &g);
    for (int t = 0; t < call->n_threads; t++) {
        call->nonfinite[0] |= g.nonfinite[2 * t] != 0;
        call->nonfinite[2] |= g.nonfinite[2 * t + 1] != 0;
    }
}

static size_t scratch(const mpno_graph *graph, const mpno_node *node, int64_t batch,
                      size_t type_bytes, int n_threads) {
    const mpno_low_rank n = mpno_low_rank_of(graph, node, 2);
    (void)batch;
    return (size_t)n_threads * (room_bytes(&n, type_bytes) + 2);
}

static mpno_op_cost cost(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const mpno_low_rank n = mpno_low_rank_of(graph, node, 2);
    return (mpno_op_cost){
        (16.0 * (double)(n.inputs + n.outputs) + 20) * (double)(n.modes * batch * n.rank), true};
}

const mpno_op mpno_op_contract_low_rank_dw = {
    .name = "contract_low_rank_dw",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .own_chain = true,
    .shape = shape,
    .forward = forward,
    .cost = cost,
    .scratch = scratch,
};
