/* SPDX-License-Identifier: MIT
 * The data of a run: training, validation and test sets, read once, checked against the model and
 * normalised. Inputs are encoded everywhere, outputs only in the training set: errors are measured
 * in physical units. */
#ifndef MPNO_TRAIN_SETS_H
#define MPNO_TRAIN_SETS_H

#include "core/context.h"
#include "data/dataset.h"
#include "train/checkpoint.h"
#include "train/config.h"

/* A range of samples of a dataset. */
typedef struct mpno_set {
    mpno_dataset *data;
    int64_t first, n; /* n == 0: there is no such set */
    char key[64];     /* "16" for a grid of 16 x 16, "16x24" */
} mpno_set;

typedef struct mpno_sets {
    mpno_set train, validation;
    mpno_set *tests; /* owned */
    size_t n_tests;
} mpno_sets;

/* "16", "16x24" into out. */
const char *mpno_grid_key(int ndim, const int64_t *grid, char *out, size_t capacity);

/* How the data of a run are read. */
mpno_dataset_opts mpno_sets_dataset_opts(const mpno_settings *settings);
/* The keys of the tensors that a sample is made of, into keys: x, y and what steers it, if any;
 * gives their number. */
size_t mpno_sets_keys(const mpno_settings *settings, const char *keys[3]);
/* Fills the channels that the settings leave open from the training data, checks those they give,
 * and n_modes and augmentation against the grid. */
MPNO_WARN_UNUSED mpno_status mpno_sets_fit(mpno_ctx *ctx, mpno_settings *settings,
                                           const mpno_dataset *data);
/* Training and validation sets. Fills the channels of the model that the settings leave open,
 * checks those they give, n_modes and augmentation against the grid, and writes normalisers and checksum into the
 * state. */
MPNO_WARN_UNUSED mpno_status mpno_sets_read_training(mpno_ctx *ctx, mpno_settings *settings,
                                                     mpno_train_state *state, mpno_sets *sets);
/* The test sets, by the normalisers of `state`; channels must be known. */
MPNO_WARN_UNUSED mpno_status mpno_sets_read_tests(mpno_ctx *ctx, const mpno_settings *settings,
                                                  const mpno_train_state *state, mpno_sets *sets);
void mpno_sets_clear(mpno_ctx *ctx, mpno_sets *sets);

#endif
