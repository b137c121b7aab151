/* SPDX-License-Identifier: MIT
 * Inside of mpno_plot: where samples come from, and what is drawn of them. */
#ifndef MPNO_TRAIN_PLOT_H
#define MPNO_TRAIN_PLOT_H

#include "mpno/plot.h"
#include "report/canvas.h"
#include "train/forecast.h"
#include "train/plot_tensor.h"
#include "train/restore.h"

enum { MPNO_PLOT_MOST_SAMPLES = 16 };

/* Fields of a sample; data NULL: there is no such field. Without a prediction the output stands in
 * its place, and there is no truth. */
typedef struct mpno_plot_sample {
    mpno_plot_field input, truth, prediction;
} mpno_plot_sample;

typedef struct mpno_plot_source mpno_plot_source;
struct mpno_plot_source {
    mpno_ctx *ctx;
    char title[128], input_name[96], output_name[96]; /* input_name "": there is no input */
    bool predicted;                                   /* truth and prediction */
    int64_t n;                                        /* samples */
    mpno_plot_axis axes[MPNO_VIEW_MAX_AXES], time;    /* of the outputs */
    /* Valid until the next call. */
    mpno_status (*fetch)(mpno_plot_source *source, int64_t sample, mpno_plot_sample *out);
    void (*close)(mpno_plot_source *source);
    /* data files: plot.c */
    mpno_plot_tensor input, output, prediction;
    /* models: plot_model.c */
    mpno_restored restored;
    mpno_sets sets;
    const mpno_set *set;
    mpno_predictor predictor;
    mpno_forecast forecast; /* of a roll-out, in the place of sets and predictor */
    void *x;                /* owned: one input as the file has it */
    void *steps[2];         /* owned: truth and prediction of a roll-out, [step][grid..][fields] */
};

/* Whether `path` is a run folder or a file of weights, and no data. */
MPNO_WARN_UNUSED mpno_status mpno_plot_is_model(mpno_ctx *ctx, const char *path, bool *out);
/* The first of the test sets of a checkpoint; rollout: steps to predict, 0: none. */
MPNO_WARN_UNUSED mpno_status mpno_plot_open_model(mpno_ctx *ctx, const char *path,
                                                  const mpno_config *overrides, int64_t rollout,
                                                  mpno_plot_source *out);

/* What to draw. */
typedef struct mpno_plot_job {
    mpno_plot_source *source;
    const mpno_plot_opts *opts;
    int64_t samples[MPNO_PLOT_MOST_SAMPLES];
    int n_samples; /* 0: all, of spectra */
    int frames;    /* out: 1 of a still picture */
    int width, height;
} mpno_plot_job;

/* Bytes of a PNG file, appended to `out`. */
MPNO_WARN_UNUSED mpno_status mpno_plot_fields(mpno_plot_job *job, mpno_text *out);
MPNO_WARN_UNUSED mpno_status mpno_plot_spectra(mpno_plot_job *job, mpno_text *out);

#endif
