/* SPDX-License-Identifier: MIT
 * Autoregressive roll-out of a trained model: what it predicts becomes its next input, in physical
 * units, from the initial steps of each trajectory on. A model of time_out steps gives so many
 * steps at a time; the next input is the last time_in steps, true or predicted. */
#ifndef MPNO_TRAIN_FORECAST_H
#define MPNO_TRAIN_FORECAST_H

#include "train/restore.h"

/* Borrows the restored model. One thread at a time. */
typedef struct mpno_forecast {
    mpno_ctx *ctx;
    const mpno_restored *restored;
    mpno_dataset *data;  /* owned: a sample is a whole trajectory, inputs as the file has them */
    int64_t steps;       /* to be predicted */
    int64_t fields;      /* channels of a step */
    char key[64];        /* of the grid: "64" */
    mpno_dataset window; /* the inputs of a batch, encoded; x is owned, the rest that of `data` */
    mpno_predictor predictor;
    void *input;              /* owned: the inputs of a batch as they are */
    void *truth, *prediction; /* owned: one step of a batch */
} mpno_forecast;

/* What is done with a step (0: the first predicted): truth and prediction are
 * [batch][grid..][planes][fields] of the data's format. */
typedef mpno_status (*mpno_forecast_visit)(void *user, int64_t step, int64_t batch,
                                           const void *prediction, const void *truth);

/* The trajectories of a file. steps: 1 or more, or 0: as many as the trajectories have. E_CONFIG
 * when the model was not trained on trajectories (data.time_in) or they have fewer steps, E_SHAPE
 * when its outputs cannot be its inputs. */
MPNO_WARN_UNUSED mpno_status mpno_forecast_open(mpno_ctx *ctx, const mpno_restored *restored,
                                                const char *path, int64_t steps,
                                                mpno_forecast *out);
void mpno_forecast_close(mpno_forecast *forecast);
/* Trajectories first .. first + batch - 1; batch at most forecast->predictor.opts.batch. */
MPNO_WARN_UNUSED mpno_status mpno_forecast_run(mpno_forecast *forecast, int64_t first,
                                               int64_t batch, mpno_forecast_visit visit,
                                               void *user);
/* All of them. */
MPNO_WARN_UNUSED mpno_status mpno_forecast_run_all(mpno_forecast *forecast,
                                                   mpno_forecast_visit visit, void *user);

#endif
