/* SPDX-License-Identifier: MIT
 * An oracle: the Fourier neural operator evaluated from its definition, with 113 bits where the
 * compiler has them, without any code of the library but the public reading of a model's
 * configuration and weights. Transforms are the sums that define them, weights made of factors are
 * rebuilt number by number, layers are loops. Slow; for small networks.
 *
 * Sources: docs/theory/transform.md, docs/theory/resampling.md, docs/reference/policies.md
 * (stabilisers), include/mpno/loss.h (norms of differences). Everything of mpno_fno_config as at
 * inference; not: stabilisers that look at a whole batch, and of compat neuralop what concerns
 * complex data or a change of grid. */
#ifndef TESTS_SUPPORT_QUAD_NETWORK_H
#define TESTS_SUPPORT_QUAD_NETWORK_H

#include "mpno/model.h"

/* high + low, high nearest to the sum: 107 bits, whatever the compiler has inside. */
typedef struct quad_number {
    double high, low;
} quad_number;

/* "quad, 113 bits", or why it is not. */
const char *quad_arithmetic(void);

/* All arrays are borrowed. Normalisers, one entry a number of a sample: the network reads
 * (x - mean) / (std + 1e-7) and its output p means p (std + 1e-7) + mean; NULL: none. */
typedef struct quad_opts {
    int64_t grid[MPNO_MAX_AXES];
    int64_t output_grid[MPNO_MAX_AXES]; /* 0: as the configuration scales */
    const double *embedding;            /* of norm ada_in */
    const double *x_mean, *x_std, *y_mean, *y_std;
} quad_opts;

/* NULL, or what of this model it has no definition for. */
const char *quad_refuses(const mpno_fno_config *config, const quad_opts *opts);
void quad_output_grid(const mpno_fno_config *config, const quad_opts *opts, int64_t *grid);
/* One sample: x [grid..][in_channels] -> y [output grid..][out_channels]; of complex data two rows
 * a point, real first. Gives how much larger norms make relative errors: the product over norms of
 * the largest mean x^2 / (variance + 1e-5) of a group, not less than 1. A norm of values that are
 * nearly equal subtracts what they have in common and so turns roundings into signal, in any finite
 * arithmetic. */
double quad_network_run(const mpno_model *model, const quad_opts *opts, const double *x,
                        quad_number *y);

/* Norms of answer - exact, or with answer NULL of exact, all channels together: (prod h sum
 * |e|^2)^(1/2), the same with |e|^2 + sum_j |D_j e|^2, and the largest size of a number. */
typedef struct quad_norms {
    double l2, h1, most;
} quad_norms;
typedef struct quad_domain {
    int ndim, planes; /* 2 of complex values */
    int64_t grid[MPNO_MAX_AXES], channels;
    double measure[MPNO_MAX_AXES]; /* 0 stands for 1 */
    bool one_sided[MPNO_MAX_AXES];
} quad_domain;
quad_norms quad_distance(const quad_domain *domain, const quad_number *exact, const double *answer);

#endif
