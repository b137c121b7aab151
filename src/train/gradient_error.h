/* SPDX-License-Identifier: MIT
 * How far the gradient of a network in low precision is from that of one in full, layer by layer:
 * after the passes of a step on the same batch, with the same weights,
 *
 *   error   |low - full| / |full|       of the weights of a layer together
 *   cosine  low . full / (|low| |full|) of the angle between them: an error along the gradient
 *           only changes the length of a step, one across it changes where it goes
 *
 * An estimate of what rounding does to training: of this batch, and against f32 (f64) rather than
 * exact arithmetic, whose own error is thousands of times smaller. */
#ifndef MPNO_TRAIN_GRADIENT_ERROR_H
#define MPNO_TRAIN_GRADIENT_ERROR_H

#include "model/network.h"

typedef struct mpno_gradient_line {
    char layer[16];
    double size;          /* |full| */
    double error, cosine; /* NaN where size is 0 */
} mpno_gradient_line;

typedef struct mpno_gradient_error {
    int n;
    mpno_gradient_line lines[MPNO_MAX_LAYERS]; /* of layers that have weights, in order */
    mpno_gradient_line all;                    /* of all weights; layer "" */
} mpno_gradient_error;

/* Networks of one model, which both have run the backward pass; their gradients are this many times
 * the loss's. Of trained weights: statistics do not count. */
void mpno_gradient_compare(const mpno_model *model, mpno_network *low, double low_scale,
                           mpno_network *full, double full_scale, mpno_gradient_error *out);

/* Between the directions, in degrees; NaN: unknown. */
double mpno_gradient_angle(const mpno_gradient_line *line);

#endif
