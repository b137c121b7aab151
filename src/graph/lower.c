/* SPDX-License-Identifier: MIT
 * The lowering pass, see lower.h for its rules. */
#include "graph/lower.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "graph/repeat.h"

/* A tile program while it is being collected: ops in the order of their computation; loads and
 * stores are added at the end. */
typedef struct program {
    bool backward;
    bool *local;      /* per edge: is a value of this program */
    mpno_instr *list; /* LOAD and OP */
    int n;
    bool *store; /* per edge: stored by this program */
} program;

typedef struct pass {
    mpno_graph *graph;
    const mpno_lower_opts *opts;
    int n_edges, n_nodes; /* before the pass; capacity of the per-edge arrays is twice n_edges */
    bool *needed;         /* per node */
    int *stage;           /* per node */
    bool *requested;      /* per edge: must be stored */
    bool *stored;         /* per edge */
    int *home;            /* per edge: program that computes it, -1 */
    int *clone;           /* per edge: repeated whole op's output, -1 */
    int *program_at;      /* per stage and grid: its program, -1 */
    bool *emitted;        /* per node: computed by some program */
    bool *leaf, *cone;    /* per edge, per node: result of trace */
    program *programs;
    int n_programs;
    mpno_step *steps; /* whole == -1: n_instrs holds the program's index until the end */
    int n_steps;
} pass;

static bool is_field(const mpno_graph *g, int edge) {
    return edge >= 0 && g->edges[edge].kind == MPNO_EDGE_FIELD;
}

/* Where a tile program that runs tile op or reduction n works. */
static int grid_of(const pass *p, int n) {
    const mpno_node *node = &p->graph->nodes[n];
    const int field = node->op->class == MPNO_OP_TILE ? node->out[0] : node->in[0];
    return p->graph->edges[field].grid;
}

static int *program_at(const pass *p, int stage, int grid) {
    return &p->program_at[stage * p->graph->n_grids + grid];
}

static void mark_needed(pass *p, int edge) {
    const int node = p->graph->edges[edge].producer;
    if (node < 0 || p->needed[node]) return;
    p->needed[node] = true;
    for (int i = 0; i < p->graph->nodes[node].n_in; i++)
        if (p->graph->nodes[node].in[i] >= 0) mark_needed(p, p->graph->nodes[node].in[i]);
}

/* What takes weights alone could be made at once for all layers; it is made just before its first
 * use. */
static void delay(pass *p, int n) {
    const mpno_graph *g = p->graph;
    const mpno_node *node = &g->nodes[n];
    int first = -1;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] < 0 || g->edges[node->in[i]].kind != MPNO_EDGE_PARAM) return;
    for (int m = n + 1; m < p->n_nodes; m++)
        for (int i = 0; i < g->nodes[m].n_in; i++)
            if (g->nodes[m].in[i] == node->out[0] && (first < 0 || p->stage[m] < first))
                first = p->stage[m];
    if (first > 0) p->stage[n] = first - 1;
}

/* Program or whole-op round in which a node runs; what a reduction or a whole op gives is there one
 * round later. */
static void assign_stages(pass *p) {
    const mpno_graph *g = p->graph;
    for (int n = 0; n < p->n_nodes; n++) {
        int stage = 0;
        for (int i = 0; i < g->nodes[n].n_in; i++) {
            const int producer = g->nodes[n].in[i] < 0 ? -1 : g->edges[g->nodes[n].in[i]].producer;
            if (producer < 0) continue;
            const bool late = p->opts->unfused || g->nodes[producer].op->class != MPNO_OP_TILE;
            const int ready = p->stage[producer] + (late ? 1 : 0);
            if (ready > stage) stage = ready;
        }
        p->stage[n] = stage;
    }
    for (int n = 0; n < p->n_nodes; n++) delay(p, n);
}

static bool cheap_cone(const pass *p, int edge) {
    const mpno_graph *g = p->graph;
    if (!is_field(g, edge) || p->stored[edge]) return true;
    const int producer = g->edges[edge].producer;
    if (producer < 0) return true;
    const mpno_node *node = &g->nodes[producer];
    if (!node->op->cheap || node->op->class != MPNO_OP_TILE) return false;
    for (int i = 0; i < node->n_in; i++)
        if (!cheap_cone(p, node->in[i])) return false;
    return true;
}

