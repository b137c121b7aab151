/* SPDX-License-Identifier: MIT
 * A trained model made ready for use: checkpoint, overrides, precision. Eval and predict share it.
 */
#ifndef MPNO_TRAIN_RESTORE_H
#define MPNO_TRAIN_RESTORE_H

#include "certify/point.h"
#include "train/checkpoint.h"
#include "train/predictor.h"

typedef struct mpno_restored {
    mpno_checkpoint *checkpoint; /* owned; its settings with the overrides in them */
    mpno_model *model;           /* owned */
    const char *policy;          /* static: a row of policies.def */
    mpno_format half;
    mpno_value *planned; /* owned: what the plan of precision.policy = auto says; NULL: none was
                            made (train/tolerance.h) */
} mpno_restored;

/* The policy and the stabiliser are those of the last phase that the checkpoint has been through;
 * an override of precision.policy changes formats only. Overrides (may be NULL) of model.* must
 * agree with the checkpoint, but are what a state dict without metadata needs. */
MPNO_WARN_UNUSED mpno_status mpno_restore(mpno_ctx *ctx, const char *path,
                                          const mpno_config *overrides, mpno_restored *out);
void mpno_restored_clear(mpno_ctx *ctx, mpno_restored *restored);
mpno_predictor_opts mpno_restored_opts(const mpno_restored *restored);
/* Inputs to predict from, encoded, of tensors under the names that the checkpoint's settings say; y
 * is a copy of x where there is no truth. out_grid is 0 where the model decides. */
MPNO_WARN_UNUSED mpno_status mpno_restored_dataset(mpno_ctx *ctx, const mpno_restored *restored,
                                                   const char *name, const mpno_tensor_file *file,
                                                   bool *has_truth, mpno_dataset **out);
/* The same in `format` as they stand in the file: not encoded. */
MPNO_WARN_UNUSED mpno_status mpno_restored_fields(mpno_ctx *ctx, const mpno_restored *restored,
                                                  const char *name, const mpno_tensor_file *file,
                                                  mpno_format format, bool *has_truth,
                                                  mpno_dataset **out);
/* What these are made of, from a data file: input, what steers and truth, where there is one, of at
 * most n_samples samples (0: all) from `first` on. available: how many there are, or NULL. */
MPNO_WARN_UNUSED mpno_status mpno_restored_select(mpno_ctx *ctx, const mpno_restored *restored,
                                                  const char *path, int64_t first,
                                                  int64_t n_samples, int64_t *available,
                                                  mpno_tensor_file **out);
/* `given`, or else the first test file of the checkpoint's configuration; NULL: there is none. */
const char *mpno_restored_data(const mpno_restored *restored, const char *given);
/* Whether the model was trained on the file, or chosen by it: it says nothing of new samples. */
bool mpno_restored_trained_on(const mpno_restored *restored, const char *path);
/* The dataset of such a file's first samples. */
MPNO_WARN_UNUSED mpno_status mpno_restored_read(mpno_ctx *ctx, const mpno_restored *restored,
                                                const char *path, int64_t n_samples,
                                                bool *has_truth, mpno_dataset **out);
/* For samples shaped like those of data, which are fields as they stand in files. embedding: that
 * of the sample to come, borrowed while it lives, or NULL. */
MPNO_WARN_UNUSED mpno_status mpno_restored_certifier(const mpno_restored *restored,
                                                     const mpno_dataset *data,
                                                     const int64_t *output_grid,
                                                     const double *embedding, mpno_certifier **out);
/* What a report says of it: checkpoint, epoch, weights, policy, format, stabilizer, arithmetic,
 * parameters, isa, threads. */
MPNO_WARN_UNUSED mpno_status mpno_restored_report(mpno_ctx *ctx, const mpno_restored *restored,
                                                  mpno_value *map);

#endif
