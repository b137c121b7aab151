/* SPDX-License-Identifier: MIT
 * Execution of a planned graph, see exec.h. */
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "graph/exec_inside.h"

mpno_status mpno_exec_realise(mpno_exec *x) {
    MPNO_TRY(mpno_alloc_raw(x->graph->ctx, x->arena_bytes, &x->arena));
    for (int e = 0; e < x->graph->n_edges; e++)
        if (mpno_exec_placed(x, e)) x->stored[e].data = x->arena + x->stored[e].offset;
    for (int e = 0; e < x->graph->n_edges; e++)
        if (mpno_exec_chain_bytes(x, e) > 0)
            x->stored[e].chain = (double *)(void *)(x->arena + x->stored[e].chain_offset);
    return mpno_exec_realise_codecs(x);
}

void mpno_exec_destroy(mpno_exec **exec) {
    if (exec == NULL || *exec == NULL) return;
    mpno_exec *x = *exec;
    mpno_ctx *ctx = x->graph->ctx;
    mpno_exec_destroy_codecs(x);
    mpno_exec_drop_plan(x);
    mpno_free(ctx, x->seconds);
    mpno_free(ctx, x->arena);
    mpno_free(ctx, x);
    *exec = NULL;
}

void mpno_exec_bind(mpno_exec *x, int edge, const void *data, mpno_format format) {
    x->stored[edge].data = (void *)(uintptr_t)data;
    x->stored[edge].format = format;
    x->stored[edge].coded = false;
}

void mpno_exec_bind_coded(mpno_exec *x, int edge, const mpno_codec *codec) {
    mpno_exec_bind(x, edge, codec->base, codec->format);
    x->stored[edge].coded = true;
    x->stored[edge].codec = *codec;
}

void mpno_exec_set_drop_seed(mpno_exec *x, uint64_t seed) {
    x->drop_seed = seed;
}

const void *mpno_exec_data(const mpno_exec *x, int edge) {
    return x->stored[edge].data;
}

static mpno_operand operand_of(const mpno_exec *x, int edge) {
    const mpno_stored *s = &x->stored[edge];
    return (mpno_operand){s->data, s->format, x->graph->edges[edge].channels, mpno_stored_codec(s)};
}

static void run_whole(mpno_exec *x, int s, int64_t before, int64_t batch, double loss_scale) {
    const mpno_node *node = &x->graph->nodes[x->lowered.steps[s].whole];
    mpno_op_call call = {.kernels = mpno_kernels_get(x->graph->ctx->isa, x->policy.base),
                         .fields = mpno_field_kernels_get(x->policy.base),
                         .graph = x->graph,
                         .node = node,
                         .batch = batch,
                         .before = before,
                         .loss_scale = loss_scale,
                         .n_threads = x->n_threads,
                         .scratch = x->arena + x->scratch_offset[s]};
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0) call.in[i] = operand_of(x, node->in[i]);
    for (int i = 0; i < node->n_out; i++) {
        call.out[i] = operand_of(x, node->out[i]);
        call.chain[i] = x->stored[node->out[i]].chain;
    }
    node->op->forward(&call);
    for (int i = 0; i < node->n_out; i++)
        if (call.nonfinite[i]) x->stored[node->out[i]].nonfinite = true;
}

/* The edges that instruction i of a step writes, -1 where there is none. Of a tile program also
 * fields that live in its tiles alone. */
static void written(const mpno_exec *x, const mpno_step *step, int i, int *edges) {
    const mpno_instr *instr = step->whole >= 0 ? NULL : &step->instrs[i];
    const int n = instr == NULL ? step->whole : instr->kind == MPNO_INSTR_OP ? instr->node : -1;
    for (int o = 0; o < MPNO_OP_MAX_OUT; o++) edges[o] = -1;
    if (instr != NULL && instr->kind == MPNO_INSTR_STORE) edges[0] = instr->edge;
    for (int o = 0; n >= 0 && o < x->graph->nodes[n].n_out; o++)
        edges[o] = x->graph->nodes[n].out[o];
}

static int writers(const mpno_step *step) {
    return step->whole >= 0 ? 1 : step->n_instrs;
}

/* The first edge with a non-finite value among those that step s wrote; clears the flags. */
static int take_nonfinite(mpno_exec *x, int s) {
    const mpno_step *step = &x->lowered.steps[s];
    int found = -1, edges[MPNO_OP_MAX_OUT];
    for (int i = 0; i < writers(step); i++) {
        written(x, step, i, edges);
        for (int o = 0; o < MPNO_OP_MAX_OUT; o++) {
            if (edges[o] < 0 || !atomic_exchange(&x->stored[edges[o]].nonfinite, false)) continue;
            if (found < 0) found = edges[o];
        }
    }
    return found;
}

void mpno_exec_observe(mpno_exec *x, const mpno_observer *observer) {
    x->observer = observer != NULL ? *observer : (mpno_observer){0};
}

