/* SPDX-License-Identifier: MIT
 * What others have published of their models on a public data set, to stand beside ours. */
#ifndef MPNO_TRAIN_PUBLISHED_H
#define MPNO_TRAIN_PUBLISHED_H

#include "core/value.h"
#include "train/sink.h"

/* Of the data file at `path`, known by its name: as text, and as a list of {model, rmse, nrmse,
 * source} at map["published"]. Nothing where nothing is known. */
MPNO_WARN_UNUSED mpno_status mpno_published(mpno_ctx *ctx, const char *path, const mpno_sink *sink,
                                            mpno_value *map);

#endif
