/* SPDX-License-Identifier: MIT
 * How long the steps of a plan take, from pieces of them: see exec.h. Of a tile program whole
 * chunks of some samples are run, of a contraction some modes at the full batch, of other whole ops
 * some samples; times are then scaled by the work left out. Steps of one kind (the same ops,
 * formats and sizes) are run once. What a piece misses is that its data lie in a cache: so where
 * those of the step would not, other data pass through the cores' own caches before each run
 * (without: darcy16 26 to 31 % too fast), and no step is taken to be faster than a copy of as many
 * bytes through memory, where they are more than a shared cache holds. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "graph/exec_inside.h"

enum {
    PIECE_ROWS = 4096,       /* of a tile program, for each thread, or more */
    PIECE_BYTES = 4 << 20,   /* of the largest operand of a whole op, or less */
    OWN_BYTES = 1 << 20,     /* a core, of a step that may never leave its own caches */
    PASSING_BYTES = 4 << 20, /* a core, of other data */
    CACHED_BYTES = 32 << 20, /* of a step that may never leave a cache */
    COPY_BYTES = 32 << 20,
    LEAST_RUNS = 5,
    MOST_RUNS = 9
};
static const double long_enough = 2e-3; /* seconds of all runs of a piece */

/* A step made smaller, with tensors of its own. */
typedef struct piece {
    const mpno_exec *exec;
    mpno_graph graph; /* modes, blocks: of the piece */
    mpno_tile_program program;
    mpno_node node; /* of a whole op */
    int32_t *mode_rows;
    mpno_stored *stored; /* per edge */
    char *room, *scratch;
    size_t room_bytes;
    int64_t batch;
    double scale; /* work of the step over that of the piece */
    char *passing; /* PASSING_BYTES for each thread */
    bool cold;     /* passes before each run */
} piece;

