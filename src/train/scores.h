/* SPDX-License-Identifier: MIT
 * Everything that is measured of predicted fields in physical units: the errors of metrics.def and
 * the radial spectra of truth, prediction and error, for each channel and each step of a roll-out.
 * Sums are formed in f64, sample after sample and point after point, so that they do not depend on
 * threads. A value that is not finite makes every number it enters not finite. */
#ifndef MPNO_TRAIN_SCORES_H
#define MPNO_TRAIN_SCORES_H

#include "mpno/loss.h"
#include "train/spectrum.h"

typedef enum mpno_metric {
#define X(constant, name, heading, over, what) MPNO_METRIC_##constant,
#include "train/metrics.def"
#undef X
    MPNO_N_METRICS
} mpno_metric;

const char *mpno_metric_name(mpno_metric metric);    /* "h1_spectral" */
const char *mpno_metric_heading(mpno_metric metric); /* "relative H1, spectral" */

typedef enum mpno_score_field {
    MPNO_SCORE_TRUTH,
    MPNO_SCORE_PREDICTION,
    MPNO_SCORE_ERROR,
    MPNO_N_SCORE_FIELDS
} mpno_score_field;

typedef struct mpno_scores_shape {
    mpno_format format; /* of the fields, f32 or f64 */
    int ndim, planes;   /* planes: 2 of complex fields, else 1 */
    int64_t grid[MPNO_FFT_MAX_DIMS], channels;
    int64_t n_steps; /* 1 where there is no roll-out */
} mpno_scores_shape;

/* One thread at a time. */
typedef struct mpno_scores {
    mpno_ctx *ctx;
    mpno_scores_shape shape;
    mpno_objective norms;               /* boundary and measure of the H1 errors */
    mpno_spectrum spectrum;             /* owned */
    size_t n_shells;                    /* of fRMSE */
    double *error;                      /* owned: one sample, [grid..][planes][channels] */
    struct mpno_sample_score *sample;   /* owned: [channels] */
    int64_t *count;                     /* owned: [n_steps] samples */
    double *sum;                        /* owned: [n_steps][channels][MPNO_N_METRICS] */
    double *shell;                      /* owned: [n_steps][channels][n_shells] */
    double *power[MPNO_N_SCORE_FIELDS]; /* owned: [n_steps][spectrum.n_shells][channels] */
} mpno_scores;

/* norms: the terms and weights are not read. */
MPNO_WARN_UNUSED mpno_status mpno_scores_create(mpno_ctx *ctx, const mpno_scores_shape *shape,
                                                const mpno_objective *norms, mpno_scores *out);
void mpno_scores_destroy(mpno_scores *scores);
/* n samples of one step; prediction, truth: [n][grid..][planes][channels], contiguous. */
MPNO_WARN_UNUSED mpno_status mpno_scores_add(mpno_scores *scores, int64_t step, int64_t n,
                                             const void *prediction, const void *truth);

#define MPNO_SCORES_ALL (-1)
/* The error at a step and of a channel; MPNO_SCORES_ALL: the mean over all of them, also of largest
 * errors, as PDEBench has it. NaN where there is none: a band beyond the grid's wave numbers. */
double mpno_scores_value(const mpno_scores *scores, int64_t step, int64_t channel,
                         mpno_metric metric);
/* Mean over the samples of a shell of the radial spectrum; step and channel as above. */
double mpno_scores_power(const mpno_scores *scores, mpno_score_field field, int64_t step,
                         int64_t channel, size_t shell);

#endif
