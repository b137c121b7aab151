/* SPDX-License-Identifier: MIT
 * Columns and spectra that are made again in the backward pass, see repeat.h: where they take more
 * than a quarter of the field that they stand for. Below it, to keep them costs less than to make
 * them: columns 1.5 ms against 4.5 MiB of 32 a block in ns128-m16. What columns are made from, at
 * most half of their bytes, is kept instead; a contracted spectrum is made again where its operand
 * is kept anyway, for the gradient of the weights (8.25 MiB of 32 a block in ns128-m64, for 1 % of
 * the step).
 * Of fields that caches hold nothing is made again: their columns are little memory, and a
 * twentieth of the time of a step of darcy16. Weights made from factors are made again where whoever
 * built the graph says so (attr.again).
 *   Layers: the output of some layers is kept, and from there the steps of the forward pass are run
 * again, each cut down to what makes the tensor that is wanted. While a run of layers is made
 * again and then differentiated, the outputs that earlier layers keep are in memory beside it, so
 * the runs grow shorter: of `run` layers from the input on, then, after a layer whose output is
 * kept, of `run` - 1, and so on. The bits are those of the first time: the same operations on the
 * same operands. Spectra of fields are kept: the transforms before them are not run again. */
#include "graph/repeat.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"

/* Where layers are made again, what takes less than this part of a field is kept all the same. */
static const double small = 1 / 16.0;

/* Bytes of a field in f32, for all samples, up to which it is small. */
enum { SMALL_FIELD = 4 << 20 };

static bool of_small_field(const mpno_graph *g, const mpno_lower_opts *opts, int edge) {
    const mpno_edge *e = &g->edges[edge];
    const int64_t count = g->grids[e->grid].points * e->channels;
    return opts->batch > 0 && opts->batch * count * (int64_t)sizeof(float) <= SMALL_FIELD;
}

/* Bytes of an edge over those of the field that it stands for, in the same format. */
static double share_of_field(const mpno_graph *g, int edge) {
    const mpno_edge *e = &g->edges[edge];
    return (double)mpno_edge_bytes(g, edge, MPNO_F32, 1) /
           (double)(g->grids[e->grid].points * e->channels * 4);
}

/* The operand of a node that is this edge, -1: none. */
static int operand_of(const mpno_graph *g, int node, int edge) {
    for (int i = 0; node >= 0 && i < g->nodes[node].n_in; i++)
        if (g->nodes[node].in[i] == edge) return i;
    return -1;
}

static bool uses(const mpno_graph *g, const mpno_step *step, int edge) {
    if (step->whole >= 0) return operand_of(g, step->whole, edge) >= 0;
    for (int i = 0; i < step->n_instrs; i++)
        if (operand_of(g, step->instrs[i].node, edge) >= 0) return true;
    return false;
}

/* Whether steps of the backward pass read this edge. */
static bool kept(const mpno_graph *g, const mpno_lowered *lowered, int edge) {
    for (int s = 0; s < lowered->n_steps; s++)
        if (lowered->steps[s].backward && uses(g, &lowered->steps[s], edge)) return true;
    return false;
}

static bool worth_it(const mpno_graph *g, const mpno_lower_opts *opts, const mpno_lowered *lowered,
                     const mpno_node *node) {
    if (node->op->class != MPNO_OP_WHOLE || !node->op->cheap || node->backward) return false;
    const mpno_edge *out = &g->edges[node->out[0]];
    if (out->kind == MPNO_EDGE_BLOCKS) return node->attr.again;
    if (g->edges[node->in[0]].kind != MPNO_EDGE_SPECTRUM) return false;
    const mpno_format format = mpno_edge_storage(g, node->out[0], opts->policy).format;
    const size_t bytes = mpno_edge_bytes(g, node->out[0], format, 1),
                 from = mpno_edge_bytes(g, node->in[0], format, 1);
    if (share_of_field(g, node->out[0]) <= (opts->run > 0 ? small : 0.25)) return false;
    if (of_small_field(g, opts, node->out[0])) return false;
    if (out->kind == MPNO_EDGE_COLUMNS) return 2 * from <= bytes;
    return out->kind == MPNO_EDGE_SPECTRUM && kept(g, lowered, node->in[0]);
}

