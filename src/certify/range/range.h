/* SPDX-License-Identifier: MIT
 * How large the tensors of a forward graph can become: bounds, channel by channel, that hold for
 * every input of a stated ball, carried from node to node. One rule per op (rules.def); an op
 * without one leaves infinity, so that what is not understood is never called small. Statements,
 * proofs and tests: docs/theory/static.md (S1 ..).
 *
 * Evaluation in f64. Every bound is a sum of products of numbers that are not negative, of at most
 * 1e6 roundings each: what is computed is below the exact value by a factor of at most
 * 1 - 1e6 2^-53 > 1 - 2e-10, and mpno_range_finish raises each result by 1 + 1e-9 before it goes on
 * (S2). */
#ifndef MPNO_CERTIFY_RANGE_RANGE_H
#define MPNO_CERTIFY_RANGE_RANGE_H

#include "graph/exec.h"
#include "graph/graph.h"
#include "model/network.h"

/* Of an edge, as its consumers read it: rounded or not. Arrays of one number per channel; INFINITY
 * where nothing is known.
 *   FIELD     most: |x| of every number; low <= x <= high: the same by sign; rms: sqrt of the mean
 * of x^2 over the rows of a sample SPECTRUM  most: |X[k]| of every mode; rms: sqrt(sum_k w[k]
 * |X[k]|^2), w = weights COLUMNS   most: |c[line][k]|; rms: sqrt of the mean over lines of sum_k
 * w[k] |c|^2; field: sum_k w[k] |c[line][k]| of every line SUMS      most: of every number BLOCKS
 * most[0]: of every number; values and slack: what they are and how far off */
typedef struct mpno_range {
    int64_t channels;
    double *most, *rms, *field, *low, *high;
    double *weights;        /* SPECTRUM: [modes]; 0: the mode is zero. Else NULL */
    double *values, *slack; /* BLOCKS: [blocks][2][rows][cols], [blocks][rows][cols] */
} mpno_range;

/* A weight as it lies in memory, in the graph's layout; borrowed. data NULL: not known. */
typedef struct mpno_range_weight {
    const void *data;
    mpno_format format;
} mpno_range_weight;

typedef struct mpno_range_walk {
    mpno_ctx *ctx;
    const mpno_graph *graph;
    const mpno_exec *exec;
    mpno_policy policy;               /* with which the executor was planned */
    const mpno_range_weight *weights; /* [n_weights]; borrowed */
    int n_weights;
    mpno_range_weight *own; /* owned: the weights of a walk along a network; else NULL */
    int64_t capacity; /* samples of a batch, for statistics over one */
    bool *stored;     /* per edge: has memory of its own in some format */
    bool *tamed; /* per edge: what a transform reads, or makes of lines, before a contraction */
    bool assume_tanh;  /* what if: |x| <= 1 in what these transforms read */
    bool assume_bf16;  /* what if: bf16 in place of f16 */
    mpno_range *edges; /* [n_edges] */
    double *inside;    /* [n_nodes]: largest number that a transform with 16-bit arithmetic
                          makes on its way; 0: none */
    double *growth;    /* [n_nodes]: of it, the factor for roundings (S9) */
    int n_edges, n_nodes;
} mpno_range_walk;

/* graph, exec and weights are borrowed while the walk lives. output: an edge that the executor
 * writes to memory of the caller, -1: none. */
MPNO_WARN_UNUSED mpno_status mpno_range_open(mpno_ctx *ctx, const mpno_graph *graph,
                                             const mpno_exec *exec, const mpno_policy *policy,
                                             const mpno_range_weight *weights, int n_weights,
                                             int64_t capacity, int output, mpno_range_walk *out);
/* The same along a network of the model, made or only planned, which it borrows. */
MPNO_WARN_UNUSED mpno_status mpno_range_open_network(const mpno_model *model,
                                                     const mpno_network *network,
                                                     mpno_range_walk *out);
/* E_ARGUMENT where a certificate of `kind` ("a static certificate") cannot speak of it: the model
 * has no weights, the network is for training. */
MPNO_WARN_UNUSED mpno_status mpno_range_check(const mpno_model *model, const mpno_network *network,
                                              const char *kind);
void mpno_range_close(mpno_range_walk *walk);
/* |x| <= most for every number of an edge given from outside. */
void mpno_range_input(mpno_range_walk *walk, int edge, double most);
/* Bounds of all edges of the forward pass. */
MPNO_WARN_UNUSED mpno_status mpno_range_run(mpno_range_walk *walk);
/* The largest number of an edge that is stored: maximum over channels; INFINITY: not known. */
double mpno_range_most(const mpno_range_walk *walk, int edge);

