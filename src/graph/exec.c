/* SPDX-License-Identifier: MIT
 * Plan and execution of a lowered graph, see exec.h. */
#include "graph/exec.h"

#include "core/clock.h"
#include "core/memory.h"
#include "graph/lower.h"
#include "graph/place.h"
#include "graph/tile.h"

struct mpno_exec {
    mpno_graph *graph;
    mpno_policy policy;
    int64_t capacity;
    int n_threads;
    mpno_lowered lowered;
    mpno_tile_program *programs; /* per step; empty for whole ops */
    size_t *scratch_offset;      /* per step */
    mpno_stored *stored;         /* per edge */
    size_t arena_bytes, lower_bound;
    char *arena;
    uint64_t drop_seed;
    double *seconds; /* per step; NULL: not measured */
};

static bool in_arena(const mpno_exec *x, int edge) {
    const mpno_edge_kind kind = x->graph->edges[edge].kind;
    return x->lowered.stored[edge] && !x->stored[edge].external && kind != MPNO_EDGE_PARAM &&
           kind != MPNO_EDGE_PARAM_GRAD;
}

static size_t step_scratch(const mpno_exec *x, int s) {
    const mpno_step *step = &x->lowered.steps[s];
    if (step->whole < 0) return mpno_tile_scratch_bytes(&x->programs[s], x->capacity, x->n_threads);
    const mpno_node *node = &x->graph->nodes[step->whole];
    if (node->op->scratch == NULL) return 0;
    return node->op->scratch(x->graph, node, x->capacity, mpno_format_bytes(x->policy.base),
                             x->n_threads);
}

static void touch(mpno_exec *x, int edge, int step) {
    mpno_stored *stored = &x->stored[edge];
    if (stored->first < 0) stored->first = step;
    stored->last = step;
}

static void touch_node(mpno_exec *x, int node, int step) {
    const mpno_node *n = &x->graph->nodes[node];
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && x->graph->edges[n->in[i]].kind != MPNO_EDGE_FIELD)
            touch(x, n->in[i], step);
    for (int i = 0; i < n->n_out; i++)
        if (x->graph->edges[n->out[i]].kind != MPNO_EDGE_FIELD) touch(x, n->out[i], step);
    for (int i = 0; n->op->class == MPNO_OP_WHOLE && i < n->n_in; i++)
        if (n->in[i] >= 0) touch(x, n->in[i], step);
    for (int i = 0; n->op->class == MPNO_OP_WHOLE && i < n->n_out; i++) touch(x, n->out[i], step);
}

/* First and last step at which each stored edge is in use. */
static void find_lifetimes(mpno_exec *x, const mpno_exec_opts *opts) {
    for (int e = 0; e < x->graph->n_edges; e++) x->stored[e].first = x->stored[e].last = -1;
    for (int s = 0; s < x->lowered.n_steps; s++) {
        const mpno_step *step = &x->lowered.steps[s];
        if (step->whole >= 0) touch_node(x, step->whole, s);
        for (int i = 0; i < step->n_instrs; i++) {
            const mpno_instr *instr = &step->instrs[i];
            if (instr->kind == MPNO_INSTR_OP) touch_node(x, instr->node, s);
            if (instr->kind == MPNO_INSTR_LOAD) touch(x, instr->source, s);
            if (instr->kind == MPNO_INSTR_STORE) touch(x, instr->edge, s);
        }
    }
    for (int i = 0; i < opts->n_requested; i++)
        x->stored[opts->requested[i]].last = x->lowered.n_steps - 1;
}

static mpno_status place_all(mpno_exec *x) {
    mpno_ctx *ctx = x->graph->ctx;
    const int n_edges = x->graph->n_edges, n_steps = x->lowered.n_steps;
    mpno_place_item *items;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(n_edges + n_steps), sizeof *items, &items));
    int n = 0;
    for (int e = 0; e < n_edges; e++)
        if (in_arena(x, e)) {
            const mpno_stored *s = &x->stored[e];
            items[n++] = (mpno_place_item){.bytes = s->bytes, .first = s->first, .last = s->last};
        }
    for (int s = 0; s < n_steps; s++)
        items[n++] = (mpno_place_item){.bytes = step_scratch(x, s), .first = s, .last = s};
    mpno_status status = mpno_place(ctx, items, n, &x->arena_bytes, &x->lower_bound);
    n = 0;
    for (int e = 0; e < n_edges; e++)
        if (in_arena(x, e)) x->stored[e].offset = items[n++].offset;
    for (int s = 0; s < n_steps; s++) x->scratch_offset[s] = items[n++].offset;
    mpno_free(ctx, items);
    return status;
}

