/* SPDX-License-Identifier: MIT
 * Zip archives through libzip: see archive.h. */
#include "data/archive.h"

#include <stdio.h>
#include <zip.h>

#include "core/files.h"
#include "core/memory.h"

enum {
    MAX_ENTRY_NAME = 512,
    MAX_DEFLATE_RATIO = 1040 /* deflate cannot expand by more than 1032 */
};

struct mpno_archive {
    mpno_ctx *ctx;
    zip_t *zip;
    zip_int64_t n_entries;
    bool *verified;  /* per entry: read to its end, so its CRC was right */
    uint64_t *sizes; /* per entry, uncompressed */
};

static mpno_status fail_zip(const mpno_archive *a, zip_error_t *error, const char *what) {
    return mpno_fail(a->ctx, MPNO_E_FORMAT, "%s: %s; the file is damaged or was cut short", what,
                     zip_error_strerror(error));
}

static mpno_status open_zip(mpno_archive *a, const void *data, size_t size) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(data, size, 0, &error);
    if (source) a->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    mpno_status status = MPNO_OK;
    if (!a->zip) {
        status = fail_zip(a, &error, "the zip archive cannot be opened");
        zip_source_free(source);
    }
    zip_error_fini(&error);
    return status;
}

/* What the central directory promises must be possible for a file of this size before anything is
 * allocated for it. */
static mpno_status check_entries(mpno_archive *a, size_t file_size) {
    a->n_entries = zip_get_num_entries(a->zip, 0);
    MPNO_TRY(mpno_alloc_array(a->ctx, (size_t)a->n_entries, sizeof *a->verified, &a->verified));
    MPNO_TRY(mpno_alloc_array(a->ctx, (size_t)a->n_entries, sizeof *a->sizes, &a->sizes));
    uint64_t left = file_size;
    for (zip_int64_t i = 0; i < a->n_entries; i++) {
        zip_stat_t entry;
        const zip_uint64_t wanted = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                    ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD |
                                    ZIP_STAT_CRC;
        bool known = zip_stat_index(a->zip, (zip_uint64_t)i, 0, &entry) == 0 &&
                     (entry.valid & wanted) == wanted;
        MPNO_CHECK(a->ctx, known, MPNO_E_FORMAT, "zip entry %lld has no size or name",
                   (long long)i);
        bool stored = entry.comp_method == ZIP_CM_STORE;
        MPNO_CHECK(
            a->ctx, stored || entry.comp_method == ZIP_CM_DEFLATE, MPNO_E_UNSUPPORTED,
            "zip entry '%.200s' is compressed by method %d; only stored and deflated entries "
            "are read",
            entry.name, entry.comp_method);
        MPNO_CHECK(a->ctx, entry.encryption_method == ZIP_EM_NONE, MPNO_E_UNSUPPORTED,
                   "zip entry '%.200s' is encrypted", entry.name);
        bool possible =
            entry.comp_size <= left && (stored ? entry.size == entry.comp_size
                                               : entry.size / MAX_DEFLATE_RATIO <= entry.comp_size);
        MPNO_CHECK(a->ctx, possible, MPNO_E_FORMAT,
                   "zip entry '%.200s' promises %llu bytes, more than the file can hold",
                   entry.name, (unsigned long long)entry.size);
        left -= entry.comp_size;
        a->sizes[i] = entry.size;
    }
    return MPNO_OK;
}

mpno_status mpno_archive_open(mpno_ctx *ctx, const void *data, size_t size, mpno_archive **out) {
    *out = NULL;
    mpno_archive *a;
    MPNO_TRY(mpno_alloc(ctx, sizeof *a, &a));
    a->ctx = ctx;
    mpno_status status = open_zip(a, data, size);
    if (status == MPNO_OK) status = check_entries(a, size);
    if (status != MPNO_OK)
        mpno_archive_close(&a);
    else
        *out = a;
    return status;
}

void mpno_archive_close(mpno_archive **archive) {
    if (!archive || !*archive) return;
    mpno_archive *a = *archive;
    if (a->zip) zip_discard(a->zip);
    mpno_free(a->ctx, a->verified);
    mpno_free(a->ctx, a->sizes);
    mpno_free(a->ctx, a);
    *archive = NULL;
}

int64_t mpno_archive_count(const mpno_archive *a) {
    return a->n_entries;
}

const uint64_t *mpno_archive_sizes(const mpno_archive *a) {
    return a->sizes;
}

const char *mpno_archive_name(const mpno_archive *a, int64_t index) {
    return zip_get_name(a->zip, (zip_uint64_t)index, 0);
}

int64_t mpno_archive_locate(const mpno_archive *a, const char *name) {
    return zip_name_locate(a->zip, name, 0);
}

