/* SPDX-License-Identifier: MIT
 * Steps and tensors of a planned network as blocks and moments: see timeline.h. */
#include "train/timeline.h"

#include <stdio.h>

#include "core/memory.h"
#include "graph/exec.h"
#include "model/network.h"

enum { SHOWN_OPS = 40 };

static void fill_tensors(mpno_network_timeline *t, const mpno_exec *exec, const mpno_graph *graph) {
    for (int i = 0; i < mpno_exec_n_tensors(exec); i++) {
        const mpno_exec_tensor tensor = mpno_exec_tensor_at(exec, i);
        const mpno_edge *edge = &graph->edges[tensor.edge];
        mpno_block *block = &t->blocks[t->drawn.n_blocks++];
        *block = (mpno_block){.format = mpno_format_get(tensor.format)->name,
                              .kind = tensor.kept      ? MPNO_BLOCK_KEPT
                                      : edge->gradient ? MPNO_BLOCK_GRADIENT
                                                       : MPNO_BLOCK_PASSING,
                              .bytes = tensor.bytes,
                              .offset = tensor.offset,
                              .first = tensor.first,
                              .last = tensor.last};
        snprintf(block->name, sizeof block->name, "%s: %s", graph->layers[edge->layer], edge->name);
    }
}

/* Sums over the parts of a batch, and the scratch of each step. */
static void fill_rest(mpno_network_timeline *t, const mpno_exec *exec, const mpno_graph *graph) {
    const int n_steps = t->drawn.n_steps;
    for (int e = 0; e < graph->n_edges; e++) {
        size_t offset;
        const size_t bytes = mpno_exec_chain(exec, e, &offset);
        if (bytes == 0) continue;
        mpno_block *block = &t->blocks[t->drawn.n_blocks++];
        *block = (mpno_block){.format = "f64",
                              .kind = MPNO_BLOCK_SCRATCH,
                              .bytes = bytes,
                              .offset = offset,
                              .last = n_steps - 1};
        snprintf(block->name, sizeof block->name, "%s: sum over micro-batches",
                 graph->layers[graph->edges[e].layer]);
    }
    for (int s = 0; s < n_steps; s++) {
        const mpno_exec_step step = mpno_exec_step_at(exec, s);
        if (step.scratch_bytes == 0) continue;
        mpno_block *block = &t->blocks[t->drawn.n_blocks++];
        *block = (mpno_block){.kind = MPNO_BLOCK_SCRATCH,
                              .bytes = step.scratch_bytes,
                              .offset = step.scratch_offset,
                              .first = s,
                              .last = s};
        snprintf(block->name, sizeof block->name, "%.60s: scratch", t->steps[s].layer);
    }
}

static void fill_steps(mpno_network_timeline *t, const mpno_exec *exec, const mpno_graph *graph,
                       const double *seconds, double parts) {
    t->forward_seconds = t->backward_seconds = seconds != NULL ? 0 : -1;
    for (int s = 0; s < t->drawn.n_steps; s++) {
        const mpno_exec_step step = mpno_exec_step_at(exec, s);
        mpno_moment *m = &t->steps[s];
        *m = (mpno_moment){.backward = step.step->backward,
                           .seconds = seconds != NULL ? seconds[s] * parts : -1,
                           .live_bytes = step.live_bytes};
        mpno_step_layer(graph, step.step, m->layer, sizeof m->layer);
        mpno_step_ops(graph, step.step, SHOWN_OPS, m->ops, sizeof m->ops);
        if (seconds == NULL) continue;
        if (m->backward)
            t->backward_seconds += m->seconds;
        else
            t->forward_seconds += m->seconds;
    }
}

static mpno_status fill(mpno_ctx *ctx, const mpno_network *network, bool estimate,
                        mpno_network_timeline *t) {
    const mpno_exec *exec = mpno_network_exec(network);
    const mpno_graph *graph = mpno_network_graph(network);
    const size_t n_steps = (size_t)mpno_exec_n_steps(exec), n_edges = (size_t)graph->n_edges;
    double *seconds = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, n_steps, sizeof *t->steps, &t->steps));
    MPNO_TRY(mpno_alloc_array(ctx, 2 * n_edges + n_steps, sizeof *t->blocks, &t->blocks));
    t->drawn.steps = t->steps, t->drawn.blocks = t->blocks;
    t->drawn.n_steps = (int)n_steps;
    t->drawn.arena_bytes = mpno_exec_arena_bytes(exec);
    t->drawn.bound_bytes = mpno_exec_lower_bound(exec);
    if (estimate) MPNO_TRY(mpno_alloc_array(ctx, n_steps, sizeof *seconds, &seconds));
    const mpno_status status =
        estimate ? mpno_exec_estimate(exec, seconds, &t->bandwidth) : MPNO_OK;
    if (status == MPNO_OK) {
        fill_steps(t, exec, graph, seconds, mpno_network_parts(network));
        fill_tensors(t, exec, graph);
        fill_rest(t, exec, graph);
    }
    mpno_free(ctx, seconds);
    return status;
}

mpno_status mpno_network_timeline_make(mpno_ctx *ctx, const mpno_network *network,
                                       const char *title, bool estimate,
                                       mpno_network_timeline *out) {
    *out = (mpno_network_timeline){.drawn = {.title = title}};
    return fill(ctx, network, estimate, out);
}

void mpno_network_timeline_clear(mpno_ctx *ctx, mpno_network_timeline *t) {
    mpno_free(ctx, t->steps);
    mpno_free(ctx, t->blocks);
    *t = (mpno_network_timeline){0};
}

static mpno_status put_step(mpno_ctx *ctx, const mpno_moment *m, mpno_value *list) {
    mpno_value *map = NULL;
    MPNO_TRY(mpno_value_map(ctx, &map));
    MPNO_TRY(mpno_value_append(ctx, list, map)); /* from here on owned by the list */
    MPNO_TRY(mpno_value_set_string(ctx, map, "layer", m->layer));
    MPNO_TRY(mpno_value_set_string(ctx, map, "ops", m->ops));
    MPNO_TRY(mpno_value_set_string(ctx, map, "pass", m->backward ? "backward" : "forward"));
    MPNO_TRY(mpno_value_set_int(ctx, map, "live_bytes", (int64_t)m->live_bytes));
    return m->seconds < 0 ? MPNO_OK : mpno_value_set_real(ctx, map, "seconds", m->seconds);
}

mpno_status mpno_network_timeline_put(mpno_ctx *ctx, const mpno_network_timeline *t,
                                      mpno_value *map) {
    mpno_value *list = NULL;
    MPNO_TRY(mpno_value_set_list(ctx, map, "steps", &list));
    for (int s = 0; s < t->drawn.n_steps; s++) MPNO_TRY(put_step(ctx, &t->steps[s], list));
    return MPNO_OK;
}
