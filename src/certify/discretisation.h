/* SPDX-License-Identifier: MIT
 * How far the answer on a grid of n points an axis is from the one on ever finer grids: an
 * estimate, not a bound, from runs on n/2, n and 2n points, and for each block the energy that its
 * transform takes from other frequencies beside the rounding of its spectrum. The input between the
 * grid's points is its trigonometric interpolant (trigonometric.h): on n/2 points every second
 * value is taken, on 2n the interpolant's. All runs are f64. Beside the estimate stands a bound
 * that is proved, where there is one (strip.h). Theory and assumptions:
 * docs/theory/discretisation.md. */
#ifndef MPNO_CERTIFY_DISCRETISATION_H
#define MPNO_CERTIFY_DISCRETISATION_H

#include "certify/strip.h"
#include "core/value.h"
#include "data/normalizer.h"
#include "model/model.h"

typedef enum mpno_convergence {
    MPNO_CONVERGENCE_SEEN,  /* differences fall from grid to grid */
    MPNO_CONVERGENCE_ENDED, /* below 1e-12 of the answer, which f64 does not tell from nothing */
    MPNO_CONVERGENCE_NONE   /* differences do not fall: the estimate has no ground */
} mpno_convergence;
const char *mpno_convergence_name(mpno_convergence convergence); /* "seen", "ended", "none" */

/* h: the modes that block `name` multiplies, of the run on 2n points, and what n points make of the
 * same field (alias.h). */
typedef struct mpno_discretised_layer {
    char name[16];
    double norm, alias, cut;
} mpno_discretised_layer;

/* Differences and sizes: root mean square over the points of the coarser grid of the 2-norm over
 * channels, in physical units. */
typedef struct mpno_discretisation {
    int ndim;
    int64_t grid[MPNO_MAX_AXES]; /* n */
    double before, after;        /* of the runs on n/2 and n, on n and 2n */
    double size;                 /* of the answer on 2n, at the points of n */
    mpno_convergence convergence;
    double rate; /* s in error ~ n^-s, log2(before / after); NAN where it has ended */
    /* The estimate is `after`; if the error falls by the rate it lies between the two (D5). */
    double error, lower, upper;
    int n_layers;
    mpno_discretised_layer layers[MPNO_MAX_BLOCKS];
    mpno_strip strip;
} mpno_discretisation;

typedef struct mpno_discretiser_opts {
    int64_t grid[MPNO_MAX_AXES];  /* n: even */
    const mpno_normalizer *x, *y; /* borrowed while it lives; NULL: the model's own units */
    const double *embedding;      /* norm ada_in: the vector of the sample, f64; else NULL */
} mpno_discretiser_opts;

/* Three networks with copies of the weights. One thread at a time. E_SHAPE: the grid is not even,
 * or the grids of blocks or outputs do not double with it; E_UNSUPPORTED: a normaliser of one grid.
 */
typedef struct mpno_discretiser mpno_discretiser;
MPNO_WARN_UNUSED mpno_status mpno_discretiser_create(const mpno_model *model,
                                                     const mpno_discretiser_opts *opts,
                                                     mpno_discretiser **out);
void mpno_discretiser_destroy(mpno_discretiser **discretiser);
/* input: [points][in_channels] (complex data: two rows a point), physical units. */
MPNO_WARN_UNUSED mpno_status mpno_discretiser_run(mpno_discretiser *discretiser,
                                                  const double *input, mpno_discretisation *out);
/* Convergence, rate and estimate, of before, after and size. */
void mpno_discretisation_judge(mpno_discretisation *d);

/* spectrum: the format that spectra are stored in, whose rounding u |h| stands beside each alias.
 */
MPNO_WARN_UNUSED mpno_status mpno_discretisation_value(mpno_ctx *ctx, const mpno_discretisation *d,
                                                       mpno_format spectrum, mpno_value **out);

/* Errors side by side, each relative to the size of the answer; NAN: not known. */
typedef enum mpno_budget_part {
    MPNO_BUDGET_PRECISION,
    MPNO_BUDGET_DISCRETISATION,
    MPNO_BUDGET_MODEL,
    MPNO_N_BUDGET_PARTS
} mpno_budget_part;
const char *mpno_budget_part_name(
    mpno_budget_part part); /* "precision", "discretisation", "model" */
typedef struct mpno_budget {
    double part[MPNO_N_BUDGET_PARTS];
} mpno_budget;
/* The largest of those that are known, -1: none is. */
int mpno_budget_binds(const mpno_budget *budget);
MPNO_WARN_UNUSED mpno_status mpno_budget_value(mpno_ctx *ctx, const mpno_budget *budget,
                                               mpno_value **out);

#endif
