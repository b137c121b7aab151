/* SPDX-License-Identifier: MIT
 * Inside of scores.c: the numbers of one sample and channel that errors are made of. */
#ifndef MPNO_TRAIN_SAMPLE_SCORE_H
#define MPNO_TRAIN_SAMPLE_SCORE_H

#include "train/scores.h"

/* e = prediction - truth, y = truth; complex values count by their modulus. */
typedef struct mpno_sample_score {
    double l1, l2, h1, mse;              /* as the losses of mpno/loss.h */
    double error_square, truth_square;   /* means over the points */
    double error_max, truth_max;         /* largest modulus */
    double error_mean;                   /* modulus of the mean of e */
    double boundary_square;              /* mean of |e|^2 over the faces of the grid */
    double error_sobolev, truth_sobolev; /* sum over the waves of (1 + |2 pi k / L|^2) |u^|^2 */
} mpno_sample_score;

/* Of one sample into scores->sample[channels]; scores->error = e. */
MPNO_WARN_UNUSED mpno_status mpno_sample_score_points(mpno_scores *scores, const void *prediction,
                                                      const void *truth);
/* Sobolev norm of the field that scores->spectrum has transformed last. */
double mpno_sample_score_sobolev(const mpno_scores *scores, int64_t channel);

#endif
