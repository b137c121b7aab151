/* SPDX-License-Identifier: MIT
 * Building a graph, and the table of ops. */
#include "graph/graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

static const mpno_op *const all_ops[] = {
#define X(name) &mpno_op_##name,
#include "graph/ops.def"
#undef X
};

int mpno_op_count(void) {
    return (int)(sizeof all_ops / sizeof all_ops[0]);
}

const mpno_op *mpno_op_get(int index) {
    return all_ops[index];
}

mpno_status mpno_graph_create(mpno_ctx *ctx, const mpno_grid *grid, mpno_graph **out) {
    MPNO_TRY(mpno_alloc(ctx, sizeof(mpno_graph), out));
    (*out)->ctx = ctx;
    (*out)->grids[(*out)->n_grids++] = *grid;
    return MPNO_OK;
}

static bool same_grid(const mpno_grid *a, const mpno_grid *b) {
    bool same = a->ndim == b->ndim && a->points == b->points && a->planes == b->planes;
    for (int d = 0; same && d < a->ndim; d++) same = a->size[d] == b->size[d];
    return same;
}

mpno_status mpno_graph_add_grid(mpno_graph *graph, const mpno_grid *grid, int *index) {
    for (*index = 0; *index < graph->n_grids; ++*index)
        if (same_grid(&graph->grids[*index], grid)) return MPNO_OK;
    MPNO_CHECK(graph->ctx, graph->n_grids < MPNO_MAX_GRIDS, MPNO_E_ARGUMENT,
               "a network has at most %d different grids", MPNO_MAX_GRIDS);
    graph->grids[graph->n_grids++] = *grid;
    return MPNO_OK;
}

void mpno_graph_destroy(mpno_graph **graph) {
    if (graph == NULL || *graph == NULL) return;
    mpno_ctx *ctx = (*graph)->ctx;
    mpno_free(ctx, (*graph)->edges);
    mpno_free(ctx, (*graph)->nodes);
    mpno_free(ctx, (*graph)->weights);
    mpno_free(ctx, *graph);
    *graph = NULL;
}

/* Room for one more element; arrays grow by doubling from 32. */
static mpno_status grow(mpno_ctx *ctx, void *array, int count, size_t size) {
    if (count != 0 && (count < 32 || (count & (count - 1)) != 0)) return MPNO_OK;
    return mpno_realloc_array(ctx, array, (size_t)count, count == 0 ? 32 : 2 * (size_t)count, size);
}

static mpno_status add_edge(mpno_graph *graph, const mpno_edge *edge, int *out) {
    MPNO_TRY(grow(graph->ctx, &graph->edges, graph->n_edges, sizeof *graph->edges));
    graph->edges[graph->n_edges] = *edge;
    *out = graph->n_edges++;
    return MPNO_OK;
}

mpno_status mpno_graph_layer(mpno_graph *graph, const char *name) {
    MPNO_CHECK(graph->ctx, graph->n_layers < MPNO_MAX_LAYERS, MPNO_E_ARGUMENT,
               "a network has at most %d layers", MPNO_MAX_LAYERS);
    graph->layer = graph->n_layers++;
    snprintf(graph->layers[graph->layer], sizeof graph->layers[0], "%s", name);
    return MPNO_OK;
}

mpno_status mpno_graph_input(mpno_graph *graph, const char *name, int64_t channels, int *edge) {
    mpno_edge e = {.kind = MPNO_EDGE_FIELD,
                   .role = MPNO_ROLE_INPUT,
                   .layer = graph->layer,
                   .channels = channels,
                   .param = -1,
                   .producer = -1};
    snprintf(e.name, sizeof e.name, "%s", name);
    return add_edge(graph, &e, edge);
}

mpno_status mpno_graph_blocks(mpno_graph *graph, const mpno_weight *weight, int *index) {
    MPNO_TRY(grow(graph->ctx, &graph->weights, graph->n_weights, sizeof *graph->weights));
    *index = graph->n_weights++;
    graph->weights[*index] = *weight;
    return MPNO_OK;
}

mpno_status mpno_graph_param(mpno_graph *graph, const mpno_weight *weight, int *edge) {
    int param;
    MPNO_TRY(mpno_graph_blocks(graph, weight, &param));
    mpno_edge e = {.kind = MPNO_EDGE_PARAM,
                   .role = weight->role,
                   .layer = graph->layer,
                   .channels = weight->cols,
                   .param = param,
                   .producer = -1};
    snprintf(e.name, sizeof e.name, "weight %d", param);
    return add_edge(graph, &e, edge);
}

/* The grid of a node's first operand; tile ops take all their fields from it. */
static mpno_status grid_of_operands(mpno_graph *graph, const mpno_node *node, int *grid) {
    *grid = graph->edges[node->in[0]].grid;
    for (int i = 1; node->op->class != MPNO_OP_WHOLE && i < node->n_in; i++)
        MPNO_CHECK(graph->ctx,
                   node->in[i] < 0 || graph->edges[node->in[i]].kind != MPNO_EDGE_FIELD ||
                       graph->edges[node->in[i]].grid == *grid,
                   MPNO_E_SHAPE, "%s: %s and %s lie on different grids", node->op->name,
                   graph->edges[node->in[0]].name, graph->edges[node->in[i]].name);
    return MPNO_OK;
}

