/* SPDX-License-Identifier: MIT
 * A running error bound, see running.h. Norms are f64 sums of non-negative numbers, in an order
 * that does not depend on threads, and enlarged by what they may be off by. */
#include "certify/running.h"

#include <math.h>
#include <string.h>

#include "certify/captured.h"
#include "certify/captured_transform.h"
#include "certify/savings.h"
#include "certify/spectral_norm.h"
#include "certify/upwards.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "number/format.h"

/* Every bound is a formula of fewer than 1e5 operations with non-negative numbers, and a norm is a
 * sum of at most PART numbers and then of parts: both are off by less than 1e6 u. */
/* 4 steps: a norm of 24 x 24 numbers at most 1.05 times too large, 1.001 times as measured. */
enum { PART = 4096, GRAM_STEPS = 4, CAPTURED_TRANSFORMS = 4 };

/* Which modes of a spectrum, or frequencies of columns, stand for their conjugates as well. */
typedef struct last_axis {
    bool known, real;
    int64_t keep;
} last_axis;

struct mpno_running {
    mpno_ctx *ctx;
    mpno_network *network;
    const mpno_model *model;
    const mpno_graph *graph;
    mpno_format format;
    mpno_bound *edges; /* owned: [n_edges] */
    last_axis *axes;   /* owned: [n_edges] */
    double **values;   /* owned: [n_edges], of vectors and sums; NULL: none */
    bool *made;        /* owned: [n_edges], blocks whose norms are known */
    double *captured;  /* owned: [n_edges], see captured.h; -1: not */
    mpno_saving *savings; /* owned: [n_nodes] */
    int n_transforms;     /* of this run that were captured or could have been */
    const mpno_fno_edges *given; /* borrowed: input, embedding, output */
    mpno_status status; /* of what the observer does */
};

/* -------- norms of tensors -------- */

typedef struct part_norm {
    double sum, most;
} part_norm;

typedef struct norm_job {
    const mpno_running *running;
    const mpno_kernels *kernels; /* of f64 */
    const char *data;
    int64_t values, part;  /* numbers; of a part */
    const last_axis *axis; /* NULL: all weigh 1 */
    int64_t row;           /* numbers of one frequency of the last axis that stand together */
    part_norm *parts;
} norm_job;

/* Of mode k, counted along the last axis first. */
static double weight_at(const last_axis *axis, int64_t k) {
    return axis->real && k % axis->keep > 0 ? 2 : 1; /* Nyquist too: graph/bound.h */
}

static double weight_of(const norm_job *j, int64_t at) {
    if (j->axis == NULL) return 1;
    return weight_at(j->axis, at / j->row);
}

static void norm_part(void *argument, int64_t task, int thread) {
    enum { ROW = 256 };
    const norm_job *j = argument;
    const size_t element = mpno_format_bytes(j->running->format);
    const int64_t first = task * j->part,
                  end = first + j->part < j->values ? first + j->part : j->values;
    _Alignas(MPNO_ALIGN) double row[ROW];
    part_norm part = {0};
    (void)thread;
    for (int64_t i = first, n; i < end; i += n) {
        n = end - i < ROW ? end - i : ROW;
        if (j->axis != NULL && n > j->row - i % j->row) n = j->row - i % j->row; /* one weight */
        double sum = 0;
        j->kernels->load(row, j->data + (size_t)i * element, j->running->format, n);
        for (int64_t k = 0; k < n; k++) {
            sum += row[k] * row[k];
            part.most = fabs(row[k]) > part.most ? fabs(row[k]) : part.most;
        }
        part.sum += weight_of(j, i) * sum;
    }
    j->parts[task] = part;
}

