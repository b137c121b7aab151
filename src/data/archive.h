/* SPDX-License-Identifier: MIT
 * Zip archives: what .pt and .npz files are. Read are stored and deflated entries; written are
 * stored ones. What the central directory promises must be possible for a file of this size, and
 * the CRC of every entry that is read is checked. Defects are E_FORMAT; encryption and other
 * methods E_UNSUPPORTED. */
#ifndef MPNO_DATA_ARCHIVE_H
#define MPNO_DATA_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "core/context.h"

typedef struct mpno_archive mpno_archive;

/* The bytes of the file are borrowed until the archive is closed. */
MPNO_WARN_UNUSED mpno_status mpno_archive_open(mpno_ctx *ctx, const void *data, size_t size,
                                               mpno_archive **out);
void mpno_archive_close(mpno_archive **archive); /* accepts NULL and *archive == NULL */
int64_t mpno_archive_count(const mpno_archive *archive);
/* Of every entry, uncompressed; borrowed. */
const uint64_t *mpno_archive_sizes(const mpno_archive *archive);
/* From the central directory; borrowed, may be NULL in damaged files. */
const char *mpno_archive_name(const mpno_archive *archive, int64_t index);
int64_t mpno_archive_locate(const mpno_archive *archive, const char *name); /* -1: no such entry */
/* The entry's bytes, owned by the caller (mpno_free). */
MPNO_WARN_UNUSED mpno_status mpno_archive_read(mpno_archive *archive, int64_t index, void **out);
/* Reads what was not read yet, so that a changed bit anywhere in the contents is found. */
MPNO_WARN_UNUSED mpno_status mpno_archive_read_rest(mpno_archive *archive);

/* An entry to be written; borrowed. */
typedef struct mpno_archive_entry {
    const char *name;
    const void *data;
    size_t bytes;
} mpno_archive_entry;
/* An archive of stored entries in this order, with no dates, written atomically: equal entries give
 * equal files. */
MPNO_WARN_UNUSED mpno_status mpno_archive_write(mpno_ctx *ctx, const char *path,
                                                const mpno_archive_entry *entries, size_t n);

#endif
