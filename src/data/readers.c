/* SPDX-License-Identifier: MIT
 * Chooses a reader or a writer: see readers.h. */
#include "data/readers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/memory.h"
#include "data/hdf5.h"
#include "data/npy.h"
#include "data/pt.h"
#include "data/safetensors.h"
#include "data/source.h"

/* Pieces of a file. hdf5: it stays open between calls; .npy is mapped by each call, so that what
 * was read of it does not count as the process's memory. */
typedef struct access {
    mpno_status (*fetch)(mpno_ctx *ctx, const char *path, size_t n, const mpno_piece *pieces);
    bool opened;   /* in HDF5's way; else by path */
    bool streamed; /* whether a run may read it while it trains */
} access;
static const access NPY = {mpno_npy_fetch, false, true}, HDF5 = {mpno_hdf5_fetch, true, true},
                    SOURCE = {mpno_source_fetch, false, false};

static const struct reader {
    const char *name, *extensions, *checksum;
    mpno_status (*read)(mpno_ctx *ctx, const char *path, mpno_tensor_file **out);
    mpno_status (*list)(mpno_ctx *ctx, const char *path, mpno_tensor_file **out);
    const access *access;
} READERS[] = {
#define MPNO_READER(name, extensions, function, list, access, checksum) \
    {#name, extensions, checksum, function, list, access},
#include "data/readers.def"
#undef MPNO_READER
};

static const struct writer {
    const char *name, *extensions;
    mpno_status (*write)(mpno_ctx *ctx, const char *path, const mpno_tensor_file *file);
} WRITERS[] = {
#define MPNO_WRITER(name, extensions, function) {#name, extensions, function},
#include "data/writers.def"
#undef MPNO_WRITER
};

enum {
    N_READERS = sizeof READERS / sizeof *READERS,
    N_WRITERS = sizeof WRITERS / sizeof *WRITERS,
    KNOWN_TEXT = 400
};

/* True when one word of `extensions` ends the path; upper and lower case are the same. What begins
 * as a source is one, whatever its end. */
static bool has_extension(const char *path, const char *extensions) {
    size_t n_path = strlen(path);
    if (mpno_path_is_source(path)) return strcmp(extensions, MPNO_SOURCE_PREFIX) == 0;
    while (*extensions) {
        size_t n = strcspn(extensions, " ");
        if (n_path > n && strncasecmp(path + n_path - n, extensions, n) == 0) return true;
        extensions += n + (extensions[n] == ' ');
    }
    return false;
}

/* Appends "name (extensions)" to a list of them. */
static void add_known(char known[KNOWN_TEXT], const char *name, const char *extensions) {
    const size_t n = strlen(known);
    (void)snprintf(known + n, KNOWN_TEXT - n, "%s%s (%s)", n > 0 ? ", " : "", name, extensions);
}

static mpno_status find_reader(mpno_ctx *ctx, const char *path, const char *reader,
                               const struct reader **out) {
    char known[KNOWN_TEXT] = "";
    for (int i = 0; i < N_READERS; i++) {
        *out = &READERS[i];
        bool chosen = reader ? strcmp(reader, READERS[i].name) == 0
                             : has_extension(path, READERS[i].extensions);
        if (chosen) return MPNO_OK;
        add_known(known, READERS[i].name, READERS[i].extensions);
    }
    if (reader)
        return mpno_fail(ctx, MPNO_E_ARGUMENT, "%s: there is no reader '%s'; there are %s", path,
                         reader, known);
    return mpno_fail(ctx, MPNO_E_ARGUMENT, "%s: no reader knows this extension; there are %s", path,
                     known);
}

mpno_status mpno_tensor_file_read(mpno_ctx *ctx, const char *path, const char *reader,
                                  mpno_tensor_file **out) {
    const struct reader *r;
    *out = NULL;
    MPNO_TRY(find_reader(ctx, path, reader, &r));
    return r->read(ctx, path, out);
}

const char *mpno_tensor_file_checksum(const char *path) {
    for (int i = 0; i < N_READERS; i++)
        if (has_extension(path, READERS[i].extensions)) return READERS[i].checksum;
    return "none";
}

mpno_status mpno_tensor_file_list(mpno_ctx *ctx, const char *path, const char *reader,
                                  mpno_tensor_file **out) {
    const struct reader *r;
    *out = NULL;
    MPNO_TRY(find_reader(ctx, path, reader, &r));
    return (r->list ? r->list : r->read)(ctx, path, out);
}

/* A piece of a tensor in memory. */
static void copy_piece(const mpno_named_tensor *t, const mpno_piece *p) {
    int64_t stride[MPNO_MAX_DIMS], at = 0, all = 1;
    for (int d = t->ndim - 1; d >= 0; d--) {
        stride[d] = all * p->step[d];
        at += p->start[d] * all;
        all *= t->shape[d];
    }
    const size_t size = mpno_element_bytes(t->element);
    mpno_gather(p->out, (const char *)t->data + (size_t)at * size, size, t->ndim, p->count, stride);
}

mpno_status mpno_tensor_file_fetch(mpno_ctx *ctx, const char *path, const char *reader,
                                   const mpno_tensor_file *list, size_t n,
                                   const mpno_piece *pieces) {
    const struct reader *r;
    MPNO_TRY(find_reader(ctx, path, reader, &r));
    if (r->access) return r->access->fetch(ctx, path, n, pieces);
    for (size_t i = 0; i < n; i++) {
        const mpno_named_tensor *t;
        MPNO_TRY(mpno_tensor_file_require(ctx, list, pieces[i].name, &t));
        MPNO_TRY(mpno_piece_check(ctx, &pieces[i], t->shape));
        copy_piece(t, &pieces[i]);
    }
    return MPNO_OK;
}

/* -------- files that stay open -------- */

/* Memory that is kept, in the order in which it is asked for. */
typedef struct buffer {
    void *data; /* owned */
    size_t bytes;
} buffer;

struct mpno_tensor_reader {
    mpno_ctx *ctx; /* that opened it */
    char *path;    /* owned */
    const struct reader *kind;
    mpno_tensor_file *list; /* owned */
    mpno_hdf5_file *hdf5;   /* owned; NULL: another format */
    buffer *buffers;        /* [n_buffers], owned */
    size_t n_buffers, n_used;
};

static mpno_status open_reader(mpno_ctx *ctx, const char *path, mpno_tensor_reader *r) {
    MPNO_TRY(find_reader(ctx, path, NULL, &r->kind));
    const access *way = r->kind->access;
    MPNO_CHECK(ctx, way, MPNO_E_UNSUPPORTED,
               "%s: %s files are read as a whole and cannot be streamed: convert it (mpno data "
               "convert %s OUT.h5) on a machine that can hold it, or give data.streaming=never",
               path, r->kind->name, path);
    MPNO_CHECK(ctx, way->streamed, MPNO_E_UNSUPPORTED,
               "%s: a data source is read as a whole and cannot be streamed: give "
               "data.streaming=never",
               path);
    MPNO_TRY(mpno_strdup(ctx, path, &r->path));
    MPNO_TRY(r->kind->list(ctx, path, &r->list));
    if (!way->opened) return MPNO_OK;
    const mpno_status status = mpno_hdf5_open(ctx, r->path, 0, NULL, &r->hdf5);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}

mpno_status mpno_tensor_reader_open(mpno_ctx *ctx, const char *path, mpno_tensor_reader **out) {
    *out = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof **out, out));
    (*out)->ctx = ctx;
    const mpno_status status = open_reader(ctx, path, *out);
    if (status != MPNO_OK) mpno_tensor_reader_close(ctx, out);
    return status;
}