static mpno_status add_node(mpno_graph *graph, const mpno_op *op, int n_in, const int *in,
                            const mpno_attr *attr, const mpno_edge *like, int *out) {
    MPNO_TRY(grow(graph->ctx, &graph->nodes, graph->n_nodes, sizeof *graph->nodes));
    mpno_node node = {.op = op, .layer = like->layer, .backward = graph->backward, .n_in = n_in};
    if (attr != NULL) node.attr = *attr;
    for (int i = 0; i < MPNO_OP_MAX_IN; i++) node.in[i] = i < n_in ? in[i] : -1;
    mpno_edge made[MPNO_OP_MAX_OUT];
    int grid;
    MPNO_TRY(grid_of_operands(graph, &node, &grid));
    for (int i = 0; i < MPNO_OP_MAX_OUT; i++) {
        made[i] = *like;
        made[i].grid = grid;
        made[i].kind = (mpno_edge_kind)-1;
        made[i].param = -1;
        made[i].producer = graph->n_nodes;
    }
    MPNO_TRY(op->shape(graph, &node, made));
    for (int i = 0; i < MPNO_OP_MAX_OUT && made[i].kind != (mpno_edge_kind)-1; i++) {
        MPNO_TRY(add_edge(graph, &made[i], &node.out[i]));
        node.n_out++;
    }
    graph->nodes[graph->n_nodes++] = node;
    *out = node.out[0];
    return MPNO_OK;
}

mpno_status mpno_graph_add(mpno_graph *graph, const mpno_op *op, int n_in, const int *in,
                           const mpno_attr *attr, mpno_role role, const char *name, int *out) {
    mpno_edge like = {.role = role, .layer = graph->layer};
    snprintf(like.name, sizeof like.name, "%s", name);
    for (int i = 0; i < n_in; i++) /* a weight, and so its gradient, is of the layer that uses it */
        if (in[i] >= 0 && graph->edges[in[i]].kind == MPNO_EDGE_PARAM)
            graph->edges[in[i]].layer = graph->layer;
    return add_node(graph, op, n_in, in, attr, &like, out);
}

mpno_status mpno_graph_add_gradient(mpno_graph *graph, const mpno_op *op, int n_in, const int *in,
                                    const mpno_attr *attr, int of, int *out) {
    mpno_edge like = {
        .role = graph->edges[of].role, .gradient = true, .layer = graph->edges[of].layer};
    snprintf(like.name, sizeof like.name, "d(%.36s)", graph->edges[of].name);
    return add_node(graph, op, n_in, in, attr, &like, out);
}

bool mpno_node_computes_bf16(const mpno_graph *graph, const mpno_node *node,
                               const mpno_policy *policy) {
    if (mpno_policy_arithmetic(policy, node->op->name, node->layer).multiply != MPNO_BF16)
        return false;
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0 || graph->edges[node->in[i]].kind != MPNO_EDGE_PARAM) continue;
        const mpno_weight *w = &graph->weights[graph->edges[node->in[i]].param];
        return w->rows >= 16 && w->cols >= 16;
    }
    return true;
}

mpno_status mpno_graph_retake(mpno_graph *graph, int node, int i, int edge, int *copy) {
    MPNO_TRY(grow(graph->ctx, &graph->nodes, graph->n_nodes, sizeof *graph->nodes));
    mpno_node like = graph->nodes[node];
    like.in[i] = edge;
    graph->nodes[graph->n_nodes] = like;
    *copy = graph->n_nodes++;
    return MPNO_OK;
}

void mpno_graph_shorten(mpno_graph *graph, int n_nodes, int n_edges) {
    graph->n_nodes = n_nodes;
    graph->n_edges = n_edges;
}

mpno_storage mpno_edge_storage(const mpno_graph *graph, int edge, const mpno_policy *policy) {
    const mpno_edge *e = &graph->edges[edge];
    if (e->kind == MPNO_EDGE_SUMS) return (mpno_storage){.format = MPNO_F64};
    if (e->kind == MPNO_EDGE_PARAM_GRAD) return (mpno_storage){.format = policy->base};
    return mpno_policy_storage(policy, e->role, e->gradient, graph->layers[e->layer]);
}

void mpno_operand_load(const mpno_kernels *kernels, const mpno_operand *operand, void *dst,
                       const void *stored, int64_t n) {
    if (operand->codec == NULL) {
        kernels->load(dst, stored, operand->format, n);
    } else {
        mpno_codec_kernels_get(kernels->isa, kernels->arithmetic)
            ->load(operand->codec, dst, stored, n);
    }
}

