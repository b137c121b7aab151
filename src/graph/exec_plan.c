/* SPDX-License-Identifier: MIT
 * The plan of a lowered graph: formats, lifetimes and places of tensors, and what can be asked of
 * it, see exec.h. */
#include <stdint.h>

#include "core/memory.h"
#include "graph/exec_inside.h"
#include "graph/place.h"

bool mpno_exec_placed(const mpno_exec *x, int edge) {
    const mpno_edge_kind kind = x->graph->edges[edge].kind;
    return x->lowered.stored[edge] && !x->stored[edge].external && kind != MPNO_EDGE_PARAM &&
           kind != MPNO_EDGE_PARAM_GRAD;
}

size_t mpno_exec_chain_bytes(const mpno_exec *x, int edge) {
    const mpno_edge *e = &x->graph->edges[edge];
    const bool sum =
        e->kind == MPNO_EDGE_PARAM_GRAD || (e->kind == MPNO_EDGE_BLOCKS && e->gradient);
    if (!x->parts || !sum || x->graph->nodes[e->producer].op->own_chain) return 0;
    return mpno_weight_count(&x->graph->weights[e->param]) * sizeof(double);
}

size_t mpno_exec_step_scratch(const mpno_exec *x, int s) {
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
    for (int e = 0; e < x->graph->n_edges; e++) { /* the sum goes on from one part to the next */
        mpno_stored *s = &x->stored[e];
        const mpno_edge *edge = &x->graph->edges[e];
        if (x->parts && edge->kind == MPNO_EDGE_BLOCKS && edge->gradient && s->first >= 0)
            s->first = 0, s->last = x->lowered.n_steps - 1;
    }
}

/* Whether what a tile program stores as `edge` by instruction `at` may lie where it loads `source`:
 * that dies here, is not read again, and each row of the one has the bytes of the same row of the
 * other, so that a tile overwrites what it has read itself and nothing else. */
static bool may_replace(const mpno_exec *x, int s, int at, int edge, int source) {
    const mpno_step *step = &x->lowered.steps[s];
    const mpno_edge *to = &x->graph->edges[edge], *from = &x->graph->edges[source];
    const mpno_stored *new = &x->stored[edge], *old = &x->stored[source];
    if (!mpno_exec_placed(x, source) || old->last != s || old->first == s) return false;
    if (from->kind != MPNO_EDGE_FIELD || from->grid != to->grid || new->bytes != old->bytes ||
        !mpno_exec_same_codec(x, edge, source))
        return false;
    for (int i = at + 1; i < step->n_instrs; i++)
        if (step->instrs[i].kind == MPNO_INSTR_LOAD && step->instrs[i].source == source)
            return false;
    return true;
}

/* Lets the stores of a tile program take the places of what it loads for the last time. */
static void find_heirs(mpno_exec *x, int s) {
    const mpno_step *step = &x->lowered.steps[s];
    for (int i = 0; i < step->n_instrs; i++) {
        const int edge = step->instrs[i].edge;
        if (step->instrs[i].kind != MPNO_INSTR_STORE || !mpno_exec_placed(x, edge)) continue;
        for (int j = 0; j < i && x->stored[edge].takes < 0; j++) {
            const int source = step->instrs[j].source;
            if (step->instrs[j].kind != MPNO_INSTR_LOAD || x->stored[source].heir >= 0) continue;
            if (!may_replace(x, s, i, edge, source)) continue;
            x->stored[edge].takes = source;
            x->stored[source].heir = edge;
        }
    }
}

/* The same for an elementwise op on whole tensors and its first operand. */
static void find_heir_of_whole(mpno_exec *x, int s) {
    const mpno_node *node = &x->graph->nodes[x->lowered.steps[s].whole];
    const int edge = node->out[0], source = node->in[0];
    const mpno_stored *new = &x->stored[edge], *old = &x->stored[source];
    if (!node->op->elementwise || !mpno_exec_placed(x, edge) || !mpno_exec_placed(x, source))
        return;
    if (old->last != s || old->first == s || old->heir >= 0 || new->bytes != old->bytes ||
        !mpno_exec_same_codec(x, edge, source))
        return;
    for (int i = 1; i < node->n_in; i++)
        if (node->in[i] == source) return;
    x->stored[edge].takes = source;
    x->stored[source].heir = edge;
}

/* One item for each tensor and those that take its place one after the other, one for the scratch
 * of each step, one for each sum that goes on over the parts of a batch. */