/* Lets node *node take `again` for `edge` where it takes that. */
static mpno_status retake(mpno_graph *g, int *node, int edge, int again) {
    for (int i = operand_of(g, *node, edge); i >= 0; i = operand_of(g, *node, edge))
        MPNO_TRY(mpno_graph_retake(g, *node, i, again, node));
    return MPNO_OK;
}

/* A node like n, whose result is another edge. */
static mpno_status add_again(mpno_graph *g, mpno_lowered *lowered, int n, const int *in,
                             int *again) {
    const mpno_node node = g->nodes[n];
    const mpno_edge like = g->edges[node.out[0]];
    char name[sizeof like.name];
    snprintf(name, sizeof name, "%.32s again", like.name);
    g->layer = like.layer;
    MPNO_TRY(mpno_graph_add(g, node.op, node.n_in, in, &node.attr, like.role, name, again));
    lowered->stored[*again] = true;
    return MPNO_OK;
}

static void insert_step(mpno_lowered *lowered, int at, const mpno_step *step) {
    memmove(&lowered->steps[at + 1], &lowered->steps[at],
            (size_t)(lowered->n_steps - at) * sizeof *lowered->steps);
    lowered->steps[at] = *step;
    lowered->n_steps++;
}

static mpno_status repeat(mpno_graph *g, mpno_lowered *lowered, int n, int first) {
    const mpno_node node = g->nodes[n];
    int again;
    MPNO_TRY(add_again(g, lowered, n, node.in, &again));
    insert_step(lowered, first, &(mpno_step){.whole = g->n_nodes - 1, .backward = true});
    for (int s = first + 1; s < lowered->n_steps; s++) {
        mpno_step *step = &lowered->steps[s];
        if (!step->backward) continue;
        if (step->whole >= 0) MPNO_TRY(retake(g, &step->whole, node.out[0], again));
        for (int i = 0; i < step->n_instrs; i++)
            MPNO_TRY(retake(g, &step->instrs[i].node, node.out[0], again));
    }
    return MPNO_OK;
}

mpno_status mpno_repeat_columns(mpno_graph *graph, const mpno_lower_opts *opts,
                                mpno_lowered *lowered) {
    const int n_nodes = graph->n_forward_nodes;
    for (int n = n_nodes - 1; n >= 0; n--) { /* what is made again reads what is made again */
        const int edge = graph->nodes[n].out[0];
        if (!worth_it(graph, opts, lowered, &graph->nodes[n])) continue;
        int first = 0;
        while (first < lowered->n_steps &&
               !(lowered->steps[first].backward && uses(graph, &lowered->steps[first], edge)))
            first++;
        if (first < lowered->n_steps) MPNO_TRY(repeat(graph, lowered, n, first));
    }
    return MPNO_OK;
}

/* ---- layers ---- */

typedef struct remaking {
    mpno_graph *graph;
    mpno_lowered *lowered;
    int n_edges; /* before the pass */
    int *maker;  /* per edge: the step of the forward pass that stores it, -1: none */
    bool *read;  /* per edge: by the backward pass, where it is stored */
    bool *drop;  /* per edge: is not kept for the backward pass */
    int *again;  /* per edge: what stands for it once it has been made again, -1 */
    bool *value; /* per edge: of a program that is being cut down */
    int at;      /* the step of the backward pass at hand */
} remaking;

static void find_makers(remaking *r) {
    for (int e = 0; e < r->n_edges; e++) r->maker[e] = r->again[e] = -1;
    for (int s = 0; s < r->lowered->n_steps && !r->lowered->steps[s].backward; s++) {
        const mpno_step *step = &r->lowered->steps[s];
        for (int i = 0; i < mpno_step_length(step); i++) {
            const mpno_node *node = mpno_step_node(r->graph, step, i);
            if (node == NULL && step->instrs[i].kind == MPNO_INSTR_STORE)
                r->maker[step->instrs[i].edge] = s;
            for (int k = 0; node != NULL && node->op->class != MPNO_OP_TILE && k < node->n_out; k++)
                r->maker[node->out[k]] = s;
        }
    }
}

