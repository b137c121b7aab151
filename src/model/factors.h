/* SPDX-License-Identifier: MIT
 * Factorised spectral weights of shape (I, O, m1, .., mn), separable ones (C, m1, .., mn):
 *   cp      W[..] = sum_r l[r] F0[i][r] F1[o][r] F2[m1][r] ..
 *   tucker  W[..] = sum over r0, r1, .. of core[r0][r1].. F0[i][r0] F1[o][r1] F2[m1][r2] ..
 *   tt      W[..] = sum over r1, r2, .. of F0[0][i][r1] F1[r1][o][r2] F2[r2][m1][r3] .. [0]
 * Names, shapes, ranks and first values of the factors are those of tensorly-torch, which the
 * PyTorch library uses (tltorch/factorized_tensors, tensorly's validate_.._rank); the graph that
 * contracts a spectrum with them is chosen by what the ways to do it cost. */
#ifndef MPNO_MODEL_FACTORS_H
#define MPNO_MODEL_FACTORS_H

#include "model/model.h"

#define MPNO_MAX_ORDER (2 + MPNO_MAX_AXES) /* dimensions of a spectral weight */

/* ranks: of cp one, of tucker one a dimension, of tt order + 1, the first and the last 1. E_CONFIG
 * when config->rank does not say them. */
MPNO_WARN_UNUSED mpno_status mpno_factor_ranks(mpno_ctx *ctx, const mpno_fno_config *config,
                                               int order, const int64_t *shape, int64_t *ranks);
/* Dimensions of a spectral weight; gives how many. */
int mpno_factor_shape(const mpno_fno_config *config, int64_t *shape);

/* One factor as it stands in the state dict. */
typedef struct mpno_factor {
    char name[32]; /* "core", "weights", "factors.factor_0" */
    int ndim;
    int64_t shape[MPNO_MAX_ORDER];
    double deviation; /* of its complex numbers at first; 0: they are one */
    bool turned;      /* rows of the graph's matrix are its columns */
} mpno_factor;
#define MPNO_MAX_FACTORS (MPNO_MAX_ORDER + 1)
/* deviation: of the elements of the whole weight. Gives how many factors there are. */
MPNO_WARN_UNUSED mpno_status mpno_factor_list(mpno_ctx *ctx, const mpno_fno_config *config,
                                              double deviation, mpno_factor *factors, int *n);

/* What the graph of a spectral convolution is made from. */
typedef struct mpno_factor_graph {
    const mpno_model *model;
    mpno_plans *plans;
    mpno_graph *graph;
    const mpno_spectral *spectral;
    int first_param; /* edge of parameter 0 */
    int64_t batch;   /* for which the way is chosen */
    bool training;   /* likewise */
    int layer;
} mpno_factor_graph;
/* Adds the nodes that multiply *spectrum with the weight of a layer. */
MPNO_WARN_UNUSED mpno_status mpno_factor_contract(const mpno_factor_graph *g, int *spectrum);

#endif