/* The root of the weighted sum of squares over `divisor`, and the largest magnitude. */
static mpno_status norm_of(const mpno_running *r, norm_job *j, double divisor, mpno_bound *out) {
    const int64_t n_parts = (j->values + PART - 1) / PART;
    double sum = 0, most = 0;
    j->running = r;
    j->kernels = mpno_kernels_get(r->ctx->isa, MPNO_F64);
    j->part = PART;
    MPNO_TRY(mpno_alloc_array(r->ctx, (size_t)n_parts, sizeof *j->parts, &j->parts));
    mpno_parallel(r->ctx->n_threads, n_parts, norm_part, j);
    for (int64_t p = 0; p < n_parts; p++) {
        sum += j->parts[p].sum;
        most = j->parts[p].most > most ? j->parts[p].most : most;
    }
    mpno_free(r->ctx, j->parts);
    *out = (mpno_bound){.norm = MPNO_ENLARGED * sqrt(sum / divisor), .most = most};
    return MPNO_OK;
}

static mpno_status measure_edge(mpno_running *r, int edge, const void *data) {
    const mpno_edge *e = &r->graph->edges[edge];
    const mpno_grid *grid = &r->graph->grids[e->grid];
    norm_job j = {.data = data, .axis = r->axes[edge].known ? &r->axes[edge] : NULL};
    double divisor = 1;
    switch (e->kind) {
        case MPNO_EDGE_FIELD:
            j.values = grid->points * e->channels;
            divisor = (double)grid->points;
            break;
        case MPNO_EDGE_SPECTRUM: /* [modes][2][channels] of one sample */
            j.values = e->modes * 2 * e->channels;
            j.row = 2 * e->channels;
            break;
        case MPNO_EDGE_COLUMNS: { /* [lines][2][frequencies][channels] */
            const int64_t lines = grid->points / grid->size[grid->ndim - 1];
            j.values = lines * 2 * e->modes * e->channels;
            j.row = e->channels;
            divisor = (double)lines;
            break;
        }
        default:
            return MPNO_OK;
    }
    return norm_of(r, &j, divisor, &r->edges[edge]);
}

/* -------- weights -------- */

/* data: of the format of the network. */
static mpno_status measure_weight(mpno_running *r, int edge, const void *data) {
    const mpno_weight *w = &r->graph->weights[r->graph->edges[edge].param];
    const mpno_matrices matrices = {data, r->format, w->blocks, w->rows, w->cols, w->is_complex};
    const bool vector = w->blocks == 1 && w->rows == 1 && !w->is_complex;
    if (vector && r->values[edge] == NULL)
        MPNO_TRY(mpno_alloc_array(r->ctx, (size_t)w->cols, sizeof(double), &r->values[edge]));
    if (vector)
        mpno_kernels_get(r->ctx->isa, MPNO_F64)->load(r->values[edge], data, r->format, w->cols);
    return mpno_block_norms(r->ctx, &matrices, GRAM_STEPS, &r->edges[edge]);
}

/* -------- what a run shows -------- */

static mpno_status keep_sums(mpno_running *r, int edge, const double *data) {
    const size_t n = (size_t)r->graph->edges[edge].channels;
    double sum = 0;
    if (r->values[edge] == NULL)
        MPNO_TRY(mpno_alloc_array(r->ctx, n, sizeof(double), &r->values[edge]));
    memcpy(r->values[edge], data, n * sizeof(double));
    r->edges[edge] = (mpno_bound){0};
    for (size_t i = 0; i < n; i++) {
        sum += data[i] * data[i];
        r->edges[edge].most = fmax(r->edges[edge].most, fabs(data[i]));
    }
    r->edges[edge].norm = MPNO_ENLARGED * sqrt(sum);
    return MPNO_OK;
}

static const double *data_of(const mpno_running *r, int edge) {
    if (edge < 0) return NULL;
    if (r->graph->edges[edge].kind == MPNO_EDGE_PARAM)
        return mpno_model_raw(r->model, r->graph->edges[edge].param).data;
    return mpno_exec_data(mpno_network_exec(r->network), edge);
}