/* A field is stored by an instruction of its own, or whole. */
static bool shown(const mpno_exec *x, const mpno_step *step, int i, int edge) {
    const mpno_edge_kind kind = x->graph->edges[edge].kind;
    const bool op = step->whole < 0 && step->instrs[i].kind == MPNO_INSTR_OP;
    return x->lowered.stored[edge] && x->stored[edge].data != NULL &&
           kind != MPNO_EDGE_PARAM_GRAD && !(op && kind == MPNO_EDGE_FIELD);
}

static void show(mpno_exec *x, int s, int64_t batch) {
    const mpno_step *step = &x->lowered.steps[s];
    int edges[MPNO_OP_MAX_OUT];
    for (int i = 0; i < writers(step); i++) {
        written(x, step, i, edges);
        for (int o = 0; o < MPNO_OP_MAX_OUT; o++) {
            if (edges[o] < 0 || !shown(x, step, i, edges[o])) continue;
            const mpno_stored *stored = &x->stored[edges[o]];
            const bool scaled = stored->coded && stored->codec.scaling != MPNO_SCALING_NONE;
            const mpno_sight sight = {.edge = edges[o],
                                      .format = stored->format,
                                      .codec = scaled ? &stored->codec : NULL,
                                      .data = stored->data,
                                      .batch = batch};
            x->observer.look(x->observer.user, &sight);
        }
    }
}

mpno_tile_run mpno_exec_tile_run(const mpno_exec *x, int64_t batch) {
    return (mpno_tile_run){.kernels = mpno_kernels_get(x->graph->ctx->isa, x->policy.base),
                           .fields = mpno_field_kernels_get(x->policy.base),
                           .products = mpno_bf16_kernels_get(x->graph->ctx->isa),
                           .graph = x->graph,
                           .stored = x->stored,
                           .batch = batch,
                           .n_threads = x->n_threads};
}

void mpno_exec_run_step(mpno_exec *x, int s, int64_t before, int64_t batch, double loss_scale) {
    if (x->lowered.steps[s].whole >= 0) {
        run_whole(x, s, before, batch, loss_scale);
        return;
    }
    mpno_tile_run run = mpno_exec_tile_run(x, batch);
    run.before = before;
    run.drop_seed = x->drop_seed;
    run.scratch = x->arena + x->scratch_offset[s];
    mpno_tile_execute(&x->programs[s], &run);
}

static void clear_chains(mpno_exec *x) {
    for (int e = 0; e < x->graph->n_edges; e++)
        if (x->stored[e].chain != NULL) memset(x->stored[e].chain, 0, mpno_exec_chain_bytes(x, e));
}

static int run_pass(mpno_exec *x, mpno_pass pass, int64_t before, int64_t batch,
                    double loss_scale) {
    int first_nonfinite = -1;
    if (before == 0 && pass == MPNO_PASS_BACKWARD) clear_chains(x);
    for (int s = 0; s < x->lowered.n_steps; s++) {
        if (x->lowered.steps[s].backward != (pass == MPNO_PASS_BACKWARD)) continue;
        const double start = x->seconds != NULL ? mpno_seconds() : 0;
        mpno_exec_run_step(x, s, before, batch, loss_scale);
        if (x->seconds != NULL) x->seconds[s] += mpno_seconds() - start;
        if (x->observer.look != NULL) show(x, s, batch);
        const int edge = take_nonfinite(x, s);
        if (first_nonfinite < 0) first_nonfinite = edge;
    }
    return first_nonfinite;
}

/* Scales that last are found by runs whose results are dropped, until they stay: each makes the
 * values behind one more layer right. One of the backward pass may have overwritten what it read,
 * which the forward pass then makes again. */
static void calibrate(mpno_exec *x, mpno_pass pass, int64_t batch, double loss_scale) {
    const mpno_observer observer = x->observer;
    bool changed = true;
    x->observer = (mpno_observer){0};
    for (int i = 0; changed && i < x->graph->n_layers; i++) {
        (void)run_pass(x, pass, 0, batch, loss_scale);
        changed = mpno_exec_renew_scales(x);
        if (pass == MPNO_PASS_BACKWARD) (void)run_pass(x, MPNO_PASS_FORWARD, 0, batch, loss_scale);
    }
    x->calibrated[pass] = true;
    x->observer = observer;
}

int mpno_exec_run(mpno_exec *x, mpno_pass pass, int64_t before, int64_t batch, double loss_scale) {
    mpno_exec_prepare_codecs(x, before, batch);
    if (before == 0 && x->scales != NULL) {
        if (!x->calibrated[pass]) calibrate(x, pass, batch, loss_scale);
        if (pass == MPNO_PASS_FORWARD) (void)mpno_exec_renew_scales(x);
    }
    return run_pass(x, pass, before, batch, loss_scale);
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
        const double all = mpno_exec_step_flops(x, s, -1);
        if (all > 0) seconds += x->seconds[s] * mpno_exec_step_flops(x, s, layer) / all;
    }
    return seconds;
}
