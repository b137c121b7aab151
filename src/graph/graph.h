/* SPDX-License-Identifier: MIT
 * The graph: small semantic ops between tensors (edges), and the shape of an op: five faces in one
 * file. A graph describes one network for any batch; each of its fields lies on one of the graph's
 * grids. It holds no tensor data. One thread at a time. */
#ifndef MPNO_GRAPH_GRAPH_H
#define MPNO_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/context.h"
#include "graph/bound.h"
#include "graph/policy.h"
#include "kernel/bf16_kernels.h"
#include "kernel/codec.h"
#include "kernel/field_kernels.h"
#include "kernel/kernel.h"
#include "number/format.h"
#include "transform/columns/columns.h"
#include "transform/contract/contraction.h"
#include "transform/fft/fft.h"

#define MPNO_OP_MAX_IN 8
#define MPNO_OP_MAX_OUT 7

typedef enum mpno_edge_kind {
    MPNO_EDGE_FIELD,     /* [batch][points][channels] */
    MPNO_EDGE_SPECTRUM,  /* [modes][batch][2][channels] */
    MPNO_EDGE_COLUMNS,   /* [batch][lines][2][modes][channels]: the kept frequencies of each line
                            of a field (transform/columns) */
    MPNO_EDGE_SUMS,      /* [batch][channels], f64: a field summed over its points */
    MPNO_EDGE_PARAM,     /* a weight, shape in mpno_weight */
    MPNO_EDGE_PARAM_GRAD, /* its gradient, same shape */
    MPNO_EDGE_BLOCKS      /* a spectral weight made from factors, or its gradient, shape likewise */
} mpno_edge_kind;

/* A weight as the graph sees it. Linear maps: blocks 1, rows = outputs, cols = inputs. Vectors:
 * blocks 1, rows 1. Spectral weights: blocks = modes, each [2][rows = inputs][cols = outputs], real
 * plane first. */
typedef struct mpno_weight {
    int64_t blocks, rows, cols;
    bool is_complex;
    mpno_role role;
} mpno_weight;
static inline size_t mpno_weight_count(const mpno_weight *w) {
    return (size_t)(w->blocks * w->rows * w->cols) * (w->is_complex ? 2 : 1);
}

typedef struct mpno_edge {
    mpno_edge_kind kind;
    mpno_role role;
    bool gradient; /* made by differentiation */
    int layer;     /* index into mpno_graph.layers */
    char name[40]; /* "mlp hidden" */
    int grid;      /* FIELD: index into mpno_graph.grids; others: of the field they stand for */
    int64_t channels;
    int64_t modes; /* SPECTRUM; COLUMNS: of a line */
    int param;     /* PARAM, PARAM_GRAD, BLOCKS: index into mpno_graph.weights */
    int producer;  /* node, -1: given from outside */
} mpno_edge;

/* A linear map along each axis of a grid, one after the other: matrix[d] is [to][from] f64. */
typedef struct mpno_lines {
    int ndim;
    int64_t from[MPNO_GRID_MAX_DIMS], to[MPNO_GRID_MAX_DIMS];
    const double *matrix[MPNO_GRID_MAX_DIMS]; /* NULL: leave the axis alone */
} mpno_lines;

