/* SPDX-License-Identifier: MIT
 * Tiny graphs for tests: leaves and weights with data of their own, built op by op and run by
 * mpno_exec, in f64 or (rig_create_as) in f32. Data are f64 in both: those of an f32 rig are
 * rounded when it runs. Functions assert rather than return a status. */
#ifndef TESTS_UNIT_GRAPH_RIG_H
#define TESTS_UNIT_GRAPH_RIG_H

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "graph/exec.h"
#include "graph/graph.h"
#include "graph/tile.h"

enum { RIG_WIDER = 1, RIG_COMPLEX = 2 }; /* grids besides the first */
/* The last has several terms, one-sided along axis 1, on a domain that is no unit cube. */
static const mpno_objective rig_objectives[] = {
    {.n_terms = 1, .term = {{MPNO_LOSS_L2, false, 1}}},
    {.n_terms = 1, .term = {{MPNO_LOSS_H1, false, 1}}},
    {.n_terms = 1, .term = {{MPNO_LOSS_MSE, false, 1}}},
    {.n_terms = 3,
     .term = {{MPNO_LOSS_H1, false, 0.5}, {MPNO_LOSS_L2, true, 2}, {MPNO_LOSS_MSE, false, 3}},
     .one_sided = {false, true},
     .measure = {2, 0.5}}};
enum { RIG_OBJECTIVES = sizeof rig_objectives / sizeof rig_objectives[0] };

static const struct {
    int ndim;
    int64_t size[3];
} rig_sizes[] = {{1, {9}}, {1, {150}}, {2, {5, 4}}, {2, {4, 7}}, {3, {3, 4, 5}}, {2, {70, 131}}};
/* The last one takes several chunks a sample; differences on it would be slow. */
enum { RIG_ALL_SIZES = sizeof rig_sizes / sizeof rig_sizes[0], RIG_SIZES = RIG_ALL_SIZES - 1 };

enum {
    RIG_EDGES = 128,
    RIG_INPUTS = 3, /* channels of x, the letter f below */
    RIG_RANK = 277  /* of factorised weights: more than one block of contract_low_rank */
};

/* What a rig computes with; complex data have no columns. rank: of factorised weights. */
typedef struct rig_kind {
    mpno_format arithmetic;
    bool is_complex;
    int64_t rank;
} rig_kind;

typedef struct rig {
    rig_kind as;
    mpno_ctx *ctx;
    mpno_graph *graph;
    mpno_exec *exec;
    mpno_fft *fft;
    mpno_columns *columns; /* the same in two parts */
    bool in_parts;         /* blocks use that one */
    int32_t *mode_rows;
    int64_t blocks; /* of spectral weights: two more than there are modes */
    bool one_block; /* all modes meet the same one */
    mpno_contraction contraction; /* of rebuild, made with its first operand */
    int64_t batch;
    mpno_attr attr;  /* given to every op, see rig_attr */
    int32_t *take;   /* of take_modes; after it, its other half `give` */
    double *maps[4]; /* of interpolate */
    mpno_lines lines;
    bool frozen[32]; /* weights without a gradient */
    mpno_rng rng;
    double *data[RIG_EDGES]; /* owned: leaves, weights and their gradients */
    float *narrow[RIG_EDGES]; /* owned: what an f32 rig is bound to */
} rig;

/* Context and policy of a test; gives, as cmocka's fixtures do, whether it failed. */
static inline int rig_open(mpno_ctx **ctx, mpno_policy *full) {
    mpno_ctx_opts opts = MPNO_CTX_OPTS_INIT;
    opts.isa = getenv("MPNO_ISA");
    opts.n_threads = 1;
    if (mpno_ctx_create(&opts, ctx) != MPNO_OK) return 1;
    return mpno_policy_make(*ctx, "full", MPNO_F64, MPNO_F16, full) != MPNO_OK;
}

static inline int rig_close(mpno_ctx **ctx) {
    const size_t left = mpno_ctx_bytes(*ctx);
    mpno_ctx_destroy(ctx);
    return left != 0;
}

