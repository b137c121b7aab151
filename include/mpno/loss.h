/* SPDX-License-Identifier: MIT
 * Training losses. Per sample and channel, summed over the batch and the channels:
 *   L2   |p - y| / (|y| + 1e-8)                 relative, neuraloperator's LpLoss(p = 2)
 *   H1   the same with |e|^2 + sum_j |D_j e|^2  periodic central differences D_j, h = 1/N_j
 *   MSE  mean over the points of (p - y)^2 */
#ifndef MPNO_LOSS_H
#define MPNO_LOSS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mpno_loss { MPNO_LOSS_L2, MPNO_LOSS_H1, MPNO_LOSS_MSE } mpno_loss;

#ifdef __cplusplus
}
#endif

#endif