typedef struct mpno_attr {
    int grid;                    /* of ops that change it: where the output lies */
    const mpno_fft *fft;         /* borrowed: lives as long as the graph */
    const mpno_columns *columns; /* borrowed: of the transform in two parts */
    double scale;                /* of the transform */
    mpno_fft_weighting weighting;
    const int32_t *mode_rows; /* borrowed: kept mode -> block of the spectral weight; NULL: all modes
                                 meet its only block */
    const mpno_contraction *contraction; /* borrowed: of rebuild */
    int weight;                          /* of rebuild: what it makes, in mpno_graph.weights */
    bool again; /* of rebuild: cheap enough for the backward pass to make it again */
    int64_t groups;           /* of a norm */
    double eps;
    const mpno_objective *objective; /* borrowed: of the loss */
    int64_t channels;                /* of take_channels: how many are kept */
    mpno_box box;                    /* of grid_embed */
    /* of take_modes: for each mode of the output (n_modes) the one of the operand, -1 for zero, and
     * for each of the operand (n_given) the one of the output, -1 for none; borrowed */
    const int32_t *take, *give;
    int64_t n_modes, n_given;
    int64_t margin[MPNO_GRID_MAX_DIMS]; /* of pad and crop: points in front */
    const mpno_lines *lines;            /* of interpolate; borrowed */
    int64_t width;                      /* of convolve: points of the kernel per axis */
    double rate;                        /* of dropout */
    uint32_t id;                        /* of dropout: its place in the network */
    /* The adjoint of the op rather than the op: interpolate, convolve (turned kernel), scale_modes
     * (conjugate weight), contract_low_rank (adjoint matrices), times_i. */
    bool adjoint;
    bool real_only; /* of bias and sum_points on complex fields: of the real rows alone */
    bool batch;     /* of normalize: statistics are those of the batch */
    bool fixed;     /* of normalize: statistics do not depend on x */
    bool no_shift;  /* of modulate */
    bool uncentred; /* of normalize: by the root of the mean square, the mean stays */
    bool prescale;  /* of transforms with 16-bit arithmetic (transform/fft) */
    mpno_squash squash; /* of squash: which function */
} mpno_attr;

typedef struct mpno_op mpno_op;

typedef struct mpno_node {
    const mpno_op *op;
    mpno_attr attr;
    int layer;
    bool backward;
    int n_in, n_out;
    int in[MPNO_OP_MAX_IN], out[MPNO_OP_MAX_OUT]; /* edges; in[i] == -1: operand left out */
} mpno_node;

#define MPNO_MAX_LAYERS 66
#define MPNO_MAX_GRIDS 80 /* one a layer, those of padding, and a few */

typedef struct mpno_graph {
    mpno_ctx *ctx;
    mpno_grid grids[MPNO_MAX_GRIDS]; /* the first one is that of the inputs */
    int n_grids;
    mpno_edge *edges;
    int n_edges;
    mpno_node *nodes; /* in an order in which they can run */
    int n_nodes;
    int n_forward_nodes;
    mpno_weight *weights;
    int n_weights;
    char layers[MPNO_MAX_LAYERS][16];
    int n_layers;
    /* where new nodes go */
    int layer;
    bool backward;
} mpno_graph;

/* One operand of a call. Tile ops: rows x channels of the arithmetic type, but of columns all those
 * of the sample as they are stored, and what op->stored names perhaps, too; whole ops: the stored
 * tensor. */
typedef struct mpno_operand {
    void *data; /* NULL: operand left out */
    mpno_format format;
    int64_t channels;
    const mpno_codec *codec; /* how it is stored beyond the format, or NULL */
} mpno_operand;

typedef struct mpno_op_call {
    const mpno_kernels *kernels;
    const mpno_field_kernels *fields;
    const mpno_bf16_kernels *products; /* NULL: multiply in the arithmetic type */
    const mpno_graph *graph;
    const mpno_node *node;
    int64_t batch;       /* samples: whole ops */
    int64_t sample;      /* tile ops */
    int64_t before;      /* samples of the same batch that earlier runs have had */
    int64_t first, rows; /* points first .. first + rows - 1 of that sample: tile ops */
    uint64_t drop_seed;  /* of dropout, another one each step */
    double loss_scale;
    int n_threads;
    mpno_operand in[MPNO_OP_MAX_IN], out[MPNO_OP_MAX_OUT];
    double *chain[MPNO_OP_MAX_OUT];  /* of a gradient of a weight when the batch comes in parts: its
                                        sum over samples so far, which goes on there; else NULL */
    void *scratch;                   /* op->scratch bytes (tile ops: per thread) */
    bool nonfinite[MPNO_OP_MAX_OUT]; /* result: a stored value was not finite */
} mpno_op_call;

