/* SPDX-License-Identifier: MIT
 * POINT certificates: how far a stored answer is from the exact one. "Exact" is the network in real
 * arithmetic: the model's weights, normalisers and input as they are stored, every operation without
 * rounding. A shadow run in f64 comes near it, and a rigorous bound B of how near (running.h) makes
 * the measured distance d of the answer from the shadow an interval, d - B .. d + B, that contains
 * the distance from the exact answer. Theory: docs/theory/certificates.md, statement P1. */
#ifndef MPNO_CERTIFY_POINT_H
#define MPNO_CERTIFY_POINT_H

#include "data/normalizer.h"
#include "model/model.h"

/* A true number lies between the two, both ends included. */
typedef struct mpno_interval {
    double lower, upper;
} mpno_interval;

/* L2 and H1 are the absolute ones of mpno/loss.h of one sample, H1 with f64 differences; of several
 * channels the root of the sum of their squares. MOST is the largest magnitude over points and
 * channels, of complex answers over real and imaginary parts. In physical units, as data files have
 * them. */
typedef enum mpno_distance {
    MPNO_DISTANCE_L2,
    MPNO_DISTANCE_H1,
    MPNO_DISTANCE_MOST,
    MPNO_N_DISTANCES
} mpno_distance;
const char *mpno_distance_name(mpno_distance distance); /* "l2", "h1", "max" */

/* What the shadow run met in a layer (its last tensor): root mean square over points of the 2-norm
 * over channels, largest magnitude, and the bound of the shadow's own error in the first norm. */
typedef struct mpno_point_layer {
    char name[16];
    double norm, most, error;
} mpno_point_layer;

typedef struct mpno_point {
    mpno_interval distance[MPNO_N_DISTANCES]; /* of the answer from the exact one */
    mpno_interval size[MPNO_N_DISTANCES];     /* of the exact answer itself */
    double shadow[MPNO_N_DISTANCES];          /* B: of the shadow from the exact answer */
    int n_layers;
    mpno_point_layer layers[MPNO_MAX_LAYERS];
} mpno_point;

typedef struct mpno_certifier_opts {
    int64_t grid[MPNO_MAX_AXES];        /* of inputs */
    int64_t output_grid[MPNO_MAX_AXES]; /* 0: as the configuration scales */
    const mpno_normalizer *x, *y;       /* borrowed while it lives; NULL: the model's own units */
    mpno_objective norms;               /* boundary and measure of L2 and H1 */
    const double *embedding;            /* norm ada_in: the vector of the sample, f64; else NULL */
} mpno_certifier_opts;

/* A shadow network and room for one sample. Copies the weights. One thread at a time. E_ARGUMENT
 * names what no bound is known of (dropped values, statistics of a batch). */
typedef struct mpno_certifier mpno_certifier;
MPNO_WARN_UNUSED mpno_status mpno_certifier_create(const mpno_model *model,
                                                   const mpno_certifier_opts *opts,
                                                   mpno_certifier **out);
void mpno_certifier_destroy(mpno_certifier **certifier);

/* input [points][in_channels], answer [points][out_channels] (complex data: two rows a point),
 * physical units, f64 copies of what is stored. E_NUMERIC: the shadow or its bound is not finite, or
 * the answer is not. */
MPNO_WARN_UNUSED mpno_status mpno_certifier_run(mpno_certifier *certifier, const double *input,
                                                const double *answer, mpno_point *out);
/* The shadow's answer to the last input, physical units; borrowed until the next run. */
const double *mpno_certifier_answer(const mpno_certifier *certifier);

#endif