static void find_read(remaking *r) {
    for (int s = 0; s < r->lowered->n_steps; s++) {
        const mpno_step *step = &r->lowered->steps[s];
        const mpno_node *node = step->whole >= 0 ? &r->graph->nodes[step->whole] : NULL;
        for (int i = 0; step->backward && node != NULL && i < node->n_in; i++)
            if (node->in[i] >= 0) r->read[node->in[i]] = true;
        for (int i = 0; step->backward && i < step->n_instrs; i++)
            if (step->instrs[i].kind == MPNO_INSTR_LOAD) r->read[step->instrs[i].source] = true;
    }
}

static bool is_output(const remaking *r, int edge) {
    return r->graph->edges[edge].kind == MPNO_EDGE_FIELD && r->maker[edge] >= 0 && r->read[edge];
}

/* Which layers keep their output, by the rule above; gives the last of them, -1: none. */
static int choose_layers(const remaking *r, int run, bool keeps[MPNO_MAX_LAYERS]) {
    bool has_output[MPNO_MAX_LAYERS] = {false};
    int last = -1;
    for (int e = 0; e < r->n_edges; e++)
        if (is_output(r, e)) has_output[r->graph->edges[e].layer] = true;
    for (int layer = 0, left = run; layer < r->graph->n_layers; layer++) {
        if (!has_output[layer]) continue;
        if (left-- > 0) continue;
        keeps[layer] = true;
        last = layer;
        left = run > 0 ? --run : 0;
    }
    return last;
}

/* What is made from a spectrum, and takes more than a little. */
static bool follows_spectrum(const mpno_graph *g, int edge) {
    const mpno_edge *e = &g->edges[edge];
    if (e->kind != MPNO_EDGE_SPECTRUM && e->kind != MPNO_EDGE_COLUMNS) return false;
    const int from = g->nodes[e->producer].in[0];
    return g->edges[from].kind == MPNO_EDGE_SPECTRUM && share_of_field(g, edge) > small;
}

/* Behind the last layer that keeps its output the backward pass begins: nothing is dropped there.
 */
static void choose_edges(remaking *r, int run) {
    const mpno_graph *g = r->graph;
    bool keeps[MPNO_MAX_LAYERS] = {false};
    const int last = choose_layers(r, run, keeps);
    for (int e = 0; e < r->n_edges; e++) {
        const mpno_edge *edge = &g->edges[e];
        if (r->maker[e] < 0 || edge->layer > last) continue;
        if (edge->kind == MPNO_EDGE_FIELD)
            r->drop[e] = !(keeps[edge->layer] && is_output(r, e));
        else
            r->drop[e] = follows_spectrum(g, e);
    }
}

static mpno_status provide_step(remaking *r, mpno_step *step);

/* Of a program of the forward pass what makes the results of node n, without that node. */
static mpno_status cut_down(remaking *r, const mpno_step *from, int n, mpno_step *step) {
    const mpno_graph *g = r->graph;
    *step = (mpno_step){.whole = -1, .grid = from->grid, .backward = true};
    MPNO_TRY(
        mpno_alloc_array(g->ctx, (size_t)from->n_instrs + 2, sizeof(mpno_instr), &step->instrs));
    memset(r->value, 0, (size_t)r->n_edges * sizeof *r->value);
    for (int i = from->n_instrs - 1; i >= 0; i--) {
        const mpno_instr *instr = &from->instrs[i];
        const mpno_node *node = mpno_step_node(g, from, i);
        bool wanted = instr->node == n || (instr->kind == MPNO_INSTR_LOAD && r->value[instr->edge]);
        for (int k = 0; node != NULL && k < node->n_out; k++) wanted |= r->value[node->out[k]];
        if (!wanted) continue;
        for (int k = 0; node != NULL && k < node->n_in; k++)
            if (node->in[k] >= 0) r->value[node->in[k]] = true;
        if (instr->node != n) step->instrs[step->n_instrs++] = *instr;
    }
    for (int i = 0, j = step->n_instrs - 1; i < j; i++, j--) {
        const mpno_instr swapped = step->instrs[i];
        step->instrs[i] = step->instrs[j];
        step->instrs[j] = swapped;
    }
    return MPNO_OK;
}