typedef enum mpno_op_class {
    MPNO_OP_TILE,   /* rows in, rows out: runs inside tile programs */
    MPNO_OP_REDUCE, /* rows in, sums out (added to) or columns (each line's own): inside tile
                       programs, result after the program */
    MPNO_OP_WHOLE   /* whole stored tensors */
} mpno_op_class;

typedef struct mpno_op_cost {
    double flops; /* of one batch of the given size */
    bool useful;  /* counts as useful work (products and transforms), see docs/design/cost.md */
} mpno_op_cost;

/* Five faces; the order in an op's file is the order here. */
struct mpno_op {
    const char *name;
    mpno_op_class class;
    bool cheap;           /* a few flops a value: recomputed rather than stored */
    bool elementwise;     /* the result may lie where a field among the operands does */
    bool linear_in_first; /* linear in operand 0 when the others are held: adjoint test */
    bool f64_sums;        /* reduce ops: partial sums are f64 whatever the arithmetic */
    bool own_chain;       /* a sum over samples that goes on from the stored result itself */
    unsigned transposed;  /* bit i: operand i is a weight matrix wanted as [cols][rows] */
    unsigned packed;      /* bit i: .. wanted in the layout of the kernel pack */
    unsigned stored;      /* bit i: tile ops: operand i, a field, may come as f16 or bf16 */
    /* Fills kind, channels, modes, role-independent facts of the node's outputs; E_SHAPE when
     * operands do not fit. The grid is that of operand 0 unless it says otherwise. */
    mpno_status (*shape)(mpno_graph *graph, const mpno_node *node, mpno_edge *out);
    void (*forward)(mpno_op_call *call);
    /* Adds the nodes of the gradient. grad_out[i]: edge with the gradient of output i. grad_in[i]:
     * set to the edge with the gradient of operand i; left at -1 where it has none. wanted[i] says
     * whether anybody asks. NULL: not differentiable (gradient ops). */
    mpno_status (*backward)(mpno_graph *graph, int node, const int *grad_out, const bool *wanted,
                            int *grad_in);
    mpno_op_cost (*cost)(const mpno_graph *graph, const mpno_node *node, int64_t batch);
    double flops; /* of mpno_cost_elementwise, for each value of operand 0; 0: 1 */
    /* A bound of the error of output 0, which is the only one: graph/bound.h, with the number of
     * its statement in docs/theory/certificates.md. NULL: nothing is known (gradient ops, ops of
     * training). */
    double (*bound)(const mpno_bound_call *call);
    /* Scratch bytes beside the operands (tile ops: of one tile); NULL: none. */
    size_t (*scratch)(const mpno_graph *graph, const mpno_node *node, int64_t rows_or_batch,
                      size_t type_bytes, int n_threads);
    /* Whether the scratch of a tile or reduce op is its own, from tile to tile of a chunk. NULL:
     * no. */
    bool (*keeps_scratch)(const mpno_node *node);
};

#define X(name) extern const mpno_op mpno_op_##name;
#include "graph/ops.def"
#undef X
int mpno_op_count(void);
const mpno_op *mpno_op_get(int index);

MPNO_WARN_UNUSED mpno_status mpno_graph_create(mpno_ctx *ctx, const mpno_grid *grid,
                                               mpno_graph **out);
void mpno_graph_destroy(mpno_graph **graph);
/* The index of an equal grid of the graph, added if need be. */
MPNO_WARN_UNUSED mpno_status mpno_graph_add_grid(mpno_graph *graph, const mpno_grid *grid,
                                                 int *index);
static inline const mpno_grid *mpno_graph_grid(const mpno_graph *graph, int edge) {
    return &graph->grids[graph->edges[edge].grid];
}
/* Names the layer that nodes added from now on belong to. */
MPNO_WARN_UNUSED mpno_status mpno_graph_layer(mpno_graph *graph, const char *name);
/* A field given from outside, on the first grid. */
MPNO_WARN_UNUSED mpno_status mpno_graph_input(mpno_graph *graph, const char *name, int64_t channels,
                                              int *edge);
MPNO_WARN_UNUSED mpno_status mpno_graph_param(mpno_graph *graph, const mpno_weight *weight,
                                              int *edge);
