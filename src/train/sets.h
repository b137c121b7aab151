/* SPDX-License-Identifier: MIT
 * The data of a run: training, validation and test sets, read once, checked against the model and
 * normalised. Inputs are encoded everywhere, outputs only in the training set: errors are measured
 * in physical units. Training sets may be streamed (feed.h): then all are, and their samples are
 * encoded when they are read. */
#ifndef MPNO_TRAIN_SETS_H
#define MPNO_TRAIN_SETS_H

#include "core/context.h"
#include "data/dataset.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/feed.h"

/* A range of samples of a dataset. */
typedef struct mpno_set {
    mpno_dataset *data; /* of a feed: shapes alone */
    mpno_feed *feed;    /* NULL: the samples are in memory */
    int64_t first, n;   /* n == 0: there is no such set */
    char key[64];       /* "16" for a grid of 16 x 16, "16x24" */
} mpno_set;

/* Several training sets are of several resolutions or files; validation data are their ends or a
 * file. */
typedef struct mpno_sets {
    mpno_set *train, *validation, *tests; /* owned */
    size_t n_train, n_validation, n_tests;
} mpno_sets;

/* "16", "16x24" into out. */
const char *mpno_grid_key(int ndim, const int64_t *grid, char *out, size_t capacity);

/* How the data of a run are read; the second one those that are trained on, with the targets of a
 * roll-out. */
mpno_dataset_opts mpno_sets_dataset_opts(const mpno_settings *settings);
mpno_dataset_opts mpno_sets_training_opts(const mpno_settings *settings);
/* The keys of the tensors that a sample is made of, into keys: x, y and what steers it, if any;
 * gives their number. */
size_t mpno_sets_keys(const mpno_settings *settings, const char *keys[3]);
/* Of a training file (path: for messages) of n samples at one of data.train_subsampling: fills the
 * channels that the settings leave open, checks those they give, and n_modes and augmentation
 * against the grid.
 */
MPNO_WARN_UNUSED mpno_status mpno_sets_fit(mpno_ctx *ctx, mpno_settings *settings, const char *path,
                                           int64_t n, const mpno_dataset *data);
/* A dataset at each of data.train_subsampling, at most MPNO_MAX_INTS; takes *whole, on failure too.
 */
MPNO_WARN_UNUSED mpno_status mpno_sets_subsample(mpno_ctx *ctx, const mpno_settings *settings,
                                                 const char *path, mpno_dataset **whole,
                                                 mpno_dataset **out, size_t *n);
/* Training and validation sets, fitted as above; writes normalisers and checksum into the state. */
MPNO_WARN_UNUSED mpno_status mpno_sets_read_training(mpno_ctx *ctx, mpno_settings *settings,
                                                     mpno_train_state *state, mpno_sets *sets);
/* The first training set on the same grids as training set `set`. */
size_t mpno_sets_twin(const mpno_sets *sets, size_t set);
/* The first training set with the most points. */
const mpno_set *mpno_sets_finest(const mpno_sets *sets);
int64_t mpno_sets_samples(const mpno_sets *sets); /* of all training sets */
/* The test sets, by the normalisers of `state`; channels must be known. */
MPNO_WARN_UNUSED mpno_status mpno_sets_read_tests(mpno_ctx *ctx, const mpno_settings *settings,
                                                  const mpno_train_state *state, mpno_sets *sets);
void mpno_sets_clear(mpno_ctx *ctx, mpno_sets *sets);

#endif
