/* SPDX-License-Identifier: MIT
 * Training losses. Per sample and channel, of the error e = p - y on N_1 x .. x N_d points with
 * spacing h_j = measure_j / N_j:
 *   L2   |e| / (|y| + 1e-8)                  the PyTorch library's LpLoss(p = 2)
 *   L1   the same with sums of |e| and |y|   LpLoss(p = 1)
 *   H1   the L2 one with |e|^2 + sum_j |D_j e|^2, D_j central differences (H1Loss)
 *   MSE  mean over the points of |e|^2
 * or absolute instead of relative: (h_1 .. h_d sum |e|^p)^(1/p). Complex values count by their
 * modulus. What is minimised is a weighted sum of these over terms, channels and the batch.
 * D_j wraps around; where one_sided[j], its first and last rows are instead the third-order
 * (-11, 18, -9, 2) / (6 h_j) and its mirror image, as H1Loss has them without periodicity. */
#ifndef MPNO_LOSS_H
#define MPNO_LOSS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mpno_loss { MPNO_LOSS_L2, MPNO_LOSS_H1, MPNO_LOSS_MSE, MPNO_LOSS_L1 } mpno_loss;

#define MPNO_MAX_LOSS_TERMS 4
#define MPNO_ONE_SIDED_POINTS 4 /* least points of an axis with one-sided differences */

typedef struct mpno_loss_term {
    mpno_loss kind;
    bool absolute; /* no meaning for MSE */
    double weight;
} mpno_loss_term;

/* Plain value but for the borrowed weights. */
typedef struct mpno_objective {
    int n_terms;
    mpno_loss_term term[MPNO_MAX_LOSS_TERMS];
    bool one_sided[4];
    double measure[4];             /* of the domain along each axis; 0 stands for 1 */
    const double *channel_weights; /* borrowed; NULL: all 1 */
    size_t n_channel_weights;      /* 0, or the channels of the prediction */
} mpno_objective;

#define MPNO_OBJECTIVE_INIT \
    { 1, {{MPNO_LOSS_H1, false, 1.0}}, {false}, {0}, NULL, 0 }

#ifdef __cplusplus
}
#endif

#endif