static bool is_contraction(const mpno_node *node) {
    return node->attr.mode_rows != NULL;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t at_least_one(int64_t n) {
    return n > 1 ? n : 1;
}

/* ---- kinds ---- */

static uint64_t mix(uint64_t hash, const void *data, size_t n) {
    for (const unsigned char *c = data; n > 0; c++, n--) hash = (hash ^ *c) * 0x100000001b3u;
    return hash;
}

static uint64_t mix_edge(const mpno_exec *x, uint64_t hash, int edge) {
    if (edge < 0) return mix(hash, &edge, sizeof edge);
    const mpno_edge *e = &x->graph->edges[edge];
    const int64_t facts[] = {(int64_t)e->kind,
                             e->grid,
                             e->channels,
                             e->modes,
                             (int64_t)x->stored[edge].format,
                             (int64_t)x->stored[edge].bytes};
    return mix(hash, facts, sizeof facts);
}

static uint64_t mix_node(const mpno_exec *x, uint64_t hash, int index) {
    const mpno_node *node = &x->graph->nodes[index];
    const int flags[] = {node->attr.adjoint, node->attr.batch, node->attr.fixed, node->n_in,
                         node->n_out};
    hash = mix(hash, &node->op, sizeof node->op);
    hash = mix(hash, flags, sizeof flags);
    hash = mix(hash, &node->attr.fft, sizeof node->attr.fft);
    for (int i = 0; i < node->n_in; i++) hash = mix_edge(x, hash, node->in[i]);
    for (int i = 0; i < node->n_out; i++) hash = mix_edge(x, hash, node->out[i]);
    return hash;
}

static uint64_t kind_of(const mpno_exec *x, int s) {
    const mpno_step *step = &x->lowered.steps[s];
    uint64_t hash = mix(0xcbf29ce484222325u, &step->grid, sizeof step->grid);
    if (step->whole >= 0) return mix_node(x, hash, step->whole);
    for (int i = 0; i < step->n_instrs; i++) {
        const mpno_instr *instr = &step->instrs[i];
        hash = mix(hash, &instr->kind, sizeof instr->kind);
        if (instr->kind == MPNO_INSTR_OP) hash = mix_node(x, hash, instr->node);
        if (instr->kind == MPNO_INSTR_LOAD) hash = mix_edge(x, hash, instr->source);
        if (instr->kind == MPNO_INSTR_STORE) hash = mix_edge(x, hash, instr->edge);
    }
    return hash;
}

/* ---- making a piece ---- */

/* Gives the edge room for the piece's samples; twice: first to count, then to place. */
static void give_room(piece *p, int edge) {
    mpno_stored *stored = &p->stored[edge];
    const bool tile_field = p->program.ops != NULL && p->graph.edges[edge].kind == MPNO_EDGE_FIELD;
    if (stored->last == 1) return; /* has it */
    stored->bytes =
        tile_field ? (size_t)(p->batch * p->program.tiling.points * p->graph.edges[edge].channels) *
                         mpno_format_bytes(stored->format)
                   : mpno_edge_bytes(&p->graph, edge, stored->format, p->batch);
    stored->offset = p->room_bytes;
    stored->last = 1;
    p->room_bytes += mpno_aligned(stored->bytes);
}

static void give_node_room(piece *p, const mpno_node *node, bool fields) {
    for (int i = 0; i < node->n_in + node->n_out; i++) {
        const int edge = i < node->n_in ? node->in[i] : node->out[i - node->n_in];
        if (edge >= 0 && (fields || p->graph.edges[edge].kind != MPNO_EDGE_FIELD))
            give_room(p, edge);
    }
}

static size_t shrink_program(piece *p, int s) {
    const mpno_exec *x = p->exec;
    const mpno_step *step = &x->lowered.steps[s];
    const mpno_tiling whole = x->programs[s].tiling;
    p->program = x->programs[s];
    p->program.tiling.points = least(whole.points, whole.chunk);
    p->program.tiling.chunks = 1;
    const int64_t threads = x->n_threads, rows = PIECE_ROWS / p->program.tiling.points;
    p->batch = threads * at_least_one(rows);
    if (whole.chunks == 1) p->batch = least(p->batch, x->capacity);
    const int64_t rounds = (p->batch + threads - 1) / threads;
    const int64_t all = (x->capacity * whole.chunks + threads - 1) / threads;
    p->scale = (double)all / (double)rounds * (double)whole.points /
               (double)(whole.chunks * p->program.tiling.points);
    for (int i = 0; i < step->n_instrs; i++) {
        const mpno_instr *instr = &step->instrs[i];
        if (instr->kind == MPNO_INSTR_OP) give_node_room(p, &x->graph->nodes[instr->node], false);
        if (instr->kind == MPNO_INSTR_LOAD) give_room(p, instr->source);
        if (instr->kind == MPNO_INSTR_STORE) give_room(p, instr->edge);
    }
    return mpno_tile_scratch_bytes(&p->program, p->batch, x->n_threads);
}

/* Some modes at the full batch. */
static void shrink_contraction(piece *p) {
    const mpno_node *node = &p->node;
    int64_t modes = p->graph.edges[node->in[0]].modes;
    const int64_t whole = modes;
    for (int i = 0; i < node->n_in + node->n_out; i++) {
        const mpno_edge *e =
            &p->graph.edges[i < node->n_in ? node->in[i] : node->out[i - node->n_in]];
        if (e->param < 0) continue;
        mpno_weight *w = &p->graph.weights[e->param];
        const int64_t block = at_least_one((int64_t)mpno_weight_count(w) / w->blocks);
        modes = least(modes, at_least_one(PIECE_BYTES / 4 / block));
        w->blocks = least(w->blocks, modes);
    }
    for (int i = 0; i < node->n_in + node->n_out; i++)
        p->graph.edges[i < node->n_in ? node->in[i] : node->out[i - node->n_in]].modes = modes;
    for (int64_t k = 0; k < modes; k++) p->mode_rows[k] = (int32_t)k;
    p->node.attr.mode_rows = p->mode_rows;
    p->batch = p->exec->capacity;
    p->scale = (double)whole / (double)modes;
}

static size_t shrink_whole(piece *p, int s) {
    const mpno_exec *x = p->exec;
    p->node = x->graph->nodes[x->lowered.steps[s].whole];
    if (is_contraction(&p->node)) {
        shrink_contraction(p);
    } else {
        size_t largest = 1;
        for (int i = 0; i < p->node.n_in + p->node.n_out; i++) {
            const int edge = i < p->node.n_in ? p->node.in[i] : p->node.out[i - p->node.n_in];
            if (edge < 0 || x->graph->edges[edge].param >= 0) continue;
            const size_t one = mpno_edge_bytes(x->graph, edge, x->stored[edge].format, 1);
            if (one > largest) largest = one;
        }
        p->batch = at_least_one((int64_t)(PIECE_BYTES / largest));
        if (p->batch < x->n_threads) p->batch = x->n_threads;
        p->batch = least(p->batch, x->capacity);
        p->scale = (double)x->capacity / (double)p->batch;
    }
    give_node_room(p, &p->node, true);
    return p->node.op->scratch == NULL
               ? 0
               : p->node.op->scratch(&p->graph, &p->node, p->batch,
                                     mpno_format_bytes(x->policy.base), x->n_threads);
}

/* Arrays as large as the executor's, so that pieces of any step fit. */
static mpno_status open_piece(piece *p) {
    const mpno_graph *g = p->exec->graph;
    int64_t modes = 1;
    for (int e = 0; e < g->n_edges; e++)
        if (g->edges[e].modes > modes) modes = g->edges[e].modes;
    p->graph = *g;
    p->graph.edges = NULL, p->graph.weights = NULL;
    MPNO_TRY(mpno_alloc(g->ctx, (size_t)p->exec->n_threads * PASSING_BYTES, &p->passing));
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)g->n_edges, sizeof *g->edges, &p->graph.edges));
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)g->n_weights, sizeof *g->weights, &p->graph.weights));
    MPNO_TRY(mpno_alloc_array(g->ctx, (size_t)g->n_edges, sizeof *p->stored, &p->stored));
    return mpno_alloc_array(g->ctx, (size_t)modes, sizeof *p->mode_rows, &p->mode_rows);
}

