/* SPDX-License-Identifier: MIT
 * A model applied to samples of a dataset in batches, outputs in physical units. */
#ifndef MPNO_TRAIN_PREDICTOR_H
#define MPNO_TRAIN_PREDICTOR_H

#include "mpno/network.h"
#include "train/metrics.h"
#include "train/sets.h"

typedef struct mpno_predictor_opts {
    const char *policy;
    mpno_format half, arithmetic; /* mpno_network_opts: half_format, transform_arithmetic */
    mpno_storage_opts storage;
    int64_t most_modes[MPNO_MAX_BLOCKS][MPNO_MAX_AXES]; /* mpno_network_opts */
    int64_t batch;
    size_t memory_limit;      /* bytes of all that exists while it runs; 0: none */
    const mpno_normalizer *y; /* borrowed; NULL: the model's outputs are physical as they are */
    mpno_objective norms;     /* boundary and measure of the errors */
} mpno_predictor_opts;

/* What the settings say of the use of a model under a policy, in the physical units that the state
 * knows. Borrows from both. */
mpno_predictor_opts mpno_predictor_opts_of(const mpno_settings *settings, const char *policy,
                                           const mpno_train_state *state);

/* Borrows the model. One thread at a time. */
typedef struct mpno_predictor {
    mpno_ctx *ctx;
    mpno_network *network;
    mpno_predictor_opts opts;
    const mpno_dataset *data;
    int64_t grid[MPNO_MAX_AXES]; /* of the predictions */
    int64_t points;              /* rows of channels of one */
    void *y;                     /* [batch][grid..][out_channels] of the arithmetic format */
} mpno_predictor;

/* For samples shaped like those of data (inputs encoded). opts.batch is cut to n samples.
 * Predictions lie on the grid of data->y; where that is 0, on the one that the model gives. */
MPNO_WARN_UNUSED mpno_status mpno_predictor_create(mpno_model *model, mpno_ctx *ctx,
                                                   const mpno_dataset *data, int64_t n,
                                                   const mpno_predictor_opts *opts,
                                                   mpno_predictor *out);
/* Bytes of a predictor that runs one sample at a time. */
MPNO_WARN_UNUSED mpno_status mpno_predictor_need(mpno_model *model, const mpno_dataset *data,
                                                 int64_t n, const mpno_predictor_opts *opts,
                                                 size_t *bytes);
void mpno_predictor_destroy(mpno_predictor *predictor);
/* Samples first .. first + batch - 1 of the data; the result is predictor->y. */
MPNO_WARN_UNUSED mpno_status mpno_predictor_run(mpno_predictor *predictor, int64_t first,
                                                int64_t batch);

/* What a predictor's network is made from, but for its micro-batch. */
mpno_network_opts mpno_predictor_network(const mpno_dataset *data, int64_t n,
                                         const mpno_predictor_opts *opts);
/* Gives a network the embeddings of the samples from `first` on, where the data have them. */
void mpno_predictor_steer(mpno_network *network, const mpno_dataset *data, int64_t first);

/* Errors on a set, through a predictor made for it. */
MPNO_WARN_UNUSED mpno_status mpno_evaluate(mpno_model *model, mpno_ctx *ctx, const mpno_set *set,
                                           const mpno_predictor_opts *opts, mpno_metrics *out);

#endif