static mpno_status capture_contract(mpno_running *r, const mpno_node *node, const double *y) {
    const mpno_edge *x = &r->graph->edges[node->in[0]], *out = &r->graph->edges[node->out[0]];
    const last_axis *axis = &r->axes[node->out[0]];
    double *weights = NULL;
    mpno_captured_modes m = {.modes = x->modes,
                             .inputs = x->channels,
                             .outputs = out->channels,
                             .blocks = node->attr.mode_rows,
                             .x = data_of(r, node->in[0]),
                             .w = data_of(r, node->in[1]),
                             .y = y};
    MPNO_TRY(mpno_alloc_array(r->ctx, (size_t)m.modes, sizeof *weights, &weights));
    for (int64_t k = 0; k < m.modes; k++) weights[k] = axis->known ? weight_at(axis, k) : 1;
    m.weights = weights;
    const mpno_status status = mpno_captured_contract(r->ctx, &m, &r->captured[node->out[0]]);
    mpno_free(r->ctx, weights);
    return status;
}

/* Only of the first blocks: errors grow from block to block, so that later ones hardly count. */
static mpno_status capture_transform(mpno_running *r, const mpno_node *node, const double *y) {
    const bool inverse = node->op == &mpno_op_fft_inverse;
    const mpno_fft_problem *problem = mpno_fft_get_problem(node->attr.fft);
    const double scale = node->attr.scale * (inverse ? 1 : (double)mpno_fft_points(node->attr.fft));
    const mpno_fft_weighting weighting = inverse ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN;
    if (problem->kind != MPNO_FFT_REAL || node->attr.weighting != weighting ||
        fabs(scale - 1) > 1e-15 || r->n_transforms++ >= CAPTURED_TRANSFORMS)
        return MPNO_OK;
    const double *x = data_of(r, node->in[0]);
    return mpno_captured_transform(r->ctx, problem, inverse, r->graph->edges[node->in[0]].channels,
                                   inverse ? y : x, inverse ? x : y, &r->captured[node->out[0]]);
}

/* Operands lie in memory until the step that read them is over. */
static mpno_status capture(mpno_running *r, int edge, const double *y) {
    const int producer = r->graph->edges[edge].producer;
    if (producer < 0 || r->format != MPNO_F64) return MPNO_OK;
    const mpno_node *node = &r->graph->nodes[producer];
    if (node->op == &mpno_op_contract) return capture_contract(r, node, y);
    if (node->op == &mpno_op_fft_forward || node->op == &mpno_op_fft_inverse)
        return capture_transform(r, node, y);
    if (node->op == &mpno_op_gelu)
        r->captured[edge] =
            mpno_captured_gelu(mpno_graph_grid(r->graph, edge)->points,
                               r->graph->edges[edge].channels, data_of(r, node->in[0]), y);
    if (node->op != &mpno_op_linear) return MPNO_OK;
    const mpno_weight *w = &r->graph->weights[r->graph->edges[node->in[1]].param];
    return mpno_captured_linear(r->ctx, mpno_graph_grid(r->graph, edge)->points, w->cols, w->rows,
                                data_of(r, node->in[0]), data_of(r, node->in[1]),
                                data_of(r, node->in[2]), y, &r->captured[edge]);
}

static void look(void *user, const mpno_sight *sight) {
    mpno_running *r = user;
    const int edge = sight->edge;
    const void *data = sight->data;
    if (r->status != MPNO_OK || edge >= r->graph->n_edges) return;
    if (r->graph->edges[edge].kind == MPNO_EDGE_SUMS) {
        r->status = keep_sums(r, edge, data);
    } else if (r->graph->edges[edge].kind != MPNO_EDGE_BLOCKS) {
        r->status = measure_edge(r, edge, data);
        if (r->status == MPNO_OK) r->status = capture(r, edge, data);
    } else if (!r->made[edge]) { /* the same in every run */
        r->status = measure_weight(r, edge, data);
        r->made[edge] = true;
    }
}

/* -------- preparation -------- */

