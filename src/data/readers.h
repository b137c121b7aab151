/* SPDX-License-Identifier: MIT
 * The tables of readers and writers: from a path to named tensors and back, whatever the format. */
#ifndef MPNO_DATA_READERS_H
#define MPNO_DATA_READERS_H

#include "data/tensors.h"

/* Reads the file with the named reader ("pt", "safetensors"); NULL: by the extension of the path.
 * E_ARGUMENT with the list of readers when there is none. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_read(mpno_ctx *ctx, const char *path,
                                                   const char *reader, mpno_tensor_file **out);
/* The same without values where the format allows it: then data is NULL. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_list(mpno_ctx *ctx, const char *path,
                                                   const char *reader, mpno_tensor_file **out);
/* What guards the values of a file with this extension, and was checked when it was read whole. */
const char *mpno_tensor_file_checksum(const char *path);
/* Reads pieces of tensors in a file that was listed so (`list`, of the same file and reader): from
 * the list where it has the values, else from the file. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_fetch(mpno_ctx *ctx, const char *path,
                                                    const char *reader,
                                                    const mpno_tensor_file *list, size_t n,
                                                    const mpno_piece *pieces);

/* A file that is open to read pieces of it again and again, in memory that does not grow with it.
 */
typedef struct mpno_tensor_reader mpno_tensor_reader;
/* E_UNSUPPORTED with what to do for formats that can only be read as a whole, and for sources. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_reader_open(mpno_ctx *ctx, const char *path,
                                                     mpno_tensor_reader **out);
void mpno_tensor_reader_close(mpno_ctx *ctx, mpno_tensor_reader **reader); /* *reader may be NULL */
const char *mpno_tensor_reader_path(const mpno_tensor_reader *reader);
/* Names and shapes, borrowed. */
const mpno_tensor_file *mpno_tensor_reader_list(const mpno_tensor_reader *reader);
/* Memory for a tensor that is read, owned by the reader and used again: what the calls since
 * mpno_tensor_reader_rewind gave is valid until the next one. Memory given and taken back for each
 * piece went back to the system each time: a sixth of the rate of a small model was spent on
 * clearing pages. It grows by the context that opened the reader, so that its largest pieces are to
 * be read once by that thread. */
void mpno_tensor_reader_rewind(mpno_tensor_reader *reader);
MPNO_WARN_UNUSED mpno_status mpno_tensor_reader_memory(mpno_tensor_reader *reader, size_t bytes,
                                                       void *out_pointer);
/* One thread at a time; each call may come from another, with a context of its own. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_reader_fetch(mpno_ctx *ctx, mpno_tensor_reader *reader,
                                                      size_t n, const mpno_piece *pieces);

/* Writes the list in the format that the extension of the path says, atomically. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_write(mpno_ctx *ctx, const char *path,
                                                    const mpno_tensor_file *file);
/* E_ARGUMENT with the list of writers when no writer has the extension: to be asked before the work
 * that makes the values. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_can_write(mpno_ctx *ctx, const char *path);

#endif
