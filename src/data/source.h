/* SPDX-License-Identifier: MIT
 * The reader of "source:NAME": data that a function of the user's program gives
 * (mpno/data_source.h), as tensors "x" [sample][channel][grid..] and "y" of the source's format. */
#ifndef MPNO_DATA_SOURCE_READER_H
#define MPNO_DATA_SOURCE_READER_H

#include <stdbool.h>

#include "data/tensors.h"
#include "mpno/data_source.h"

#define MPNO_SOURCE_PREFIX "source:"

/* Whether a path names a source and no file. */
bool mpno_path_is_source(const char *path);
/* Makes the path of data, which is owned, absolute, taking it relative to folder; a source and NULL
 * stay. */
MPNO_WARN_UNUSED mpno_status mpno_data_path_settle(mpno_ctx *ctx, const char *folder, char **path);
MPNO_WARN_UNUSED mpno_status mpno_source_read(mpno_ctx *ctx, const char *path,
                                              mpno_tensor_file **out);
MPNO_WARN_UNUSED mpno_status mpno_source_list(mpno_ctx *ctx, const char *path,
                                              mpno_tensor_file **out);
MPNO_WARN_UNUSED mpno_status mpno_source_fetch(mpno_ctx *ctx, const char *path, size_t n,
                                               const mpno_piece *pieces);

#endif