static void know_axis(last_axis *axis, const mpno_attr *attr) {
    if (attr->columns != NULL) {
        const mpno_columns *c = attr->columns;
        *axis = (last_axis){true, true, c->keep};
    } else if (attr->fft != NULL) {
        const mpno_fft_problem *p = mpno_fft_get_problem(attr->fft);
        *axis = (last_axis){true, p->kind == MPNO_FFT_REAL, p->keep[p->ndim - 1]};
    }
}

static bool has_modes(const mpno_graph *graph, int edge) {
    return edge >= 0 && (graph->edges[edge].kind == MPNO_EDGE_SPECTRUM ||
                         graph->edges[edge].kind == MPNO_EDGE_COLUMNS);
}

/* Transforms know their last axis; other ops but take_modes leave the modes as they are. Modes that
 * were taken twice are known to nobody and weigh 1 all, as those of complex data. */
static void find_axes(mpno_running *r) {
    const mpno_graph *g = r->graph;
    for (int n = 0; n < g->n_nodes; n++)
        for (int i = 0; i < 2; i++) {
            const int edge = i == 0 ? g->nodes[n].in[0] : g->nodes[n].out[0];
            if (has_modes(g, edge)) know_axis(&r->axes[edge], &g->nodes[n].attr);
        }
    for (int i = 0; i < 2 * g->n_nodes; i++) {
        const bool back = i >= g->n_nodes;
        const mpno_node *node = &g->nodes[back ? 2 * g->n_nodes - 1 - i : i];
        const int from = back ? node->out[0] : node->in[0], to = back ? node->in[0] : node->out[0];
        if (node->op == &mpno_op_take_modes || !has_modes(g, from) || !has_modes(g, to)) continue;
        if (r->axes[from].known && !r->axes[to].known) r->axes[to] = r->axes[from];
    }
}

static mpno_status check_ops(const mpno_running *r) {
    for (int n = 0; n < r->graph->n_nodes; n++) {
        const mpno_node *node = &r->graph->nodes[n];
        MPNO_CHECK(r->ctx, node->op->bound != NULL, MPNO_E_ARGUMENT,
                   "%s: no error bound is known of the operation %s, so that no answer of this "
                   "network can be certified",
                   r->graph->layers[node->layer], node->op->name);
    }
    return MPNO_OK;
}

static mpno_status measure_weights(mpno_running *r) {
    for (int e = 0; e < r->graph->n_edges; e++) {
        if (r->graph->edges[e].kind != MPNO_EDGE_PARAM) continue;
        MPNO_TRY(measure_weight(r, e, mpno_model_raw(r->model, r->graph->edges[e].param).data));
    }
    return MPNO_OK;
}

static mpno_status prepare(mpno_running *r) {
    const size_t n = (size_t)r->graph->n_edges;
    MPNO_TRY(check_ops(r));
    MPNO_TRY(mpno_alloc_array(r->ctx, n, sizeof *r->edges, &r->edges));
    MPNO_TRY(mpno_alloc_array(r->ctx, n, sizeof *r->axes, &r->axes));
    MPNO_TRY(mpno_alloc_array(r->ctx, n, sizeof *r->values, &r->values));
    MPNO_TRY(mpno_alloc_array(r->ctx, n, sizeof *r->made, &r->made));
    MPNO_TRY(mpno_alloc_array(r->ctx, n, sizeof *r->captured, &r->captured));
    MPNO_TRY(mpno_alloc_array(r->ctx, (size_t)r->graph->n_nodes, sizeof *r->savings, &r->savings));
    find_axes(r);
    MPNO_TRY(measure_weights(r));
    return mpno_savings_find(r->graph, r->model, r->edges, r->savings);
}