/* Inserts before the step at hand those that make `edge` again. */
static mpno_status make_again(remaking *r, int edge) {
    mpno_graph *g = r->graph;
    const int n = g->edges[edge].producer;
    mpno_step step = {.whole = n, .backward = true};
    if (g->nodes[n].op->class != MPNO_OP_WHOLE)
        MPNO_TRY(cut_down(r, &r->lowered->steps[r->maker[edge]], n, &step));
    /* Node n, which reads what stands for its operands, as the last instruction. */
    if (step.whole < 0) step.instrs[step.n_instrs++] = (mpno_instr){MPNO_INSTR_OP, n, -1, -1};
    mpno_status status = provide_step(r, &step);
    int *last = step.whole >= 0 ? &step.whole : &step.instrs[step.n_instrs - 1].node;
    int in[MPNO_OP_MAX_IN];
    if (status == MPNO_OK) {
        memcpy(in, g->nodes[*last].in, sizeof in);
        status = add_again(g, r->lowered, n, in, &r->again[edge]);
    }
    if (status != MPNO_OK) {
        mpno_free(g->ctx, step.instrs);
        return status;
    }
    *last = g->n_nodes - 1;
    if (g->nodes[n].op->class == MPNO_OP_TILE)
        step.instrs[step.n_instrs++] = (mpno_instr){MPNO_INSTR_STORE, -1, r->again[edge], -1};
    insert_step(r->lowered, r->at++, &step);
    return MPNO_OK;
}

/* Lets *edge be what stands for it. */
static mpno_status provide(remaking *r, int *edge) {
    if (*edge < 0 || *edge >= r->n_edges || !r->drop[*edge]) return MPNO_OK;
    if (r->again[*edge] < 0) MPNO_TRY(make_again(r, *edge));
    *edge = r->again[*edge];
    return MPNO_OK;
}

/* The operands that a node reads where they are stored. */
static mpno_status provide_node(remaking *r, int *node) {
    for (int i = 0; i < r->graph->nodes[*node].n_in; i++) {
        const mpno_node *n = &r->graph->nodes[*node];
        int edge = n->in[i];
        if (edge < 0) continue;
        if (n->op->class != MPNO_OP_WHOLE && r->graph->edges[edge].kind == MPNO_EDGE_FIELD)
            continue;
        MPNO_TRY(provide(r, &edge));
        if (edge != r->graph->nodes[*node].in[i])
            MPNO_TRY(mpno_graph_retake(r->graph, *node, i, edge, node));
    }
    return MPNO_OK;
}

static mpno_status provide_step(remaking *r, mpno_step *step) {
    if (step->whole >= 0) return provide_node(r, &step->whole);
    for (int i = 0; i < step->n_instrs; i++) {
        if (step->instrs[i].kind == MPNO_INSTR_LOAD) MPNO_TRY(provide(r, &step->instrs[i].source));
        if (step->instrs[i].kind == MPNO_INSTR_OP) MPNO_TRY(provide_node(r, &step->instrs[i].node));
    }
    return MPNO_OK;
}

static mpno_status remake(remaking *r, int run) {
    find_makers(r);
    find_read(r);
    choose_edges(r, run);
    for (r->at = 0; r->at < r->lowered->n_steps; r->at++) {
        mpno_step step = r->lowered->steps[r->at]; /* a copy: steps are inserted before it */
        if (!step.backward) continue;
        MPNO_TRY(provide_step(r, &step));
        r->lowered->steps[r->at] = step;
    }
    return MPNO_OK;
}

mpno_status mpno_repeat_layers(mpno_graph *graph, const mpno_lower_opts *opts,
                               mpno_lowered *lowered) {
    mpno_ctx *ctx = graph->ctx;
    remaking r = {.graph = graph, .lowered = lowered, .n_edges = graph->n_edges};
    const size_t n = (size_t)graph->n_edges;
    mpno_status status = mpno_alloc_array(ctx, n, sizeof *r.maker, &r.maker);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, n, sizeof *r.read, &r.read);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, n, sizeof *r.drop, &r.drop);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, n, sizeof *r.again, &r.again);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, n, sizeof *r.value, &r.value);
    if (status == MPNO_OK) status = remake(&r, opts->run);
    mpno_free(ctx, r.maker);
    mpno_free(ctx, r.read);
    mpno_free(ctx, r.drop);
    mpno_free(ctx, r.again);
    mpno_free(ctx, r.value);
    return status;
}