/* A grid wider by one point in front and two behind, and one of complex fields; random maps from
 * the first grid to the wider one; and take_modes' tables: modes reversed, the first one unused,
 * zeros in the first two places. */
static inline void rig_grids(rig *r, const mpno_grid *grid) {
    mpno_grid wider = {.ndim = grid->ndim, .points = 1}, doubled = *grid;
    int index;
    r->lines.ndim = grid->ndim;
    for (int d = 0; d < grid->ndim; d++) {
        const int64_t n = r->lines.from[d] = grid->size[d];
        wider.points *= r->lines.to[d] = wider.size[d] = n + 3;
        r->maps[d] = malloc((size_t)(n * (n + 3)) * sizeof(double));
        assert_non_null(r->maps[d]);
        for (int64_t i = 0; i < n * (n + 3); i++) r->maps[d][i] = mpno_rng_normal(&r->rng) / 4;
        r->lines.matrix[d] = r->maps[d];
    }
    doubled.planes = 2, doubled.points *= 2;
    assert_int_equal(mpno_graph_add_grid(r->graph, &wider, &index), MPNO_OK);
    assert_int_equal(index, RIG_WIDER);
    assert_int_equal(mpno_graph_add_grid(r->graph, &doubled, &index), MPNO_OK);
    assert_int_equal(index, RIG_COMPLEX);
    const int64_t modes = mpno_fft_modes(r->fft);
    r->take = malloc((size_t)(2 * modes + 1) * sizeof *r->take);
    assert_non_null(r->take);
    for (int64_t k = 0; k <= modes; k++) r->take[k] = k < 2 ? -1 : (int32_t)(modes + 1 - k);
    for (int64_t k = 0; k < modes; k++)
        r->take[modes + 1 + k] = k < 1 ? -1 : (int32_t)(modes + 1 - k);
}

static inline void rig_create_as(rig *r, mpno_ctx *ctx, rig_kind as, int ndim, const int64_t *size,
                                 mpno_fft_weighting weighting) {
    mpno_grid grid = {.ndim = ndim, .points = 1};
    mpno_fft_problem problem = {.kind = as.is_complex ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL,
                                .arithmetic = as.arithmetic,
                                .ndim = ndim};
    for (int d = 0; d < ndim; d++) {
        const int64_t most = d + 1 == ndim && !as.is_complex ? size[d] / 2 + 1 : size[d];
        grid.size[d] = problem.size[d] = size[d];
        grid.points *= size[d];
        problem.keep[d] = most > 2 ? (most + 1) / 2 : most; /* pruned, but for tiny grids */
    }
    *r = (rig){.as = as,
               .ctx = ctx,
               .batch = 2,
               .rng = mpno_rng_make(5, MPNO_STREAM_TEST, (uint32_t)ndim)};
    assert_int_equal(mpno_graph_create(ctx, &grid, &r->graph), MPNO_OK);
    assert_int_equal(mpno_graph_layer(r->graph, "rig"), MPNO_OK);
    assert_int_equal(mpno_fft_create(ctx, &problem, &r->fft), MPNO_OK);
    if (!as.is_complex)
        assert_int_equal(mpno_columns_create(ctx, &problem, mpno_tile_rows(size[ndim - 1]), 0.7,
                                             weighting, &r->columns),
                         MPNO_OK);
    rig_grids(r, &grid);
    const int64_t modes = mpno_fft_modes(r->fft);
    r->blocks = modes + 2;
    assert_int_equal(mpno_alloc_array(ctx, (size_t)modes, sizeof(int32_t), &r->mode_rows), MPNO_OK);
    for (int64_t k = 0; k < modes; k++) r->mode_rows[k] = (int32_t)(modes - k); /* 1 .. modes */
    r->attr = (mpno_attr){.fft = r->fft,
                          .columns = r->columns,
                          .scale = 0.7,
                          .weighting = weighting,
                          .mode_rows = r->mode_rows,
                          .groups = RIG_INPUTS,
                          .eps = 1e-5,
                          .objective = &rig_objectives[0],
                          .channels = RIG_INPUTS,
                          .box = {{-1, 0, 0.5, 0}, {1, 2, 0.75, 1}},
                          .margin = {1, 1, 1, 1},
                          .width = 2 + size[0] % 2,
                          .rate = 0.3,
                          .squash = MPNO_SQUASH_SOFTSIGN,
                          .id = 7,
                          .take = r->take,
                          .give = r->take + modes + 1,
                          .n_modes = modes + 1,
                          .n_given = modes,
                          .lines = &r->lines};
}