mpno_status mpno_archive_read(mpno_archive *a, int64_t index, void **out) {
    char scratch[1];
    const char *name = zip_get_name(a->zip, (zip_uint64_t)index, 0);
    uint64_t size = a->sizes[index], done = 0;
    char *bytes;
    *out = NULL;
    MPNO_TRY(mpno_alloc_raw(a->ctx, (size_t)size, &bytes));
    zip_file_t *file = zip_fopen_index(a->zip, (zip_uint64_t)index, 0);
    zip_int64_t got = 0;
    while (file && done < size) {
        got = zip_fread(file, bytes + done, size - done);
        if (got <= 0) break;
        done += (uint64_t)got;
    }
    /* libzip compares size and CRC when it meets the end, so the end must be asked for. */
    bool whole = file && done == size && zip_fread(file, scratch, 1) == 0;
    mpno_status status = MPNO_OK;
    if (!whole) {
        zip_error_t *error = file ? zip_file_get_error(file) : zip_get_error(a->zip);
        char what[MAX_ENTRY_NAME + 40];
        snprintf(what, sizeof what, "zip entry '%.*s' cannot be read", MAX_ENTRY_NAME,
                 name ? name : "");
        status = fail_zip(a, error, what);
        mpno_free(a->ctx, bytes);
    } else {
        a->verified[index] = true;
        *out = bytes;
    }
    if (file) zip_fclose(file);
    return status;
}

mpno_status mpno_archive_read_rest(mpno_archive *a) {
    for (zip_int64_t i = 0; i < a->n_entries; i++) {
        if (a->verified[i]) continue;
        void *bytes;
        MPNO_TRY(mpno_archive_read(a, i, &bytes));
        mpno_free(a->ctx, bytes);
    }
    return MPNO_OK;
}

/* ---- writing ---- */

static mpno_status fail_write(mpno_ctx *ctx, zip_error_t *error) {
    return mpno_fail(ctx, MPNO_E_IO, "the zip archive cannot be made: %s",
                     zip_error_strerror(error));
}

/* All entries, uncompressed and without the time of day. */
static mpno_status add_entries(mpno_ctx *ctx, zip_t *zip, const mpno_archive_entry *entries,
                               size_t n) {
    enum { FIRST_DATE = 1 << 5 | 1 }; /* 1980-01-01, the earliest that the format knows */
    for (size_t i = 0; i < n; i++) {
        zip_source_t *source = zip_source_buffer(zip, entries[i].data, entries[i].bytes, 0);
        const zip_int64_t index =
            source ? zip_file_add(zip, entries[i].name, source, ZIP_FL_ENC_UTF_8) : -1;
        if (index < 0) {
            zip_source_free(source);
            return fail_write(ctx, zip_get_error(zip));
        }
        const zip_uint64_t at = (zip_uint64_t)index;
        if (zip_set_file_compression(zip, at, ZIP_CM_STORE, 0) != 0 ||
            zip_file_set_dostime(zip, at, 0, FIRST_DATE, 0) != 0)
            return fail_write(ctx, zip_get_error(zip));
    }
    return MPNO_OK;
}

/* Copies what libzip has put into the buffer to the file. */
static mpno_status copy_out(mpno_ctx *ctx, zip_source_t *buffer, const char *path) {
    char piece[16384];
    mpno_writer *writer;
    if (zip_source_open(buffer) != 0) return fail_write(ctx, zip_source_error(buffer));
    mpno_status status = mpno_writer_open(ctx, path, &writer);
    zip_int64_t got = 0;
    while (status == MPNO_OK && (got = zip_source_read(buffer, piece, sizeof piece)) > 0)
        status = mpno_writer_write(writer, piece, (size_t)got);
    if (status == MPNO_OK && got < 0) status = fail_write(ctx, zip_source_error(buffer));
    zip_source_close(buffer);
    if (status != MPNO_OK) {
        mpno_writer_abandon(&writer);
        return status;
    }
    return mpno_writer_commit(&writer);
}

mpno_status mpno_archive_write(mpno_ctx *ctx, const char *path, const mpno_archive_entry *entries,
                               size_t n) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *buffer = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = buffer ? zip_open_from_source(buffer, ZIP_TRUNCATE, &error) : NULL;
    mpno_status status = zip ? MPNO_OK : fail_write(ctx, &error);
    if (zip) zip_source_keep(buffer); /* closing the archive would free it */
    if (status == MPNO_OK) status = add_entries(ctx, zip, entries, n);
    if (status == MPNO_OK && zip_close(zip) != 0) status = fail_write(ctx, zip_get_error(zip));
    if (status == MPNO_OK)
        status = copy_out(ctx, buffer, path);
    else if (zip)
        zip_discard(zip);
    zip_source_free(buffer);
    zip_error_fini(&error);
    return status;
}