int mpno_operand_store(const mpno_kernels *kernels, const mpno_operand *operand, void *stored,
                       const void *src, int64_t n) {
    if (operand->codec == NULL) return kernels->store(stored, operand->format, src, n);
    return mpno_codec_kernels_get(kernels->isa, kernels->arithmetic)
        ->store(operand->codec, stored, src, n);
}

size_t mpno_edge_bytes(const mpno_graph *graph, int edge, mpno_format format, int64_t batch) {
    const mpno_edge *e = &graph->edges[edge];
    const size_t element = mpno_format_bytes(format);
    switch (e->kind) {
        case MPNO_EDGE_FIELD:
            return (size_t)(batch * graph->grids[e->grid].points * e->channels) * element;
        case MPNO_EDGE_SPECTRUM:
            return (size_t)(e->modes * batch * 2 * e->channels) * element;
        case MPNO_EDGE_COLUMNS: {
            const mpno_grid *grid = &graph->grids[e->grid];
            const int64_t lines = grid->points / grid->size[grid->ndim - 1];
            return (size_t)(batch * lines * 2 * e->modes * e->channels) * element;
        }
        case MPNO_EDGE_SUMS:
            return (size_t)(batch * e->channels) * sizeof(double);
        case MPNO_EDGE_PARAM:
        case MPNO_EDGE_PARAM_GRAD:
        case MPNO_EDGE_BLOCKS:
            return mpno_weight_count(&graph->weights[e->param]) * element;
    }
    return 0;
}

mpno_status mpno_backward_of_function(mpno_graph *graph, int index, const mpno_op *op,
                                      const int *grad_out, const bool *wanted, int *grad_in) {
    const mpno_node node = graph->nodes[index];
    const int in[] = {grad_out[0], node.in[0]};
    if (!wanted[0]) return MPNO_OK;
    return mpno_graph_add_gradient(graph, op, 2, in, &node.attr, node.in[0], &grad_in[0]);
}

mpno_status mpno_shape_like_first(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *first = &graph->edges[node->in[0]];
    for (int i = 1; i < node->n_in; i++) {
        if (node->in[i] < 0) continue;
        const mpno_edge *other = &graph->edges[node->in[i]];
        if (other->kind != MPNO_EDGE_FIELD) continue;
        MPNO_CHECK(graph->ctx, other->channels == first->channels, MPNO_E_SHAPE,
                   "%s: operands have %lld and %lld channels; they must agree", node->op->name,
                   (long long)first->channels, (long long)other->channels);
    }
    out->kind = MPNO_EDGE_FIELD;
    out->channels = first->channels;
    return MPNO_OK;
}

/* Columns of attr.columns, on the grid of the node's first operand or, where that is a spectrum, on
 * attr.grid. */
mpno_status mpno_shape_columns(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    const mpno_edge *x = &graph->edges[node->in[0]];
    const mpno_columns *columns = node->attr.columns;
    out->kind = MPNO_EDGE_COLUMNS;
    out->role = MPNO_ROLE_COLUMNS;
    out->grid = x->kind == MPNO_EDGE_SPECTRUM ? node->attr.grid : x->grid;
    out->channels = x->channels;
    out->modes = columns->keep;
    const mpno_grid *grid = &graph->grids[out->grid];
    MPNO_CHECK(graph->ctx,
               grid->planes < 2 && grid->size[grid->ndim - 1] == columns->n &&
                   grid->points == columns->n * columns->lines,
               MPNO_E_SHAPE, "columns of %lld lines of %lld points do not fit the grid",
               (long long)columns->lines, (long long)columns->n);
    return MPNO_OK;
}

mpno_status mpno_shape_sample_sums(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    out->kind = MPNO_EDGE_SUMS;
    out->role = MPNO_ROLE_SUMS;
    out->channels = 2 * graph->edges[node->in[0]].channels;
    return MPNO_OK;
}

void mpno_shape_gradient_of(const mpno_graph *graph, int edge, mpno_edge *out) {
    const bool made = graph->edges[edge].kind == MPNO_EDGE_BLOCKS;
    out->kind = made ? MPNO_EDGE_BLOCKS : MPNO_EDGE_PARAM_GRAD;
    out->role = made ? MPNO_ROLE_WEIGHT_FACTOR : graph->edges[edge].role;
    out->layer = graph->edges[edge].layer;
    out->param = graph->edges[edge].param;
    out->channels = graph->weights[out->param].cols;
    snprintf(out->name, sizeof out->name, "d(%.36s)", graph->edges[edge].name);
}

mpno_status mpno_shape_weight_gradient(mpno_graph *graph, const mpno_node *node, mpno_edge *out) {
    mpno_shape_gradient_of(graph, node->in[node->n_in - 1], out);
    return MPNO_OK;
}

mpno_op_cost mpno_cost_elementwise(const mpno_graph *graph, const mpno_node *node, int64_t batch) {
    const double values = (double)(batch * mpno_graph_grid(graph, node->in[0])->points *
                                   graph->edges[node->in[0]].channels);
    const double each = node->op->flops > 0 ? node->op->flops : 1;
    return (mpno_op_cost){.flops = each * values, .useful = false};
}