static inline void rig_create(rig *r, mpno_ctx *ctx, int ndim, const int64_t *size,
                              mpno_fft_weighting weighting) {
    const rig_kind as = {.arithmetic = MPNO_F64, .rank = RIG_RANK};
    rig_create_as(r, ctx, as, ndim, size, weighting);
}

/* What op asks for beside what all are given; adjoint: of its adjoint. */
static inline mpno_attr rig_attr(const rig *r, const mpno_op *op, bool adjoint) {
    mpno_attr attr = r->attr;
    attr.adjoint = adjoint;
    attr.contraction = &r->contraction;
    if (r->one_block) attr.mode_rows = NULL;
    const bool wider = op == &mpno_op_pad || (op == &mpno_op_interpolate && !adjoint);
    attr.grid = wider ? RIG_WIDER : r->as.is_complex ? RIG_COMPLEX : 0;
    if (op == &mpno_op_take_modes && adjoint) {
        attr.take = r->attr.give, attr.give = r->attr.take;
        attr.n_modes = r->attr.n_given, attr.n_given = r->attr.n_modes;
    }
    return attr;
}

static inline void rig_destroy(rig *r) {
    mpno_exec_destroy(&r->exec);
    mpno_graph_destroy(&r->graph);
    mpno_fft_destroy(r->ctx, &r->fft);
    mpno_columns_destroy(r->ctx, &r->columns);
    mpno_free(r->ctx, r->mode_rows);
    free(r->take);
    for (int d = 0; d < 4; d++) free(r->maps[d]);
    for (int e = 0; e < RIG_EDGES; e++) free(r->data[e]), free(r->narrow[e]);
}

static inline size_t rig_count(const rig *r, int edge) {
    return mpno_edge_bytes(r->graph, edge, MPNO_F64, r->batch) / sizeof(double);
}

/* Sums are f64 whatever the arithmetic. */
static inline bool rig_is_narrow(const rig *r, int edge) {
    return r->as.arithmetic == MPNO_F32 && r->graph->edges[edge].kind != MPNO_EDGE_SUMS;
}

static inline void rig_random(rig *r, int edge) {
    for (size_t i = 0; i < rig_count(r, edge); i++)
        r->data[edge][i] = 0.6 * mpno_rng_normal(&r->rng);
}

static inline int rig_own(rig *r, int edge) {
    assert_true(edge < RIG_EDGES);
    /* 64-byte aligned as the graph's own tensors; sizes are rounded up for aligned_alloc. */
    r->data[edge] = aligned_alloc(64, (rig_count(r, edge) * sizeof(double) + 63) / 64 * 64);
    assert_non_null(r->data[edge]);
    if (rig_is_narrow(r, edge)) {
        free(r->narrow[edge]);
        r->narrow[edge] = aligned_alloc(64, (rig_count(r, edge) * sizeof(float) + 63) / 64 * 64);
        assert_non_null(r->narrow[edge]);
    }
    rig_random(r, edge);
    return edge;
}

/* A tensor given from outside. Only fields have such edges in a network: the others are dressed
 * up. */