static mpno_status list_items(const mpno_exec *x, mpno_place_item **out, int *n_items) {
    const int n_edges = x->graph->n_edges, n_steps = x->lowered.n_steps;
    mpno_place_item *items;
    MPNO_TRY(
        mpno_alloc_array(x->graph->ctx, (size_t)(2 * n_edges + n_steps), sizeof *items, &items));
    int n = 0;
    for (int e = 0; e < n_edges; e++) {
        const mpno_stored *s = &x->stored[e];
        if (!mpno_exec_placed(x, e) || s->takes >= 0) continue;
        int last = e;
        while (x->stored[last].heir >= 0) last = x->stored[last].heir;
        items[n++] =
            (mpno_place_item){.bytes = s->bytes, .first = s->first, .last = x->stored[last].last};
    }
    for (int s = 0; s < n_steps; s++)
        items[n++] =
            (mpno_place_item){.bytes = mpno_exec_step_scratch(x, s), .first = s, .last = s};
    for (int e = 0; e < n_edges; e++)
        if (mpno_exec_chain_bytes(x, e) > 0)
            items[n++] =
                (mpno_place_item){.bytes = mpno_exec_chain_bytes(x, e), .last = n_steps - 1};
    *out = items;
    *n_items = n;
    return MPNO_OK;
}

static mpno_status find_lower_bound(mpno_exec *x) {
    mpno_place_item *items;
    int n;
    MPNO_TRY(list_items(x, &items, &n));
    x->lower_bound = mpno_place_lower_bound(items, n);
    mpno_free(x->graph->ctx, items);
    return MPNO_OK;
}

static mpno_status place_all(mpno_exec *x) {
    mpno_ctx *ctx = x->graph->ctx;
    const int n_edges = x->graph->n_edges, n_steps = x->lowered.n_steps;
    mpno_place_item *items;
    int n;
    MPNO_TRY(list_items(x, &items, &n));
    mpno_status status = mpno_place(ctx, items, n, &x->arena_bytes, &x->lower_bound);
    n = 0;
    for (int e = 0; e < n_edges; e++) {
        if (!mpno_exec_placed(x, e) || x->stored[e].takes >= 0) continue;
        for (int at = e; at >= 0; at = x->stored[at].heir) x->stored[at].offset = items[n].offset;
        n++;
    }
    for (int s = 0; s < n_steps; s++) x->scratch_offset[s] = items[n++].offset;
    for (int e = 0; e < n_edges; e++)
        if (mpno_exec_chain_bytes(x, e) > 0) x->stored[e].chain_offset = items[n++].offset;
    mpno_free(ctx, items);
    return status;
}

/* All but the places. run: mpno_lower_opts. */
static mpno_status lay_out(mpno_exec *x, const mpno_exec_opts *opts, int run) {
    mpno_ctx *ctx = x->graph->ctx;
    const mpno_lower_opts lower = {.requested = opts->requested,
                                   .n_requested = opts->n_requested,
                                   .unfused = opts->unfused,
                                   .keep_products = opts->keep_products,
                                   .run = run,
                                   .batch = opts->remake_layers ? 0 : x->capacity,
                                   .policy = &x->policy};
    MPNO_TRY(mpno_lower(x->graph, &lower, &x->lowered));
    const size_t n_steps = (size_t)x->lowered.n_steps, n_edges = (size_t)x->graph->n_edges;
    MPNO_TRY(mpno_alloc_array(ctx, n_steps, sizeof *x->programs, &x->programs));
    MPNO_TRY(mpno_alloc_array(ctx, n_steps, sizeof *x->scratch_offset, &x->scratch_offset));
    MPNO_TRY(mpno_alloc_array(ctx, n_edges, sizeof *x->stored, &x->stored));
    for (int e = 0; e < x->graph->n_edges; e++) {
        const mpno_edge *edge = &x->graph->edges[e];
        mpno_stored *s = &x->stored[e];
        s->takes = s->heir = -1;
        s->external =
            (edge->producer < 0 && edge->kind == MPNO_EDGE_FIELD) || e == opts->external_output;
        mpno_exec_plan_codec(x, e);
    }
    for (int s = 0; s < x->lowered.n_steps; s++)
        if (x->lowered.steps[s].whole < 0)
            MPNO_TRY(
                mpno_tile_compile(x->graph, &x->lowered.steps[s], &x->policy, &x->programs[s]));
    find_lifetimes(x, opts);
    for (int s = 0; s < x->lowered.n_steps && !opts->apart; s++)
        x->lowered.steps[s].whole < 0 ? find_heirs(x, s) : find_heir_of_whole(x, s);
    return MPNO_OK;
}

