/* SPDX-License-Identifier: MIT
 * Whole files in, atomic files out, folders. Every failure names the path and says what to do. */
#ifndef MPNO_CORE_FILES_H
#define MPNO_CORE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/context.h"

/* A file mapped for reading. One thread at a time to open and close; reading is free. */
typedef struct mpno_mapping {
    const unsigned char *data;
    size_t size;
} mpno_mapping;
MPNO_WARN_UNUSED mpno_status mpno_map_open(mpno_ctx *ctx, const char *path, mpno_mapping *out);
void mpno_map_close(mpno_mapping *mapping);

/* Atomic writer: bytes go to "PATH.tmp-PID" (with a number behind if that exists); commit = fsync,
 * rename over PATH, fsync of the folder. Until commit the old file stays whole. A full disk or an
 * unwritable folder is MPNO_E_IO and leaves no temporary file. Links are followed; devices and
 * pipes are refused. */
typedef struct mpno_writer mpno_writer;
MPNO_WARN_UNUSED mpno_status mpno_writer_open(mpno_ctx *ctx, const char *path, mpno_writer **out);
MPNO_WARN_UNUSED mpno_status mpno_writer_write(mpno_writer *writer, const void *data, size_t bytes);
/* The file that grows, for a library that writes by name; borrowed until commit or abandon. */
const char *mpno_writer_temporary(const mpno_writer *writer);
MPNO_WARN_UNUSED mpno_status mpno_writer_commit(mpno_writer **writer); /* destroys it in any case */
void mpno_writer_abandon(mpno_writer **writer);                        /* accepts NULL */
MPNO_WARN_UNUSED mpno_status mpno_file_write_atomic(mpno_ctx *ctx, const char *path,
                                                    const void *data, size_t bytes);

/* Appends one whole line to a log (opened, written and closed; no partial line on a full disk is
 * reported as success). */
MPNO_WARN_UNUSED mpno_status mpno_file_append(mpno_ctx *ctx, const char *path, const char *text);
/* The same with bytes as they are. */
MPNO_WARN_UNUSED mpno_status mpno_file_append_bytes(mpno_ctx *ctx, const char *path,
                                                    const void *data, size_t n);
MPNO_WARN_UNUSED mpno_status
mpno_folder_create(mpno_ctx *ctx, const char *path); /* with parents; existing is fine */
bool mpno_path_exists(const char *path);
/* Whether both name one file, whatever the names are; true of equal names. */
bool mpno_path_same(const char *a, const char *b);
/* Joins folder and name into out (capacity bytes); an absolute name is taken as it is. E_ARGUMENT
 * when too long. */
MPNO_WARN_UNUSED mpno_status mpno_path_join(mpno_ctx *ctx, const char *folder, const char *name,
                                            char *out, size_t capacity);
/* The name with folder (NULL: the current one, to which folder itself is relative) in front, free
 * of links where the file is there; owned by the caller. */
MPNO_WARN_UNUSED mpno_status mpno_path_absolute(mpno_ctx *ctx, const char *folder, const char *name,
                                                char **out);
/* Folder part of a path: "." for a bare name. */
void mpno_path_folder(const char *path, char *out, size_t capacity);

#endif