static inline int rig_leaf(rig *r, mpno_edge_kind kind, int64_t channels) {
    int edge;
    assert_int_equal(mpno_graph_input(r->graph, "leaf", channels, &edge), MPNO_OK);
    r->graph->edges[edge].kind = kind;
    r->graph->edges[edge].modes =
        kind == MPNO_EDGE_COLUMNS ? r->columns->keep : mpno_fft_modes(r->fft);
    return rig_own(r, edge);
}

static inline int rig_weight(rig *r, int64_t blocks, int64_t rows, int64_t cols, bool is_complex) {
    const mpno_weight weight = {blocks, rows, cols, is_complex, MPNO_ROLE_WEIGHT_VECTOR};
    int edge;
    assert_int_equal(mpno_graph_param(r->graph, &weight, &edge), MPNO_OK);
    return rig_own(r, edge);
}

static inline int rig_on_grid(rig *r, int grid, int64_t channels) {
    const int edge = rig_leaf(r, MPNO_EDGE_FIELD, channels);
    free(r->data[edge]);
    r->graph->edges[edge].grid = grid;
    return rig_own(r, edge);
}

/* Z = sum over r of l[r] a[i][r] b[r][o] e[k][r]: how rebuild is to be tested. */
static inline void rig_contraction(rig *r, int64_t inputs, int64_t outputs) {
    enum { K, I, O, R };
    const mpno_contract_problem problem = {
        .n_operands = 4,
        .operand = {1u << R, 1u << I | 1u << R, 1u << R | 1u << O, 1u << K | 1u << R},
        .output = 1u << K | 1u << I | 1u << O,
        .size = {r->blocks, inputs, outputs, r->as.rank},
        .element_bytes = 2 * sizeof(double)};
    const mpno_contract_view views[] = {
        {.plane = r->as.rank, .stride = {[R] = 1}},
        {.plane = inputs * r->as.rank, .stride = {[I] = r->as.rank, [R] = 1}},
        {.plane = r->as.rank * outputs, .stride = {[R] = outputs, [O] = 1}},
        {.plane = r->blocks * r->as.rank, .stride = {[K] = r->as.rank, [R] = 1}},
        {.plane = inputs * outputs,
         .stride = {[K] = 2 * inputs * outputs, [I] = outputs, [O] = 1}}};
    const mpno_weight whole = {r->blocks, inputs, outputs, true, MPNO_ROLE_WEIGHT_SPECTRAL};
    mpno_contract_path path;
    assert_int_equal(mpno_contract_find(r->ctx, &problem, MPNO_CONTRACT_FLOPS, &path), MPNO_OK);
    assert_int_equal(mpno_contraction_make(r->ctx, &problem, &path, views, &r->contraction),
                     MPNO_OK);
    assert_int_equal(mpno_graph_blocks(r->graph, &whole, &r->attr.weight), MPNO_OK);
}

/* An operand by its letter. f, F: field of I, of O = I + dimensions channels. w: of I on the wider
 * grid. c: complex of I. s, S: spectra alike. k: columns of I. g: of one mode more. W: weight
 * [O][I]. K: kernel [width^d][O][I]. v: vector [O]. u: vector [I]. Z: spectral weight. Y:
 * separable. m: sums [2I]. n: sums [2I] that have a gradient. l, a, b, e: factors of Z of rank R,
 * vector, [I][R], [R][O], [modes][R]. d: diagonals [R]. x: weight of one number, 0.8. */