void mpno_tensor_reader_close(mpno_ctx *ctx, mpno_tensor_reader **reader) {
    if (!*reader) return;
    mpno_hdf5_close(ctx, &(*reader)->hdf5);
    mpno_tensor_file_destroy(ctx, &(*reader)->list);
    for (size_t i = 0; i < (*reader)->n_buffers; i++) mpno_free(ctx, (*reader)->buffers[i].data);
    mpno_free(ctx, (*reader)->buffers);
    mpno_free(ctx, (*reader)->path);
    mpno_free(ctx, *reader);
    *reader = NULL;
}

const char *mpno_tensor_reader_path(const mpno_tensor_reader *r) {
    return r->path;
}

const mpno_tensor_file *mpno_tensor_reader_list(const mpno_tensor_reader *r) {
    return r->list;
}

void mpno_tensor_reader_rewind(mpno_tensor_reader *r) {
    r->n_used = 0;
}

mpno_status mpno_tensor_reader_memory(mpno_tensor_reader *r, size_t bytes, void *out_pointer) {
    if (r->n_used == r->n_buffers) {
        MPNO_TRY(mpno_realloc_array(r->ctx, &r->buffers, r->n_buffers, r->n_buffers + 1,
                                    sizeof *r->buffers));
        r->n_buffers++;
    }
    buffer *b = &r->buffers[r->n_used];
    if (bytes > b->bytes || !b->data) {
        mpno_free(r->ctx, b->data);
        *b = (buffer){0};
        MPNO_TRY(mpno_alloc_raw(r->ctx, bytes, &b->data));
        b->bytes = bytes;
    }
    r->n_used++;
    memcpy(out_pointer, &b->data, sizeof b->data);
    return MPNO_OK;
}

mpno_status mpno_tensor_reader_fetch(mpno_ctx *ctx, mpno_tensor_reader *r, size_t n,
                                     const mpno_piece *pieces) {
    return r->hdf5 ? mpno_hdf5_fetch_from(ctx, r->hdf5, n, pieces)
                   : r->kind->access->fetch(ctx, r->path, n, pieces);
}

/* -------- writers -------- */

static mpno_status find_writer(mpno_ctx *ctx, const char *path, const struct writer **out) {
    char known[KNOWN_TEXT] = "";
    for (int i = 0; i < N_WRITERS; i++) {
        *out = &WRITERS[i];
        if (has_extension(path, WRITERS[i].extensions)) return MPNO_OK;
        add_known(known, WRITERS[i].name, WRITERS[i].extensions);
    }
    return mpno_fail(ctx, MPNO_E_ARGUMENT, "%s: no writer knows this extension; there are %s", path,
                     known);
}

mpno_status mpno_tensor_file_can_write(mpno_ctx *ctx, const char *path) {
    const struct writer *w;
    return find_writer(ctx, path, &w);
}

mpno_status mpno_tensor_file_write(mpno_ctx *ctx, const char *path, const mpno_tensor_file *file) {
    const struct writer *w;
    MPNO_TRY(find_writer(ctx, path, &w));
    return w->write(ctx, path, file);
}
