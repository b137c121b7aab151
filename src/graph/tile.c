/* SPDX-License-Identifier: MIT
 * Compilation of a program step into buffers and indices, see tile.h; tile_run.c executes it. */
#include "graph/tile.h"

#include "core/memory.h"
#include "graph/place.h"

typedef struct compiler {
    const mpno_graph *graph;
    const mpno_step *step;
    const mpno_policy *policy;
    mpno_tile_program *program;
    size_t element;
    int *value_of_edge;      /* -1: not a value of this program */
    int *last_use;           /* of an edge's value: index of the instruction */
    mpno_place_item *places; /* of the values; time is the index of the instruction */
} compiler;

int64_t mpno_tile_rows(int64_t line) {
    const int64_t parts = (line + MPNO_TILE_ROWS - 1) / MPNO_TILE_ROWS;
    return parts == 1 ? MPNO_TILE_ROWS / line * line : (line + parts - 1) / parts;
}

mpno_tiling mpno_tiling_of(const mpno_grid *grid) {
    mpno_tiling t = {.points = grid->points,
                     .line = grid->size[grid->ndim - 1] * (grid->planes > 1 ? grid->planes : 1)};
    t.rows = mpno_tile_rows(t.line);
    /* complex fields: both rows of a point stay together */
    if (grid->planes > 1 && t.rows % 2 != 0) t.rows++;
    const int64_t unit = t.line <= MPNO_TILE_ROWS ? t.rows : t.line;
    t.chunk = unit < MPNO_CHUNK_ROWS ? MPNO_CHUNK_ROWS / unit * unit : unit;
    t.chunks = (t.points + t.chunk - 1) / t.chunk;
    return t;
}

static int add_value(compiler *c, int edge, int time) {
    mpno_tile_program *p = c->program;
    const int index = p->n_values++;
    const int64_t channels = c->graph->edges[edge].channels;
    p->values[index] = (mpno_tile_value){.channels = channels};
    c->places[index] = (mpno_place_item){
        .bytes = (size_t)(MPNO_TILE_ROWS * channels) * c->element, .first = time, .last = time};
    c->value_of_edge[edge] = index;
    return index;
}

static int use_value(compiler *c, int edge, int time) {
    const int index = c->value_of_edge[edge];
    c->places[index].last = time;
    return index;
}

/* The value of an elementwise op's result: that of an operand which is not needed any more, so that
 * less has to stay in the cache, or a new one. What was loaded may be read where it is stored. */
static int result_value(compiler *c, const mpno_node *node, int edge, int time) {
    for (int i = 0; node->op->elementwise && i < node->n_in; i++) {
        const int operand = node->in[i];
        if (operand < 0 || c->graph->edges[operand].kind != MPNO_EDGE_FIELD) continue;
        const int value = c->value_of_edge[operand];
        if (c->last_use[operand] != time || c->program->values[value].loaded ||
            c->program->values[value].channels != c->graph->edges[edge].channels)
            continue;
        return c->value_of_edge[edge] = value;
    }
    return add_value(c, edge, time);
}

/* Room for the weight as it is used, and before it for each form on the way there. */
static size_t pack_bytes(const compiler *c, const mpno_tile_pack *pack) {
    const mpno_weight *w = &c->graph->weights[c->graph->edges[pack->edge].param];
    const size_t plain = mpno_aligned(mpno_weight_count(w) * c->element);
    const int64_t rows = pack->transposed ? w->cols : w->rows,
                  cols = pack->transposed ? w->rows : w->cols;
    const size_t packed = pack->bf16 ? mpno_bf16_packed_bytes(cols, rows)
                                     : mpno_packed_count(cols, rows) * c->element;
    return plain * (pack->transposed ? 2 : 1) + (pack->packed ? mpno_aligned(packed) : 0);
}

/* Operand i of an op. */
static int use_pack(compiler *c, const mpno_node *node, int i, bool bf16) {
    mpno_tile_program *p = c->program;
    mpno_tile_pack pack = {.edge = node->in[i],
                           .transposed = (node->op->transposed >> i & 1) != 0,
                           .packed = (node->op->packed >> i & 1) != 0,
                           .offset = p->pack_bytes};
    pack.bf16 = bf16 && pack.packed;
    for (int k = 0; k < p->n_packs; k++) {
        const mpno_tile_pack *q = &p->packs[k];
        if (q->edge == pack.edge && q->transposed == pack.transposed && q->packed == pack.packed &&
            q->bf16 == pack.bf16)
            return k;
    }
    pack.bytes = pack_bytes(c, &pack);
    p->pack_bytes += pack.bytes;
    p->packs[p->n_packs] = pack;
    return p->n_packs++;
}

static int add_partial(compiler *c, int edge, bool f64) {
    mpno_tile_program *p = c->program;
    const mpno_edge *e = &c->graph->edges[edge];
    const bool per_sample = e->kind == MPNO_EDGE_SUMS;
    const int64_t count =
        per_sample ? e->channels : (int64_t)mpno_weight_count(&c->graph->weights[e->param]);
    p->partials[p->n_partials] = (mpno_tile_partial){edge, f64, per_sample, count, p->chunk_bytes};
    p->chunk_bytes += mpno_aligned((size_t)count * (f64 ? sizeof(double) : c->element));
    return p->n_partials++;
}

/* Scratch that stays from tile to tile: a value that is in use throughout. */
static int add_room(compiler *c, size_t bytes) {
    const int index = c->program->n_values++;
    c->places[index] = (mpno_place_item){.bytes = bytes, .first = 0, .last = c->step->n_instrs - 1};
    return index;
}