static inline int rig_operand(rig *r, char letter) {
    const int64_t i = RIG_INPUTS, o = RIG_INPUTS + r->graph->grids[0].ndim;
    int64_t taps = 1;
    for (int d = 0; d < r->graph->grids[0].ndim; d++) taps *= r->attr.width;
    switch (letter) {
        case 'w':
            return rig_on_grid(r, RIG_WIDER, i);
        case 'c':
            return rig_on_grid(r, RIG_COMPLEX, i);
        case 'g': {
            const int edge = rig_leaf(r, MPNO_EDGE_SPECTRUM, i);
            free(r->data[edge]);
            r->graph->edges[edge].modes++;
            return rig_own(r, edge);
        }
        case 'n':
            return rig_leaf(r, MPNO_EDGE_SUMS, 2 * i);
        case 'x': {
            const int edge = rig_weight(r, 1, 1, 1, false);
            r->data[edge][0] = 0.8;
            return edge;
        }
        case 'K':
            return rig_weight(r, taps, o, i, false);
        case 'Y':
            return rig_weight(r, r->blocks, 1, i, true);
        case 'l': {
            const int edge = rig_weight(r, 1, 1, r->as.rank, true);
            rig_contraction(r, i, o);
            return edge;
        }
        case 'a':
            return rig_weight(r, 1, i, r->as.rank, true);
        case 'b':
            return rig_weight(r, 1, r->as.rank, o, true);
        case 'e':
            return rig_weight(r, 1, r->blocks, r->as.rank, true);
        case 'd':
            return rig_weight(r, r->blocks, 1, r->as.rank, true);
        case 'f':
        case 'F':
            return rig_leaf(r, MPNO_EDGE_FIELD, letter == 'f' ? i : o);
        case 's':
        case 'S':
            return rig_leaf(r, MPNO_EDGE_SPECTRUM, letter == 's' ? i : o);
        case 'k':
            return rig_leaf(r, MPNO_EDGE_COLUMNS, i);
        case 'i':
            return rig_leaf(r, MPNO_EDGE_SUMS, i);
        case 'm':
            return rig_leaf(r, MPNO_EDGE_SUMS, 2 * i);
        case 'W':
            return rig_weight(r, 1, o, i, false);
        case 'Z':
            return rig_weight(r, r->one_block ? 1 : r->blocks, i, o, true);
        default:
            return rig_weight(r, 1, 1, letter == 'u' ? i : o, false);
    }
}

static inline int rig_add(rig *r, const mpno_op *op, int n_in, const int *in) {
    const mpno_attr attr = rig_attr(r, op, false);
    int out;
    if (mpno_graph_add(r->graph, op, n_in, in, &attr, MPNO_ROLE_ACTIVATION, op->name, &out) !=
        MPNO_OK)
        fail_msg("%s: %s", op->name, mpno_ctx_error(r->ctx));
    return out;
}

static inline int rig_unary(rig *r, const mpno_op *op, int x) {
    return rig_add(r, op, 1, &x);
}

/* The norm's statistics of y: of each sample, of the batch (3), or running ones (4). */
static inline int rig_statistics(rig *r, int y, int norm) {
    if (norm == 4) {
        const int in[] = {y, rig_weight(r, 1, 1, RIG_INPUTS, false),
                          rig_weight(r, 1, 1, RIG_INPUTS, false)};
        for (size_t i = 0; i < rig_count(r, in[2]); i++)
            r->data[in[2]][i] = 0.3 + r->data[in[2]][i] * r->data[in[2]][i];
        for (int i = 1; i < 3; i++) r->frozen[r->graph->edges[in[i]].param] = true;
        return rig_add(r, &mpno_op_running_moments, 3, in);
    }
    const bool columns = r->graph->edges[y].kind == MPNO_EDGE_COLUMNS;
    const int sums = rig_unary(r, columns ? &mpno_op_columns_moments : &mpno_op_moments, y);
    return norm == 3 ? rig_unary(r, &mpno_op_average_samples, sums) : sums;
}

/* y = GELU(norm(spectral(tanh(x))) + skip(x)). norm 0: none, 1: with weights, 2: without, 3: of the
 * batch, 4: with running statistics. skip 0: none, 1: linear, 2: identity, 3: gate. */