/* Rule 2: the value to store so that `edge` can be had later by cheap one-operand ops. */
static int cut_before(const pass *p, int edge) {
    const mpno_graph *g = p->graph;
    for (;;) {
        const mpno_node *node = &g->nodes[g->edges[edge].producer];
        int operand = -1, fields = 0;
        for (int i = 0; i < node->n_in; i++)
            if (is_field(g, node->in[i])) operand = node->in[i], fields++;
        if (!node->op->cheap || fields != 1 || p->home[operand] < 0 || p->stored[operand] ||
            g->edges[operand].channels > g->edges[edge].channels)
            return edge;
        edge = operand;
    }
}

/* Rule 3: the output of a forward whole op that backward repeats rather than keeps. Gives the edge
 * to read. */
static mpno_status stored_source(pass *p, const program *prog, int edge, int *source) {
    mpno_graph *g = p->graph;
    const int producer = g->edges[edge].producer;
    *source = edge;
    if (!prog->backward || producer < 0 || p->opts->unfused) return MPNO_OK;
    const mpno_node node = g->nodes[producer];
    if (node.backward || node.op->class != MPNO_OP_WHOLE || !node.op->cheap || !is_field(g, edge))
        return MPNO_OK;
    if (p->clone[edge] < 0) {
        const mpno_format in_format = mpno_edge_storage(g, node.in[0], p->opts->policy).format,
                          out_format = mpno_edge_storage(g, edge, p->opts->policy).format;
        if (2 * mpno_edge_bytes(g, node.in[0], in_format, 1) >
            mpno_edge_bytes(g, edge, out_format, 1))
            return MPNO_OK;
        const mpno_edge like = g->edges[edge];
        char name[sizeof like.name];
        snprintf(name, sizeof name, "%.32s again", like.name);
        g->layer = like.layer;
        MPNO_TRY(mpno_graph_add(g, node.op, node.n_in, node.in, &node.attr, like.role, name,
                                &p->clone[edge]));
        p->stored[p->clone[edge]] = true;
        p->home[p->clone[edge]] = p->clone[p->clone[edge]] = -1;
        p->steps[p->n_steps++] = (mpno_step){.whole = g->n_nodes - 1, .backward = true};
    }
    *source = p->clone[edge];
    return MPNO_OK;
}

static void emit(pass *p, program *prog, mpno_instr instr) {
    prog->list[prog->n++] = instr;
    if (instr.kind == MPNO_INSTR_OP) p->emitted[instr.node] = true;
}

static mpno_status load(pass *p, program *prog, int edge) {
    int source;
    MPNO_TRY(stored_source(p, prog, edge, &source));
    emit(p, prog,
         (mpno_instr){.kind = MPNO_INSTR_LOAD, .edge = edge, .source = source, .node = -1});
    prog->local[edge] = true;
    return MPNO_OK;
}

/* Rule 3: whether the program may run the node again although it takes matrix products. */
static bool repeats(const pass *p, const program *prog, const mpno_node *node) {
    return prog->backward && !node->backward && !p->opts->keep_products;
}

/* Marks the stored fields (`leaf`) from which program `index` would make `edge`, and the nodes it
 * would run (`cone`). Fields that would first have to be stored count as if they were. */
static void trace(pass *p, int index, int edge) {
    const mpno_graph *g = p->graph;
    const program *prog = &p->programs[index];
    if (!is_field(g, edge) || prog->local[edge] || g->edges[edge].producer < 0) return;
    const int producer = g->edges[edge].producer;
    const mpno_node *node = &g->nodes[producer];
    if (p->stored[edge]) {
        p->leaf[edge] = true;
        return;
    }
    if (p->home[edge] >= 0 && !repeats(p, prog, node) && !cheap_cone(p, edge)) {
        p->leaf[cut_before(p, edge)] = true;
        return;
    }
    p->cone[producer] = true;
    for (int i = 0; i < node->n_in; i++) trace(p, index, node->in[i]);
}

static void trace_anew(pass *p, int index, int edge) {
    memset(p->leaf, 0, 2 * (size_t)p->n_edges * sizeof *p->leaf);
    memset(p->cone, 0, (size_t)p->n_nodes * sizeof *p->cone);
    trace(p, index, edge);
}

/* Whether `edge`, or what programs made of it by cheap ops without storing it, is still to be used
 * outside the cone. */
static bool used_elsewhere(const pass *p, int edge) {
    const mpno_graph *g = p->graph;
    for (int n = 0; n < p->n_nodes; n++) {
        const mpno_node *node = &g->nodes[n];
        if (!p->needed[n] || p->cone[n]) continue;
        for (int i = 0; i < node->n_in; i++) {
            if (node->in[i] != edge) continue;
            if (!p->emitted[n]) return true;
            if (node->op->class == MPNO_OP_TILE && node->op->cheap && !p->stored[node->out[0]] &&
                used_elsewhere(p, node->out[0]))
                return true;
        }
    }
    return false;
}