/* Declares a weight that the graph makes itself (MPNO_EDGE_BLOCKS), after all parameters. */
MPNO_WARN_UNUSED mpno_status mpno_graph_blocks(mpno_graph *graph, const mpno_weight *weight,
                                               int *index);

/* Adds a node with one output (two: *out is the first, the second follows it). in: n_in edges, -1 =
 * left out. attr may be NULL. */
MPNO_WARN_UNUSED mpno_status mpno_graph_add(mpno_graph *graph, const mpno_op *op, int n_in,
                                            const int *in, const mpno_attr *attr, mpno_role role,
                                            const char *name, int *out);
/* The same inside a backward face: role, layer and name ("d NAME") are those of edge `of`, whose
 * gradient it is. */
MPNO_WARN_UNUSED mpno_status mpno_graph_add_gradient(mpno_graph *graph, const mpno_op *op, int n_in,
                                                     const int *in, const mpno_attr *attr, int of,
                                                     int *out);

/* A node like `node` that takes `edge` for its operand i; its results are the same edges. For
 * programs in which the operand has been made again. */
MPNO_WARN_UNUSED mpno_status mpno_graph_retake(mpno_graph *graph, int node, int i, int edge,
                                               int *copy);

/* Forgets the nodes and edges added since there were so many. */
void mpno_graph_shorten(mpno_graph *graph, int n_nodes, int n_edges);

/* Reverse mode: extends the graph with the nodes that compute the gradients of edge `loss`.
 * param_grads[i]: gradient edge of weight i (or -1); input_grad: of edge `input` when input >= 0.
 */
MPNO_WARN_UNUSED mpno_status mpno_graph_differentiate(mpno_graph *graph, int loss, int *param_grads,
                                                      int input, int *input_grad);

/* Whether the node computes in bf16: its arithmetic says so and its weight, if it has one, has at
 * least 16 rows and columns, below which f32 is faster. */
bool mpno_node_computes_bf16(const mpno_graph *graph, const mpno_node *node,
                             const mpno_policy *policy);

/* How the policy stores an edge: gradients of weights and sums in the arithmetic format and f64. */
mpno_storage mpno_edge_storage(const mpno_graph *graph, int edge, const mpno_policy *policy);

/* Bytes of an edge stored in `format` for `batch` samples, without scales. */
size_t mpno_edge_bytes(const mpno_graph *graph, int edge, mpno_format format, int64_t batch);

/* Between an operand's memory at `stored` and the arithmetic type, n values; store returns 1 when
 * one is not finite. */
void mpno_operand_load(const mpno_kernels *kernels, const mpno_operand *operand, void *dst,
                       const void *stored, int64_t n);
int mpno_operand_store(const mpno_kernels *kernels, const mpno_operand *operand, void *stored,
                       const void *src, int64_t n);

/* Shared faces of simple ops. */
/* backward of y = f(x), if by one node of `op` on dy and x with the attributes of f. */
mpno_status mpno_backward_of_function(mpno_graph *graph, int index, const mpno_op *op,
                                      const int *grad_out, const bool *wanted, int *grad_in);
mpno_status mpno_shape_like_first(mpno_graph *graph, const mpno_node *node, mpno_edge *out);
/* [batch][2 x channels of operand 0]: a reduction to two sums a channel for each sample. */
mpno_status mpno_shape_columns(mpno_graph *graph, const mpno_node *node, mpno_edge *out);
mpno_status mpno_shape_sample_sums(mpno_graph *graph, const mpno_node *node, mpno_edge *out);
/* The gradient of a weight, which is summed over samples in the arithmetic type. */
void mpno_shape_gradient_of(const mpno_graph *graph, int edge, mpno_edge *out);
/* Of a gradient op whose last operand is the weight itself, named for its shape and never read. */
mpno_status mpno_shape_weight_gradient(mpno_graph *graph, const mpno_node *node, mpno_edge *out);
mpno_op_cost mpno_cost_elementwise(const mpno_graph *graph, const mpno_node *node,
                                   int64_t batch); /* op->flops a value */

#endif