/* ---- what rules use ---- */

/* Fills the ranges of the node's outputs, which come with arrays and INFINITY in them. Fails for
 * want of memory only. */
typedef mpno_status mpno_range_rule(mpno_range_walk *walk, const mpno_node *node);
/* NULL: none, all outputs stay at infinity. */
mpno_range_rule *mpno_range_rule_of(const mpno_op *op);

static inline mpno_range *mpno_range_in(mpno_range_walk *walk, const mpno_node *node, int i) {
    return &walk->edges[node->in[i]];
}
static inline mpno_range *mpno_range_out(mpno_range_walk *walk, const mpno_node *node) {
    return &walk->edges[node->out[0]];
}

/* Rounding to a format (S1): |stored - x| <= u |x| + eta for every number, u and eta as `rounding`
 * and scales make them; toward zero, and for what saturates, |stored| <= |x| only. */
typedef struct mpno_range_rounding {
    double u, eta;
    bool saturates; /* where |stored - x| may be more, but never |stored| */
} mpno_range_rounding;
/* most: a bound on the tensor. */
mpno_range_rounding mpno_range_rounding_of(const mpno_range_walk *walk, int edge, double most);
mpno_range_rounding mpno_range_format_rounding(mpno_format format, mpno_rounding rounding,
                                               mpno_scaling scaling, double most);
/* The format itself, or that of the what-if. */
mpno_format mpno_range_format(const mpno_range_walk *walk, mpno_format format);
/* Half of the smallest subnormal number. */
double mpno_range_tiny(mpno_format format);
/* u of the arithmetic format, or of what an op accumulates in. */
double mpno_range_unit(const mpno_range_walk *walk);
/* A bound beyond the arithmetic format, or not a number, is INFINITY; others are raised by what
 * the evaluation may have lost (S2). */
double mpno_range_finish(const mpno_range_walk *walk, double bound);
/* 0; INFINITY where numbers that are made on the way, up to this, leave the arithmetic format. */
double mpno_range_guard(const mpno_range_walk *walk, double on_the_way);
/* Error of a transform along an axis of n points in arithmetic of unit u (S8), relative to the sum
 * of the magnitudes of what is transformed. */
double mpno_range_axis_error(double u, int64_t n);

static inline double mpno_range_points(const mpno_graph *graph, int edge) {
    return (double)mpno_graph_grid(graph, edge)->points;
}
static inline double mpno_range_planes(const mpno_graph *graph, int edge) {
    return mpno_graph_grid(graph, edge)->planes > 1 ? 2 : 1;
}
/* What is known of one channel of a field: bounds by sign and the rms; most follows from them. */
static inline void mpno_range_set(mpno_range *y, int64_t c, double low, double high, double rms) {
    y->low[c] = low, y->high[c] = high, y->rms[c] = rms;
    y->most[c] = -low > high ? -low : high;
}

/* min(most, rms): a bound on the mean of |x| over a channel. */
static inline double mpno_range_mean(const mpno_range *r, int64_t c) {
    return r->most[c] < r->rms[c] ? r->most[c] : r->rms[c];
}

/* ---- weights ---- */

/* Values of block `block` of a weight operand as the node reads them, f64, [planes][rows][cols],
 * and how far each (complex) element may be off, slack [rows][cols]. INFINITY in slack where they
 * are not known. */
void mpno_range_block(const mpno_range_walk *walk, const mpno_node *node, int i, int64_t block,
                      double *values, double *slack);
/* All of a weight that is not complex, [blocks][rows][cols]; slack may be NULL. Owned by the
 * caller, both by *values. */
MPNO_WARN_UNUSED mpno_status mpno_range_values(const mpno_range_walk *walk, const mpno_node *node,
                                               int i, double **values, double **slack);
/* |w| + slack of each. */
MPNO_WARN_UNUSED mpno_status mpno_range_magnitudes(const mpno_range_walk *walk,
                                                   const mpno_node *node, int i, double **out);
/* How the copy of a weight that this node reads is stored. */
mpno_storage mpno_range_copy(const mpno_range_walk *walk, const mpno_node *node, int param);
/* Its largest magnitude as it is stored; INFINITY where that is not finite, 0 where the master
 * weight is read. */
double mpno_range_copy_most(const mpno_range_walk *walk, const mpno_node *node, int param);

/* The rule of a norm of a field x; off: how far what it reads may be from what the sums are of. */
MPNO_WARN_UNUSED mpno_status mpno_range_normalized(mpno_range_walk *walk, const mpno_node *node,
                                                   const mpno_range *x, double off);

#define X(op, rule) mpno_range_rule mpno_range_##rule;
#include "certify/range/rules.def"
#undef X

#endif