/* All that `edge` takes are values of program `index`. */
static bool computable_in(const pass *p, int index, int edge) {
    const mpno_graph *g = p->graph;
    if (!is_field(g, edge) || p->programs[index].local[edge]) return true;
    const int producer = g->edges[edge].producer;
    if (producer < 0 || g->nodes[producer].op->class != MPNO_OP_TILE || p->home[edge] >= 0)
        return false;
    for (int i = 0; i < g->nodes[producer].n_in; i++)
        if (!computable_in(p, index, g->nodes[producer].in[i])) return false;
    return true;
}

/* Rule 4: the earlier program in which `edge`, so far computed nowhere, had better be computed and
 * stored, because to make it later would keep two other fields or more; -1: none. */
static int better_home(pass *p, int index, int edge) {
    const int producer = p->graph->edges[edge].producer;
    if (p->opts->unfused || p->graph->nodes[producer].op->class != MPNO_OP_TILE) return -1;
    const int home = *program_at(p, p->stage[producer], p->graph->edges[edge].grid);
    if (home < 0 || home == index || !computable_in(p, home, edge)) return -1;
    trace_anew(p, index, edge);
    int kept = 0;
    for (int e = 0; e < p->n_edges; e++) kept += p->leaf[e] && !used_elsewhere(p, e);
    return kept >= 2 ? home : -1;
}

/* What making a value again may take before it had better be written and read once more, in
 * operations: GELU and its gradient are more, either alone is less. */
enum { WORTH_STORING = 40 };

/* Rule 5: whether a gradient that program `index` could make again by cheap ops is stored where it
 * was made first: when that saves work and the value can take the place of one that only it needs.
 */
static bool better_stored(pass *p, int index, int edge) {
    const mpno_graph *g = p->graph;
    const mpno_policy *policy = p->opts->policy;
    const size_t bytes = mpno_edge_bytes(g, edge, mpno_edge_storage(g, edge, policy).format, 1);
    if (p->opts->unfused || !g->nodes[g->edges[edge].producer].backward) return false;
    trace_anew(p, index, edge);
    double flops = 0;
    for (int n = 0; n < p->n_nodes; n++)
        if (p->cone[n]) flops += g->nodes[n].op->flops;
    for (int e = 0; e < p->n_edges && flops >= WORTH_STORING; e++)
        if (p->leaf[e] && !p->requested[e] && g->edges[e].grid == g->edges[edge].grid &&
            mpno_edge_bytes(g, e, mpno_edge_storage(g, e, policy).format, 1) >= bytes &&
            !used_elsewhere(p, e))
            return true;
    return false;
}

/* Makes `edge` a value of the program: loads it, recomputes it, or has it stored where it was first
 * computed. */
static mpno_status need(pass *p, int index, int edge) {
    program *prog = &p->programs[index];
    const mpno_graph *g = p->graph;
    if (!is_field(g, edge) || prog->local[edge]) return MPNO_OK;
    const int producer = g->edges[edge].producer;
    if (producer < 0 || p->stored[edge]) {
        if (p->home[edge] != index) return load(p, prog, edge);
    }
    const mpno_node node = g->nodes[producer];
    if (p->home[edge] >= 0 && p->home[edge] != index) {
        if (!repeats(p, prog, &node) && !cheap_cone(p, edge)) {
            const int cut = cut_before(p, edge);
            p->stored[cut] = true;
            p->programs[p->home[cut]].store[cut] = true;
            if (cut == edge) return load(p, prog, edge);
        } else if (better_stored(p, index, edge)) {
            p->stored[edge] = p->programs[p->home[edge]].store[edge] = true;
            return load(p, prog, edge);
        }
    }
    const int earlier = p->home[edge] < 0 ? better_home(p, index, edge) : -1;
    if (earlier >= 0) {
        MPNO_TRY(need(p, earlier, edge));
        p->stored[edge] = p->programs[earlier].store[edge] = true;
        return load(p, prog, edge);
    }
    for (int i = 0; i < node.n_in; i++) MPNO_TRY(need(p, index, node.in[i]));
    emit(p, prog, (mpno_instr){.kind = MPNO_INSTR_OP, .node = producer, .edge = -1, .source = -1});
    for (int i = 0; i < node.n_out; i++) {
        prog->local[node.out[i]] = true;
        if (p->home[node.out[i]] < 0) p->home[node.out[i]] = index;
    }
    return MPNO_OK;
}