mpno_status mpno_running_create(mpno_network *network, const mpno_model *model,
                                mpno_running **out) {
    const mpno_graph *graph = mpno_network_graph(network);
    mpno_running *r;
    *out = NULL;
    MPNO_TRY(mpno_alloc(graph->ctx, sizeof *r, &r));
    *r = (mpno_running){.ctx = graph->ctx,
                        .network = network,
                        .model = model,
                        .graph = graph,
                        .format = mpno_model_arithmetic(model),
                        .given = mpno_network_edges(network)};
    const mpno_status status = prepare(r);
    if (status != MPNO_OK) {
        mpno_running_destroy(&r);
        return status;
    }
    *out = r;
    return MPNO_OK;
}

void mpno_running_destroy(mpno_running **running) {
    if (running == NULL || *running == NULL) return;
    mpno_running *r = *running;
    for (int e = 0; r->values != NULL && e < r->graph->n_edges; e++)
        mpno_free(r->ctx, r->values[e]);
    mpno_free(r->ctx, r->values);
    mpno_free(r->ctx, r->edges);
    mpno_free(r->ctx, r->axes);
    mpno_free(r->ctx, r->made);
    mpno_free(r->ctx, r->captured);
    mpno_free(r->ctx, r->savings);
    mpno_free(r->ctx, r);
    *running = NULL;
}

/* -------- a run -------- */

static mpno_status bound_node(mpno_running *r, int index) {
    const mpno_node *node = &r->graph->nodes[index];
    mpno_bound_call call = {.graph = r->graph,
                            .node = node,
                            .arithmetic = r->format,
                            .unit = mpno_format_unit(r->format),
                            .eta = r->format == MPNO_F32 ? 0x1p-150 : 0x1p-1074,
                            .captured = r->captured[node->out[0]],
                            .out = r->edges[node->out[0]]};
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0) continue;
        call.in[i] = r->edges[node->in[i]];
        call.values[i] = r->values[node->in[i]];
    }
    const mpno_saving *saving = &r->savings[index];
    const double saved = saving->edge >= 0 ? saving->less * r->edges[saving->edge].error : 0;
    const double error = MPNO_ENLARGED * (node->op->bound(&call) - saved);
    MPNO_CHECK(r->ctx, isfinite(error), MPNO_E_NUMERIC,
               "%s: no finite bound of the error of %s is found", r->graph->layers[node->layer],
               r->graph->edges[node->out[0]].name);
    r->edges[node->out[0]].error = error;
    return MPNO_OK;
}

mpno_status mpno_running_run(mpno_running *r, const void *x, const void *embedding,
                             double input_error, void *y) {
    const mpno_observer observer = {look, r};
    r->status = MPNO_OK;
    r->n_transforms = 0;
    for (int e = 0; e < r->graph->n_edges; e++) r->captured[e] = -1;
    if (embedding != NULL) mpno_network_set_embedding(r->network, embedding);
    mpno_network_observe(r->network, &observer);
    mpno_status status = mpno_network_forward(r->network, 1, x, y);
    mpno_network_observe(r->network, NULL);
    MPNO_TRY(status);
    MPNO_TRY(r->status);
    MPNO_TRY(measure_edge(r, r->given->input, x));
    r->edges[r->given->input].error = input_error;
    if (r->given->embedding >= 0) MPNO_TRY(measure_edge(r, r->given->embedding, embedding));
    MPNO_TRY(measure_edge(r, r->given->output, y));
    for (int n = 0; n < r->graph->n_nodes; n++) MPNO_TRY(bound_node(r, n));
    return MPNO_OK;
}

const mpno_bound *mpno_running_edge(const mpno_running *r, int edge) {
    return &r->edges[edge];
}

const mpno_bound *mpno_running_layer(const mpno_running *r, int layer) {
    for (int n = r->graph->n_nodes - 1; n >= 0; n--)
        if (r->graph->nodes[n].layer == layer) return &r->edges[r->graph->nodes[n].out[0]];
    return NULL;
}

const mpno_bound *mpno_running_output(const mpno_running *r) {
    return &r->edges[r->given->output];
}