static mpno_status plan(mpno_exec *x, const mpno_exec_opts *opts) {
    mpno_ctx *ctx = x->graph->ctx;
    const mpno_lower_opts lower = {.requested = opts->requested,
                                   .n_requested = opts->n_requested,
                                   .unfused = opts->unfused,
                                   .policy = &x->policy};
    MPNO_TRY(mpno_lower(x->graph, &lower, &x->lowered));
    const size_t n_steps = (size_t)x->lowered.n_steps, n_edges = (size_t)x->graph->n_edges;
    MPNO_TRY(mpno_alloc_array(ctx, n_steps, sizeof *x->programs, &x->programs));
    MPNO_TRY(mpno_alloc_array(ctx, n_steps, sizeof *x->scratch_offset, &x->scratch_offset));
    MPNO_TRY(mpno_alloc_array(ctx, n_edges, sizeof *x->stored, &x->stored));
    for (int e = 0; e < x->graph->n_edges; e++) {
        const mpno_edge *edge = &x->graph->edges[e];
        mpno_stored *s = &x->stored[e];
        s->external =
            (edge->producer < 0 && edge->kind == MPNO_EDGE_FIELD) || e == opts->external_output;
        s->format = edge->kind == MPNO_EDGE_SUMS ? MPNO_F64
                    : edge->kind == MPNO_EDGE_PARAM_GRAD
                        ? x->policy.base
                        : mpno_policy_storage(&x->policy, edge->role, edge->layer);
        s->bytes = mpno_edge_bytes(x->graph, e, s->format, x->capacity);
    }
    for (int s = 0; s < x->lowered.n_steps; s++)
        if (x->lowered.steps[s].whole < 0)
            MPNO_TRY(
                mpno_tile_compile(x->graph, &x->lowered.steps[s], x->policy.base, &x->programs[s]));
    find_lifetimes(x, opts);
    return place_all(x);
}

mpno_status mpno_exec_create(mpno_graph *graph, const mpno_exec_opts *opts, mpno_exec **out) {
    mpno_exec *x;
    *out = NULL;
    MPNO_TRY(mpno_alloc(graph->ctx, sizeof *x, &x));
    x->graph = graph;
    x->policy = *opts->policy;
    x->capacity = opts->capacity;
    x->n_threads = opts->n_threads;
    const mpno_status status = plan(x, opts);
    if (status != MPNO_OK) mpno_exec_destroy(&x);
    *out = x;
    return status;
}

mpno_status mpno_exec_realise(mpno_exec *x) {
    MPNO_TRY(mpno_alloc_raw(x->graph->ctx, x->arena_bytes, &x->arena));
    for (int e = 0; e < x->graph->n_edges; e++)
        if (in_arena(x, e)) x->stored[e].data = x->arena + x->stored[e].offset;
    return MPNO_OK;
}

void mpno_exec_destroy(mpno_exec **exec) {
    if (exec == NULL || *exec == NULL) return;
    mpno_exec *x = *exec;
    mpno_ctx *ctx = x->graph->ctx;
    for (int s = 0; x->programs != NULL && s < x->lowered.n_steps; s++)
        if (x->programs[s].ctx != NULL) mpno_tile_destroy(&x->programs[s]);
    mpno_free(ctx, x->programs);
    mpno_free(ctx, x->scratch_offset);
    mpno_free(ctx, x->seconds);
    mpno_free(ctx, x->stored);
    mpno_free(ctx, x->arena);
    mpno_lowered_destroy(ctx, &x->lowered);
    mpno_free(ctx, x);
    *exec = NULL;
}

void mpno_exec_bind(mpno_exec *x, int edge, const void *data, mpno_format format) {
    x->stored[edge].data = (void *)(uintptr_t)data;
    x->stored[edge].format = format;
}

void mpno_exec_set_drop_seed(mpno_exec *x, uint64_t seed) {
    x->drop_seed = seed;
}

const void *mpno_exec_data(const mpno_exec *x, int edge) {
    return x->stored[edge].data;
}

static void run_whole(mpno_exec *x, int s, int64_t batch, double loss_scale) {
    const mpno_node *node = &x->graph->nodes[x->lowered.steps[s].whole];
    mpno_op_call call = {.kernels = mpno_kernels_get(x->graph->ctx->isa, x->policy.base),
                         .fields = mpno_field_kernels_get(x->policy.base),
                         .graph = x->graph,
                         .node = node,
                         .batch = batch,
                         .loss_scale = loss_scale,
                         .n_threads = x->n_threads,
                         .scratch = x->arena + x->scratch_offset[s]};
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0)
            call.in[i] = (mpno_operand){x->stored[node->in[i]].data, x->stored[node->in[i]].format,
                                        x->graph->edges[node->in[i]].channels};
    for (int i = 0; i < node->n_out; i++)
        call.out[i] = (mpno_operand){x->stored[node->out[i]].data, x->stored[node->out[i]].format,
                                     x->graph->edges[node->out[i]].channels};
    node->op->forward(&call);
    for (int i = 0; i < node->n_out; i++)
        if (call.nonfinite[i]) x->stored[node->out[i]].nonfinite = true;
}