static void close_piece(piece *p) {
    mpno_ctx *ctx = p->exec->graph->ctx;
    mpno_free(ctx, p->passing);
    mpno_free(ctx, p->graph.edges);
    mpno_free(ctx, p->graph.weights);
    mpno_free(ctx, p->stored);
    mpno_free(ctx, p->mode_rows);
}

static mpno_status make_piece(piece *p, int s) {
    const mpno_exec *x = p->exec;
    const mpno_graph *g = x->graph;
    memcpy(p->graph.edges, g->edges, (size_t)g->n_edges * sizeof *g->edges);
    memcpy(p->graph.weights, g->weights, (size_t)g->n_weights * sizeof *g->weights);
    for (int e = 0; e < g->n_edges; e++) {
        p->stored[e] = (mpno_stored){.format = x->stored[e].format};
        atomic_init(&p->stored[e].nonfinite, false);
    }
    p->program = (mpno_tile_program){0};
    p->room_bytes = 0;
    const size_t scratch =
        x->lowered.steps[s].whole < 0 ? shrink_program(p, s) : shrink_whole(p, s);
    MPNO_TRY(mpno_alloc(g->ctx, p->room_bytes + scratch, &p->room));
    p->scratch = p->room + p->room_bytes;
    for (int e = 0; e < g->n_edges; e++)
        if (p->stored[e].last == 1) p->stored[e].data = p->room + p->stored[e].offset;
    return MPNO_OK;
}

/* ---- running it ---- */

static void run_program(piece *p) {
    mpno_tile_run run = mpno_exec_tile_run(p->exec, p->batch);
    run.graph = &p->graph;
    run.stored = p->stored;
    run.scratch = p->scratch;
    mpno_tile_execute(&p->program, &run);
}

static void run_whole(piece *p) {
    const mpno_exec *x = p->exec;
    mpno_op_call call = {.kernels = mpno_kernels_get(x->graph->ctx->isa, x->policy.base),
                         .fields = mpno_field_kernels_get(x->policy.base),
                         .graph = &p->graph,
                         .node = &p->node,
                         .batch = p->batch,
                         .loss_scale = 1,
                         .n_threads = x->n_threads,
                         .scratch = p->scratch};
    for (int i = 0; i < p->node.n_in + p->node.n_out; i++) {
        const bool in = i < p->node.n_in;
        const int edge = in ? p->node.in[i] : p->node.out[i - p->node.n_in];
        mpno_operand *operand = in ? &call.in[i] : &call.out[i - p->node.n_in];
        if (edge >= 0)
            *operand = (mpno_operand){p->stored[edge].data, p->stored[edge].format,
                                      p->graph.edges[edge].channels, NULL};
    }
    p->node.op->forward(&call);
}