void mpno_exec_drop_plan(mpno_exec *x) {
    mpno_ctx *ctx = x->graph->ctx;
    for (int s = 0; x->programs != NULL && s < x->lowered.n_steps; s++)
        if (x->programs[s].ctx != NULL) mpno_tile_destroy(&x->programs[s]);
    mpno_free(ctx, x->programs);
    mpno_free(ctx, x->scratch_offset);
    mpno_free(ctx, x->stored);
    mpno_lowered_destroy(ctx, &x->lowered);
    x->programs = NULL, x->scratch_offset = NULL, x->stored = NULL;
}

/* The longest run of layers made again with which least memory is needed, the shorter one of two,
 * 0: none. Runs of n, n - 1 .. 1 and what is kept between them are n (n + 3) / 2 layers. */
static mpno_status best_run(mpno_exec *x, const mpno_exec_opts *opts, int *best) {
    const int n_nodes = x->graph->n_nodes, n_edges = x->graph->n_edges;
    size_t least = SIZE_MAX;
    for (int run = 0; (run - 1) * (run + 2) / 2 < x->graph->n_layers; run++) {
        MPNO_TRY(lay_out(x, opts, run));
        MPNO_TRY(find_lower_bound(x));
        if (x->lower_bound < least) *best = run, least = x->lower_bound;
        mpno_exec_drop_plan(x);
        mpno_graph_shorten(x->graph, n_nodes, n_edges);
    }
    return MPNO_OK;
}

static mpno_status plan(mpno_exec *x, const mpno_exec_opts *opts) {
    int run = 0;
    if (opts->remake_layers && x->graph->n_forward_nodes > 0) MPNO_TRY(best_run(x, opts, &run));
    MPNO_TRY(lay_out(x, opts, run));
    return place_all(x);
}

mpno_status mpno_exec_create(mpno_graph *graph, const mpno_exec_opts *opts, mpno_exec **out) {
    mpno_exec *x;
    *out = NULL;
    MPNO_TRY(mpno_alloc(graph->ctx, sizeof *x, &x));
    x->graph = graph;
    x->policy = *opts->policy;
    x->capacity = opts->capacity;
    x->parts = opts->parts;
    x->n_threads = opts->n_threads;
    const mpno_status status = plan(x, opts);
    if (status != MPNO_OK) mpno_exec_destroy(&x);
    *out = x;
    return status;
}

int mpno_exec_n_tensors(const mpno_exec *x) {
    int n = 0;
    for (int e = 0; e < x->graph->n_edges; e++) n += mpno_exec_placed(x, e);
    return n;
}

mpno_exec_tensor mpno_exec_tensor_at(const mpno_exec *x, int index) {
    int e = 0;
    while (!mpno_exec_placed(x, e) || index-- > 0) e++;
    const mpno_stored *s = &x->stored[e];
    const bool kept = !x->lowered.steps[s->first].backward && x->lowered.steps[s->last].backward;
    return (mpno_exec_tensor){e, s->format, s->bytes, s->offset, s->first, s->last, kept};
}

size_t mpno_exec_chain(const mpno_exec *x, int edge, size_t *offset) {
    *offset = x->stored[edge].chain_offset;
    return mpno_exec_chain_bytes(x, edge);
}

mpno_format mpno_exec_format(const mpno_exec *x, int edge) {
    return x->stored[edge].format;
}

const mpno_codec *mpno_exec_codec(const mpno_exec *x, int edge) {
    return mpno_stored_codec(&x->stored[edge]);
}

mpno_scaling mpno_exec_scaling(const mpno_exec *x, int edge) {
    return x->stored[edge].codec.scaling;
}

size_t mpno_exec_arena_bytes(const mpno_exec *x) {
    return x->arena_bytes;
}

size_t mpno_exec_lower_bound(const mpno_exec *x) {
    return x->lower_bound;
}

double mpno_exec_step_flops(const mpno_exec *x, int s, int layer) {
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
    for (int s = 0; s < x->lowered.n_steps; s++) flops += mpno_exec_step_flops(x, s, layer);
    return flops;
}

size_t mpno_exec_layer_bytes(const mpno_exec *x, int layer) {
    size_t most = 0;
    for (int s = 0; s < x->lowered.n_steps; s++) {
        size_t alive = 0;
        for (int e = 0; e < x->graph->n_edges; e++)
            if (mpno_exec_placed(x, e) && x->graph->edges[e].layer == layer &&
                x->stored[e].first <= s && s <= x->stored[e].last)
                alive += x->stored[e].bytes;
        if (alive > most) most = alive;
    }
    return most;
}