/* A tile op whose output must be stored, or a reduction. */
static bool is_root(const pass *p, int n) {
    const mpno_node *node = &p->graph->nodes[n];
    if (node->op->class == MPNO_OP_REDUCE) return true;
    return node->op->class == MPNO_OP_TILE && (p->opts->unfused || p->requested[node->out[0]]);
}

static mpno_status add_root(pass *p, int index, int n) {
    const mpno_node node = p->graph->nodes[n];
    program *prog = &p->programs[index];
    prog->backward |= node.backward;
    if (node.op->class == MPNO_OP_TILE) {
        MPNO_TRY(need(p, index, node.out[0]));
        p->stored[node.out[0]] = true;
        /* A requested value of an earlier program is stored there: it is a value of that one too.
         */
        const int home = p->home[node.out[0]];
        p->programs[home].store[node.out[0]] = true;
        return MPNO_OK;
    }
    for (int i = 0; i < node.n_in; i++) MPNO_TRY(need(p, index, node.in[i]));
    emit(p, prog, (mpno_instr){.kind = MPNO_INSTR_OP, .node = n, .edge = -1, .source = -1});
    for (int i = 0; i < node.n_out; i++) p->stored[node.out[i]] = true;
    return MPNO_OK;
}

static mpno_status open_program(pass *p, int *index) {
    mpno_ctx *ctx = p->graph->ctx;
    program *prog = &p->programs[ *index = p->n_programs];
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)p->n_edges, sizeof(bool), &prog->local));
    p->n_programs++; /* from here on owned by the pass */
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)p->n_edges, sizeof(bool), &prog->store));
    return mpno_alloc_array(ctx, 2 * (size_t)(p->n_nodes + p->n_edges), sizeof(mpno_instr),
                            &prog->list);
}

static void close_program(pass *p, int index, int grid) {
    p->steps[p->n_steps++] = (mpno_step){
        .whole = -1, .grid = grid, .backward = p->programs[index].backward, .n_instrs = index};
}

/* The program (unfused: the programs) of the stage's tile ops on one grid. */
static mpno_status run_programs(pass *p, int stage, int grid) {
    int index = -1;
    for (int n = 0; n < p->n_nodes; n++) {
        if (!p->needed[n] || p->stage[n] != stage || !is_root(p, n) || grid_of(p, n) != grid)
            continue;
        if (index < 0) MPNO_TRY(open_program(p, &index));
        *program_at(p, stage, grid) = index;
        MPNO_TRY(add_root(p, index, n));
        if (!p->opts->unfused) continue;
        close_program(p, index, grid);
        index = -1;
    }
    if (index >= 0) close_program(p, index, grid);
    return MPNO_OK;
}

static mpno_status run_stage(pass *p, int stage) {
    for (int grid = 0; grid < p->graph->n_grids; grid++) MPNO_TRY(run_programs(p, stage, grid));
    for (int n = 0; n < p->n_nodes; n++) {
        const mpno_node *node = &p->graph->nodes[n];
        if (!p->needed[n] || p->stage[n] != stage || node->op->class != MPNO_OP_WHOLE) continue;
        for (int i = 0; i < node->n_out; i++) p->stored[node->out[i]] = true;
        p->steps[p->n_steps++] = (mpno_step){.whole = n, .backward = node->backward};
        p->emitted[n] = true;
    }
    return MPNO_OK;
}

static mpno_status run_pass(pass *p) {
    const mpno_graph *g = p->graph;
    for (int i = 0; i < p->opts->n_requested; i++) {
        mark_needed(p, p->opts->requested[i]);
        p->requested[p->opts->requested[i]] = true;
    }
    for (int n = 0; n < p->n_nodes; n++)
        for (int i = 0;
             p->needed[n] && g->nodes[n].op->class == MPNO_OP_WHOLE && i < g->nodes[n].n_in; i++)
            if (is_field(g, g->nodes[n].in[i])) p->requested[g->nodes[n].in[i]] = true;
    for (int e = 0; e < p->n_edges; e++) p->home[e] = p->clone[e] = -1;
    for (int i = 0; i < p->n_nodes * g->n_grids; i++)
        p->program_at[i] = -1; /* stages are fewer than nodes */
    assign_stages(p);
    int last = 0;
    for (int n = 0; n < p->n_nodes; n++)
        if (p->needed[n] && p->stage[n] > last) last = p->stage[n];
    for (int stage = 0; stage <= last; stage++) MPNO_TRY(run_stage(p, stage));
    return MPNO_OK;
}

/* Turns a collected program into its final instruction list: a store follows the op that computes
 * the value. */
