/* SPDX-License-Identifier: MIT
 * The table of readers: from a path to named tensors, whatever the format. */
#ifndef MPNO_DATA_READERS_H
#define MPNO_DATA_READERS_H

#include "data/tensors.h"

/* Reads the file with the named reader ("pt", "safetensors"); NULL: by the extension of the path.
 * E_ARGUMENT with the list of readers when there is none. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_read(mpno_ctx *ctx, const char *path,
                                                   const char *reader, mpno_tensor_file **out);

#endif
