/* SPDX-License-Identifier: MIT
 * How far a computed tensor may be from the exact one: what is known of an operand, and what the
 * `bound` face of an op is asked (graph.h). Bounds are norm-wise and of one sample:
 *
 *   FIELD     root of the mean over rows of the sum over channels of v^2 (complex: two rows a
 * point) COLUMNS   root of the mean over lines of the sum of w |c|^2 over kept frequencies and
 * channels SPECTRUM  root of the sum of w |z|^2 over modes and channels SUMS      2-norm
 *
 * w is 2 where the last frequency of real data is above 0, and stands for its conjugate as well,
 * else 1: so a forward transform scaled by 1/N and the inverse one have the operator norm 1
 * (Bessel). A Nyquist frequency stands for itself alone and weighs 2 all the same, since it may
 * stand for two on the grid to which a spectrum goes; a forward transform that keeps it has the
 * norm sqrt 2. Of the graph that is asked the operands' errors are known; the face adds how they
 * are passed on and what the op's own roundings add, both of computed numbers only, without
 * first-order approximations. Theory: docs/theory/certificates.md. Values are f64 and carry
 * roundings of their own; whoever walks the graph makes up for them. */
#ifndef MPNO_GRAPH_BOUND_H
#define MPNO_GRAPH_BOUND_H

#include <stdint.h>

#include "mpno/format.h"

struct mpno_graph;
struct mpno_node;

/* Of a tensor as it was computed. */
typedef struct mpno_bound {
    double norm;      /* as above. PARAM, BLOCKS: the largest spectral norm of a block */
    double most;      /* largest magnitude, of complex weights largest modulus */
    double frobenius; /* PARAM, BLOCKS: largest Frobenius norm of a block */
    double error;     /* norm of computed - exact; BLOCKS: Frobenius norm, of any block */
} mpno_bound;

typedef struct mpno_bound_call {
    const struct mpno_graph *graph;
    const struct mpno_node *node;
    mpno_format arithmetic;  /* f32 or f64, in which operands and result are stored as well */
    double unit, eta;        /* its unit roundoff, and what underflow may take from a product */
    double captured;         /* a bound of the op's own roundings that was found by looking at the
                                result (linear, contract, transforms); negative: none */
    mpno_bound in[8];        /* MPNO_OP_MAX_IN; zero where left out */
    mpno_bound out;          /* all but its error */
    const double *values[8]; /* of vectors and sums; NULL: left out, or neither */
} mpno_bound_call;

/* The error of `terms` roundings one after the other in every value of the result, each of at most
 * `unit` of magnitudes whose norm is `size`, and of as many products that may underflow. A size of
 * 0 gives the latter alone, for products whose results are multiplied by something large. */
double mpno_bound_rounding(const mpno_bound_call *call, double terms, double size);

/* So many roundings of f64, in which some ops compute whatever the arithmetic, in units of it. */
double mpno_bound_wide(const mpno_bound_call *call, double terms);

/* The same, or what was captured. */
double mpno_bound_rounding_or_captured(const mpno_bound_call *call, double terms, double size);

/* Additions one after the other when a program sums up a field of so many rows (graph/lower.h). */
double mpno_bound_sum_terms(double rows);

/* Shared faces: the values of operand 0; slope 1 in operand 0 and one rounding; sums, whose errors
 * count where they are used (they are functions of the field beside which they stand there). */
double mpno_bound_same(const mpno_bound_call *call);
double mpno_bound_rounded_once(const mpno_bound_call *call);
double mpno_bound_none(const mpno_bound_call *call);

/* y = gamma (x - mean) / s + beta with sums of x, as the operands x, sums, gamma, beta of
 * normalize: statement B6. x_error, x_norm: of the field x; terms: additions one after the other in
 * the sums. INFINITY where the error may come near the deviation of a group. */
double mpno_bound_normalized(const mpno_bound_call *call, double x_error, double x_norm,
                             double terms);

#endif