static mpno_status finish_program(pass *p, mpno_step *step) {
    const program *prog = &p->programs[step->n_instrs];
    step->n_instrs = 0;
    MPNO_TRY(mpno_alloc_array(p->graph->ctx, 2 * (size_t)prog->n + 1, sizeof(mpno_instr),
                              &step->instrs));
    for (int i = 0; i < prog->n; i++) {
        step->instrs[step->n_instrs++] = prog->list[i];
        if (prog->list[i].kind != MPNO_INSTR_OP) continue;
        const mpno_node *node = &p->graph->nodes[prog->list[i].node];
        if (node->op->class == MPNO_OP_TILE && prog->store[node->out[0]])
            step->instrs[step->n_instrs++] = (mpno_instr){
                .kind = MPNO_INSTR_STORE, .edge = node->out[0], .node = -1, .source = -1};
    }
    return MPNO_OK;
}

static mpno_status allocate(pass *p) {
    mpno_ctx *ctx = p->graph->ctx;
    const size_t edges = 3 * (size_t)p->n_edges, nodes = (size_t)p->n_nodes;
    MPNO_TRY(mpno_alloc_array(ctx, nodes, sizeof(bool), &p->needed));
    MPNO_TRY(mpno_alloc_array(ctx, nodes, sizeof(int), &p->stage));
    MPNO_TRY(mpno_alloc_array(ctx, edges, sizeof(bool), &p->requested));
    MPNO_TRY(mpno_alloc_array(ctx, edges, sizeof(bool), &p->stored));
    MPNO_TRY(mpno_alloc_array(ctx, edges, sizeof(int), &p->home));
    MPNO_TRY(mpno_alloc_array(ctx, edges, sizeof(int), &p->clone));
    MPNO_TRY(mpno_alloc_array(ctx, nodes * (size_t)p->graph->n_grids, sizeof(int), &p->program_at));
    MPNO_TRY(mpno_alloc_array(ctx, nodes, sizeof(bool), &p->emitted));
    MPNO_TRY(mpno_alloc_array(ctx, edges, sizeof(bool), &p->leaf));
    MPNO_TRY(mpno_alloc_array(ctx, nodes, sizeof(bool), &p->cone));
    MPNO_TRY(mpno_alloc_array(ctx, nodes, sizeof(program), &p->programs));
    return mpno_alloc_array(ctx, 2 * nodes + edges, sizeof(mpno_step), &p->steps);
}

static void release(pass *p) {
    mpno_ctx *ctx = p->graph->ctx;
    for (int i = 0; i < p->n_programs; i++) {
        mpno_free(ctx, p->programs[i].local);
        mpno_free(ctx, p->programs[i].store);
        mpno_free(ctx, p->programs[i].list);
    }
    mpno_free(ctx, p->programs);
    mpno_free(ctx, p->needed);
    mpno_free(ctx, p->stage);
    mpno_free(ctx, p->requested);
    mpno_free(ctx, p->home);
    mpno_free(ctx, p->clone);
    mpno_free(ctx, p->program_at);
    mpno_free(ctx, p->emitted);
    mpno_free(ctx, p->leaf);
    mpno_free(ctx, p->cone);
}

mpno_status mpno_lower(mpno_graph *graph, const mpno_lower_opts *opts, mpno_lowered *out) {
    pass p = {.graph = graph, .opts = opts, .n_edges = graph->n_edges, .n_nodes = graph->n_nodes};
    *out = (mpno_lowered){0};
    graph->backward = true; /* nodes that the pass adds repeat forward ops in the backward pass */
    mpno_status status = allocate(&p);
    if (status == MPNO_OK) status = run_pass(&p);
    for (int s = 0; s < p.n_steps && status == MPNO_OK; s++)
        if (p.steps[s].whole < 0) status = finish_program(&p, &p.steps[s]);
    release(&p);
    *out = (mpno_lowered){p.steps, p.n_steps, p.stored, graph->n_edges};
    if (status == MPNO_OK && !opts->unfused && !opts->keep_products) {
        status = mpno_repeat_columns(graph, opts, out);
        if (status == MPNO_OK && opts->run > 0) status = mpno_repeat_layers(graph, opts, out);
        out->n_edges = graph->n_edges;
    }
    if (status != MPNO_OK) mpno_lowered_destroy(graph->ctx, out);
    return status;
}

void mpno_lowered_destroy(mpno_ctx *ctx, mpno_lowered *lowered) {
    for (int s = 0; s < lowered->n_steps; s++) mpno_free(ctx, lowered->steps[s].instrs);
    mpno_free(ctx, lowered->steps);
    mpno_free(ctx, lowered->stored);
    *lowered = (mpno_lowered){0};
}