/* The first edge with a non-finite value among those that step s wrote; clears the flags. */
static int take_nonfinite(mpno_exec *x, int s) {
    const mpno_step *step = &x->lowered.steps[s];
    int found = -1;
    for (int i = 0; i < (step->whole >= 0 ? 1 : step->n_instrs); i++) {
        const mpno_instr *instr = step->whole >= 0 ? NULL : &step->instrs[i];
        int edges[MPNO_OP_MAX_OUT] = {-1, -1};
        if (instr != NULL && instr->kind == MPNO_INSTR_STORE) edges[0] = instr->edge;
        const int n = instr == NULL ? step->whole : instr->kind == MPNO_INSTR_OP ? instr->node : -1;
        for (int o = 0; n >= 0 && o < x->graph->nodes[n].n_out; o++)
            edges[o] = x->graph->nodes[n].out[o];
        for (int o = 0; o < MPNO_OP_MAX_OUT; o++) {
            if (edges[o] < 0 || !atomic_exchange(&x->stored[edges[o]].nonfinite, false)) continue;
            if (found < 0) found = edges[o];
        }
    }
    return found;
}

static void run_step(mpno_exec *x, int s, int64_t batch, double loss_scale) {
    if (x->lowered.steps[s].whole >= 0) {
        run_whole(x, s, batch, loss_scale);
        return;
    }
    const mpno_tile_run run = {.kernels = mpno_kernels_get(x->graph->ctx->isa, x->policy.base),
                               .fields = mpno_field_kernels_get(x->policy.base),
                               .graph = x->graph,
                               .stored = x->stored,
                               .batch = batch,
                               .n_threads = x->n_threads,
                               .drop_seed = x->drop_seed,
                               .scratch = x->arena + x->scratch_offset[s]};
    mpno_tile_execute(&x->programs[s], &run);
}

int mpno_exec_run(mpno_exec *x, mpno_pass pass, int64_t batch, double loss_scale) {
    int first_nonfinite = -1;
    for (int s = 0; s < x->lowered.n_steps; s++) {
        if (x->lowered.steps[s].backward != (pass == MPNO_PASS_BACKWARD)) continue;
        const double start = x->seconds != NULL ? mpno_seconds() : 0;
        run_step(x, s, batch, loss_scale);
        if (x->seconds != NULL) x->seconds[s] += mpno_seconds() - start;
        const int edge = take_nonfinite(x, s);
        if (first_nonfinite < 0) first_nonfinite = edge;
    }
    return first_nonfinite;
}

int mpno_exec_n_tensors(const mpno_exec *x) {
    int n = 0;
    for (int e = 0; e < x->graph->n_edges; e++) n += in_arena(x, e);
    return n;
}

mpno_exec_tensor mpno_exec_tensor_at(const mpno_exec *x, int index) {
    int e = 0;
    while (!in_arena(x, e) || index-- > 0) e++;
    const mpno_stored *s = &x->stored[e];
    const bool kept = !x->lowered.steps[s->first].backward && x->lowered.steps[s->last].backward;
    return (mpno_exec_tensor){e, s->format, s->bytes, kept};
}

mpno_format mpno_exec_format(const mpno_exec *x, int edge) {
    return x->stored[edge].format;
}

size_t mpno_exec_arena_bytes(const mpno_exec *x) {
    return x->arena_bytes;
}

size_t mpno_exec_lower_bound(const mpno_exec *x) {
    return x->lower_bound;
}

/* Of one step, for a layer (-1: all). */
static double step_flops(const mpno_exec *x, int s, int layer) {
    const mpno_step *step = &x->lowered.steps[s];
    double flops = 0;
    for (int i = 0; i < (step->whole >= 0 ? 1 : step->n_instrs); i++) {
        const int n = step->whole >= 0 ? step->whole : step->instrs[i].node;
        if (n < 0 || (layer >= 0 && x->graph->nodes[n].layer != layer)) continue;
        flops += x->graph->nodes[n].op->cost(x->graph, &x->graph->nodes[n], x->capacity).flops;
    }
    return flops;
}

double mpno_exec_flops(const mpno_exec *x, int layer) {
    double flops = 0;
    for (int s = 0; s < x->lowered.n_steps; s++) flops += step_flops(x, s, layer);
    return flops;
}

mpno_status mpno_exec_watch(mpno_exec *x) {
    const size_t n = (size_t)x->lowered.n_steps;
    mpno_free(x->graph->ctx, x->seconds);
    return mpno_alloc_array(x->graph->ctx, n, sizeof *x->seconds, &x->seconds);
}

double mpno_exec_layer_seconds(const mpno_exec *x, int layer, mpno_pass pass) {
    double seconds = 0;
    for (int s = 0; s < x->lowered.n_steps && x->seconds != NULL; s++) {
        if (x->lowered.steps[s].backward != (pass == MPNO_PASS_BACKWARD)) continue;
        const double all = step_flops(x, s, -1);
        if (all > 0) seconds += x->seconds[s] * step_flops(x, s, layer) / all;
    }
    return seconds;
}

size_t mpno_exec_layer_bytes(const mpno_exec *x, int layer) {
    size_t most = 0;
    for (int s = 0; s < x->lowered.n_steps; s++) {
        size_t alive = 0;
        for (int e = 0; e < x->graph->n_edges; e++)
            if (in_arena(x, e) && x->graph->edges[e].layer == layer && x->stored[e].first <= s &&
                s <= x->stored[e].last)
                alive += x->stored[e].bytes;
        if (alive > most) most = alive;
    }
    return most;
}