static void compile_op(compiler *c, const mpno_instr *instr, int time, mpno_tile_op *op) {
    const mpno_node *node = &c->graph->nodes[instr->node];
    op->bf16 = mpno_node_computes_bf16(c->graph, node, c->policy);
    for (int i = 0; i < MPNO_OP_MAX_IN; i++) {
        const int edge = node->in[i];
        op->in[i] = -1;
        if (edge < 0) continue;
        switch (c->graph->edges[edge].kind) {
            case MPNO_EDGE_FIELD:
                op->in[i] = use_value(c, edge, time);
                break;
            case MPNO_EDGE_PARAM:
                /* Gradient ops name the weight for its shape only, as their last operand. */
                if (node->op->class == MPNO_OP_TILE) op->in[i] = use_pack(c, node, i, op->bf16);
                break;
            default:
                op->in[i] = edge;
                break;
        }
    }
    for (int i = 0; i < node->n_out; i++) {
        const int edge = node->out[i];
        op->out[i] = node->op->class == MPNO_OP_TILE ? result_value(c, node, edge, time)
                     : c->graph->edges[edge].kind == MPNO_EDGE_COLUMNS
                         ? edge
                         : add_partial(c, edge, node->op->f64_sums);
    }
    op->room = -1;
    if (node->op->scratch == NULL) return;
    const size_t bytes =
        mpno_aligned(node->op->scratch(c->graph, node, MPNO_TILE_ROWS, c->element, 1));
    if (node->op->keeps_scratch != NULL && node->op->keeps_scratch(node))
        op->room = add_room(c, bytes);
    else if (bytes > c->program->op_scratch_bytes)
        c->program->op_scratch_bytes = bytes;
}

static void find_last_uses(compiler *c) {
    for (int i = 0; i < c->step->n_instrs; i++) {
        const mpno_instr *instr = &c->step->instrs[i];
        if (instr->kind == MPNO_INSTR_STORE) c->last_use[instr->edge] = i;
        if (instr->kind != MPNO_INSTR_OP) continue;
        const mpno_node *node = &c->graph->nodes[instr->node];
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0) c->last_use[node->in[k]] = i;
    }
}

static mpno_status compile(compiler *c) {
    mpno_tile_program *p = c->program;
    for (int e = 0; e < c->graph->n_edges; e++) c->value_of_edge[e] = -1;
    find_last_uses(c);
    for (int i = 0; i < c->step->n_instrs; i++) {
        const mpno_instr *instr = &c->step->instrs[i];
        mpno_tile_op *op = &p->ops[p->n_ops++];
        *op = (mpno_tile_op){
            .kind = instr->kind, .node = instr->node, .edge = instr->edge, .source = instr->source};
        switch (instr->kind) {
            case MPNO_INSTR_LOAD:
                op->out[0] = add_value(c, instr->edge, i);
                p->values[op->out[0]].loaded = true;
                break;
            case MPNO_INSTR_STORE:
                op->in[0] = use_value(c, instr->edge, i);
                break;
            case MPNO_INSTR_OP:
                compile_op(c, instr, i, op);
                break;
        }
    }
    size_t lower_bound;
    MPNO_TRY(mpno_place(p->ctx, c->places, p->n_values, &p->value_bytes, &lower_bound));
    for (int v = 0; v < p->n_values; v++) p->values[v].offset = c->places[v].offset;
    return MPNO_OK;
}

mpno_status mpno_tile_compile(const mpno_graph *graph, const mpno_step *step,
                              const mpno_policy *policy, mpno_tile_program *out) {
    mpno_ctx *ctx = graph->ctx;
    const size_t n = (size_t)step->n_instrs, out_n = n * (MPNO_OP_MAX_OUT + 1),
                 in_n = n * MPNO_OP_MAX_IN;
    *out = (mpno_tile_program){.ctx = ctx, .tiling = mpno_tiling_of(&graph->grids[step->grid])};
    compiler c = {.graph = graph,
                  .step = step,
                  .policy = policy,
                  .program = out,
                  .element = mpno_format_bytes(policy->base)};
    mpno_status status = mpno_alloc_array(ctx, n, sizeof *out->ops, &out->ops);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, out_n, sizeof *out->values, &out->values);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, in_n, sizeof *out->packs, &out->packs);
    if (status == MPNO_OK)
        status = mpno_alloc_array(ctx, out_n, sizeof *out->partials, &out->partials);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, out_n, sizeof *c.places, &c.places);
    if (status == MPNO_OK)
        status = mpno_alloc_array(ctx, (size_t)graph->n_edges, sizeof(int), &c.value_of_edge);
    if (status == MPNO_OK)
        status = mpno_alloc_array(ctx, (size_t)graph->n_edges, sizeof(int), &c.last_use);
    if (status == MPNO_OK) status = compile(&c);
    mpno_free(ctx, c.places);
    mpno_free(ctx, c.value_of_edge);
    mpno_free(ctx, c.last_use);
    if (status != MPNO_OK) mpno_tile_destroy(out);
    return status;
}

void mpno_tile_destroy(mpno_tile_program *program) {
    mpno_free(program->ctx, program->ops);
    mpno_free(program->ctx, program->values);
    mpno_free(program->ctx, program->packs);
    mpno_free(program->ctx, program->partials);
    *program = (mpno_tile_program){0};
}

size_t mpno_tile_scratch_bytes(const mpno_tile_program *program, int64_t capacity, int n_threads) {
    return program->pack_bytes +
           program->chunk_bytes * (size_t)(capacity * program->tiling.chunks) +
           (size_t)n_threads * (program->value_bytes + program->op_scratch_bytes);
}