static inline int rig_block(rig *r, int x, int norm, int skip) {
    const int64_t n = RIG_INPUTS;
    const bool parts = r->in_parts;
    const int stabilised = rig_unary(r, &mpno_op_tanh, x);
    const int spectral[] = {
        parts ? rig_unary(r, &mpno_op_columns_forward,
                          rig_unary(r, &mpno_op_line_forward, stabilised))
              : rig_unary(r, &mpno_op_fft_forward, rig_unary(r, &mpno_op_stage, stabilised)),
        rig_weight(r, r->blocks, n, n, true)};
    int y = rig_add(r, &mpno_op_contract, 2, spectral);
    const int biased[] = {parts ? y : rig_unary(r, &mpno_op_fft_inverse, y),
                          rig_weight(r, 1, 1, n, false)};
    y = rig_add(r, parts ? &mpno_op_columns_inverse : &mpno_op_bias, 2, biased);
    if (norm != 0) {
        const int in[] = {y, rig_statistics(r, y, norm),
                          norm != 2 ? rig_weight(r, 1, 1, n, false) : -1,
                          norm != 2 ? rig_weight(r, 1, 1, n, false) : -1};
        r->attr.batch = norm == 3, r->attr.fixed = norm == 4;
        y = rig_add(r, parts ? &mpno_op_line_normalize : &mpno_op_normalize, 4, in);
    } else if (parts) {
        y = rig_unary(r, &mpno_op_line_inverse, y);
    }
    const int by[] = {x, skip == 1   ? rig_weight(r, 1, n, n, false)
                         : skip == 3 ? rig_weight(r, 1, 1, n, false)
                                     : -1};
    const int skipped = skip == 1   ? rig_add(r, &mpno_op_linear, 2, by)
                        : skip == 3 ? rig_add(r, &mpno_op_gate, 2, by)
                                    : x;
    const int sum[] = {y, skipped};
    if (skip != 0) y = rig_add(r, &mpno_op_add, 2, sum);
    return rig_unary(r, &mpno_op_gelu, y);
}

/* Plans and realises the execution of the requested edges, and binds what the rig owns. */
static inline void rig_finish(rig *r, const mpno_policy *policy, const int *requested, int n) {
    const mpno_exec_opts opts = {.policy = policy,
                                 .capacity = r->batch,
                                 .n_threads = 1,
                                 .requested = requested,
                                 .n_requested = n,
                                 .external_output = -1};
    for (int e = 0; e < r->graph->n_edges; e++) /* an op may give several */
        if (r->graph->edges[e].kind == MPNO_EDGE_PARAM_GRAD) rig_own(r, e);
    assert_int_equal(mpno_exec_create(r->graph, &opts, &r->exec), MPNO_OK);
    assert_int_equal(mpno_exec_realise(r->exec), MPNO_OK);
    for (int e = 0; e < RIG_EDGES; e++)
        if (r->narrow[e] != NULL)
            mpno_exec_bind(r->exec, e, r->narrow[e], MPNO_F32);
        else if (r->data[e] != NULL)
            mpno_exec_bind(r->exec, e, r->data[e], MPNO_F64);
}

/* Is everything finite that it made? */
static inline bool rig_run(rig *r) {
    for (int e = 0; e < RIG_EDGES; e++)
        for (size_t i = 0; r->narrow[e] != NULL && i < rig_count(r, e); i++)
            r->narrow[e][i] = (float)r->data[e][i];
    return mpno_exec_run(r->exec, MPNO_PASS_FORWARD, 0, r->batch, 1.0) == -1;
}

/* A tensor that was made by the last run. */
static inline void rig_read(const rig *r, int edge, double *to) {
    const void *data = mpno_exec_data(r->exec, edge);
    const size_t n = rig_count(r, edge);
    if (!rig_is_narrow(r, edge)) memcpy(to, data, n * sizeof *to);
    for (size_t i = 0; rig_is_narrow(r, edge) && i < n; i++)
        to[i] = (double)((const float *)data)[i];
}

/* What the op gives on the present data. PARAM_GRADs land in the rig's own memory. */
static inline double *rig_result(rig *r, int out) {
    assert_true(rig_run(r));
    double *copy = malloc(rig_count(r, out) * sizeof *copy);
    assert_non_null(copy);
    rig_read(r, out, copy);
    return copy;
}

#endif