static int smaller_first(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void pass(void *argument, int64_t task, int thread) {
    const piece *p = argument;
    (void)thread;
    memset(p->passing + (size_t)task * PASSING_BYTES, 1, PASSING_BYTES);
}

/* The median of some runs after a first one that warms up. */
static double time_piece(piece *p) {
    double seconds[MOST_RUNS], sum = 0;
    int n = 0;
    for (int run = 0; n < MOST_RUNS && (n < LEAST_RUNS || sum < long_enough); run++) {
        if (p->cold) mpno_parallel(p->exec->n_threads, p->exec->n_threads, pass, p);
        const double start = mpno_seconds();
        if (p->program.ops != NULL)
            run_program(p);
        else
            run_whole(p);
        if (run == 0) continue;
        seconds[n] = mpno_seconds() - start;
        sum += seconds[n++];
    }
    qsort(seconds, (size_t)n, sizeof *seconds, smaller_first);
    return seconds[n / 2] * p->scale;
}

/* ---- memory ---- */

typedef struct copying {
    char *from, *to;
} copying;
enum { COPY_TASKS = 16 };

static void copy_part(void *argument, int64_t task, int thread) {
    const copying *c = argument;
    const size_t part = COPY_BYTES / COPY_TASKS;
    (void)thread;
    memcpy(c->to + (size_t)task * part, c->from + (size_t)task * part, part);
}

/* Of a copy: what mpno tune found where the context has it, else measured now. */
static mpno_status find_bandwidth(const mpno_exec *x, double *bandwidth) {
    const mpno_rates *rates = &x->graph->ctx->rates;
    copying c;
    double best = 0;
    if (rates->threads > 0 && (x->n_threads == 1 || x->n_threads == rates->threads)) {
        *bandwidth = rates->copy[x->n_threads == 1 ? 0 : 1];
        return MPNO_OK;
    }
    MPNO_TRY(mpno_alloc(x->graph->ctx, 2 * (size_t)COPY_BYTES, &c.from));
    c.to = c.from + COPY_BYTES;
    for (int run = 0; run < 3; run++) { /* the first one touches the pages */
        const double start = mpno_seconds();
        mpno_parallel(x->n_threads, COPY_TASKS, copy_part, &c);
        const double rate = 2.0 * COPY_BYTES / (mpno_seconds() - start);
        if (rate > best) best = rate;
    }
    mpno_free(x->graph->ctx, c.from);
    *bandwidth = best;
    return MPNO_OK;
}

static mpno_status estimate_step(piece *p, const uint64_t *kinds, int s, double bandwidth,
                                 double *seconds) {
    const mpno_exec_step facts = mpno_exec_step_at(p->exec, s);
    const double bytes = facts.loaded_bytes + facts.stored_bytes;
    for (int i = 0; i < s; i++) {
        if (kinds[i] != kinds[s]) continue;
        seconds[s] = seconds[i];
        return MPNO_OK;
    }
    MPNO_TRY(make_piece(p, s));
    p->cold = bytes > (double)p->exec->n_threads * OWN_BYTES;
    seconds[s] = time_piece(p);
    mpno_free(p->exec->graph->ctx, p->room);
    if (bytes > CACHED_BYTES && bytes / bandwidth > seconds[s]) seconds[s] = bytes / bandwidth;
    return MPNO_OK;
}

mpno_status mpno_exec_estimate(const mpno_exec *x, double *seconds, double *bandwidth) {
    piece p = {.exec = x};
    uint64_t *kinds = NULL;
    mpno_ctx *ctx = x->graph->ctx;
    mpno_status status = mpno_alloc_array(ctx, (size_t)x->lowered.n_steps, sizeof *kinds, &kinds);
    if (status == MPNO_OK) status = open_piece(&p);
    if (status == MPNO_OK) status = find_bandwidth(x, bandwidth);
    for (int s = 0; s < x->lowered.n_steps && status == MPNO_OK; s++) {
        kinds[s] = kind_of(x, s);
        status = estimate_step(&p, kinds, s, *bandwidth, seconds);
    }
    close_piece(&p);
    mpno_free(ctx, kinds);
    return status;
}
