/* SPDX-License-Identifier: MIT
 * Reader of torch.save files: see pt.h. Storages are read one after the other and each serves all
 * its tensors before it is freed, so that the most memory in use is the tensors and one storage. */
#include "data/pt.h"

#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/archive.h"
#include "data/pickle.h"
#include "data/pickle_tree.h"

enum { MAX_ENTRY_NAME = 512 };

typedef struct archive {
    mpno_ctx *ctx;
    mpno_archive *zip;
    int64_t n_entries;
    const uint64_t *sizes;     /* per entry, uncompressed */
    char stem[MAX_ENTRY_NAME]; /* "archive/", "" when data.pkl stands at the top */
} archive;

/* -------- the archive -------- */

static mpno_status fail_not_zip(mpno_ctx *ctx, const unsigned char *data, size_t size) {
    static const unsigned char legacy[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                           0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    bool tar = size > 262 && memcmp(data + 257, "ustar", 5) == 0;
    if (tar || (size >= sizeof legacy && memcmp(data, legacy, sizeof legacy) == 0))
        return mpno_fail(
            ctx, MPNO_E_UNSUPPORTED,
            "this is the %s format that torch.save wrote before PyTorch 1.6, which is not "
            "read; load it in Python and save it again with torch.save",
            tar ? "tar" : "legacy pickle");
    if (size > 1 && data[0] == 0x80)
        return mpno_fail(
            ctx, MPNO_E_UNSUPPORTED,
            "this is a bare Python pickle, not a torch.save file, and is not read; save the "
            "tensors with torch.save");
    return mpno_fail(ctx, MPNO_E_FORMAT,
                     "this is not a torch.save file: it does not begin like a zip archive (PK)");
}

/* Finds the one "STEM/data.pkl". Names come from the central directory. */
static mpno_status find_pickle(archive *a, int64_t *index) {
    static const char tail[] = "data.pkl";
    *index = -1;
    for (int64_t i = 0; i < a->n_entries; i++) {
        const char *name = mpno_archive_name(a->zip, i);
        const char *slash = name ? strchr(name, '/') : NULL;
        if (!name || strcmp(slash ? slash + 1 : name, tail) != 0) continue;
        size_t n = strlen(name) - (sizeof tail - 1);
        MPNO_CHECK(a->ctx, n < sizeof a->stem, MPNO_E_FORMAT,
                   "the name of a zip entry is too long");
        MPNO_CHECK(a->ctx, *index < 0, MPNO_E_FORMAT, "the zip archive has more than one data.pkl");
        memcpy(a->stem, name, n);
        a->stem[n] = '\0';
        *index = i;
    }
    MPNO_CHECK(a->ctx, *index >= 0, MPNO_E_FORMAT,
               "the zip archive has no STEM/data.pkl: torch.save did not write it");
    return MPNO_OK;
}

static mpno_status read_entry(archive *a, int64_t index, void **out) {
    return mpno_archive_read(a->zip, index, out);
}

/* STEM + name; -1: no such entry. */
static int64_t locate(const archive *a, const char *name) {
    char full[2 * MAX_ENTRY_NAME];
    snprintf(full, sizeof full, "%s%s", a->stem, name);
    return mpno_archive_locate(a->zip, full);
}

static mpno_status check_byte_order(archive *a) {
    int64_t index = locate(a, "byteorder");
    if (index < 0) return MPNO_OK; /* older files have none: they are little-endian */
    char *text;
    MPNO_TRY(read_entry(a, index, (void **)&text));
    uint64_t size = a->sizes[index];
    bool little = size == 6 && memcmp(text, "little", 6) == 0;
    bool big = size == 3 && memcmp(text, "big", 3) == 0;
    mpno_free(a->ctx, text);
    MPNO_CHECK(a->ctx, !big, MPNO_E_UNSUPPORTED,
               "the file was saved on a big-endian machine; save it again on a little-endian one");
    MPNO_CHECK(a->ctx, little, MPNO_E_FORMAT, "the entry 'byteorder' is neither little nor big");
    return MPNO_OK;
}

/* -------- tensors -------- */

typedef struct view {
    int ndim;
    int64_t shape[MPNO_MAX_DIMS], stride[MPNO_MAX_DIMS], offset;
} view;

static view view_of(const mpno_pickle_object *tensor) {
    view v = {.ndim = (int)tensor->items[1]->n, .offset = tensor->integer};
    for (int d = 0; d < v.ndim; d++) {
        v.shape[d] = tensor->items[1]->items[d]->integer;
        v.stride[d] = tensor->items[2]->items[d]->integer;
    }
    return v;
}

/* One line along the last axis: n elements of `bytes` bytes, `step` elements apart, from byte `at`
 * on. */
static void gather_line(char *to, const char *storage, size_t at, int64_t n, size_t step,
                        size_t bytes) {
    if (step == 1) {
        memcpy(to, storage + at, (size_t)n * bytes);
        return;
    }
    for (int64_t i = 0; i < n; i++, to += bytes, at += step * bytes) {
        const char *from = storage + at;
        switch (bytes) { /* constant sizes become single moves */
            case 1:
                *to = *from;
                break;
            case 2:
                memcpy(to, from, 2);
                break;
            case 4:
                memcpy(to, from, 4);
                break;
            case 8:
                memcpy(to, from, 8);
                break;
            default:
                memcpy(to, from, bytes);
        }
    }
}

/* Copies the view into C order. Its bounds were checked by data/pickle_build.c against a storage of
 * this size. Positions are unsigned numbers, not pointers: past the last element of an axis they
 * may leave the storage before they come back. */
static void gather(char *to, const char *storage, const view *v, size_t bytes) {
    int64_t index[MPNO_MAX_DIMS] = {0};
    int last = v->ndim - 1;
    size_t at = (size_t)v->offset * bytes;
    for (int d = 0; d < v->ndim; d++)
        if (v->shape[d] == 0) return;
    if (v->ndim == 0) {
        memcpy(to, storage + at, bytes);
        return;
    }
    for (;;) {
        gather_line(to, storage, at, v->shape[last], (size_t)v->stride[last], bytes);
        to += (size_t)v->shape[last] * bytes;
        int d = last - 1;
        for (; d >= 0; d--) {
            at += (size_t)v->stride[d] * bytes;
            if (++index[d] < v->shape[d]) break;
            at -= (size_t)v->stride[d] * (size_t)v->shape[d] * bytes;
            index[d] = 0;
        }
        if (d < 0) return;
    }
}

static bool same_storage(const mpno_pickle_leaf *a, const mpno_pickle_leaf *b) {
    mpno_pickle_text s = a->tensor->items[0]->text, t = b->tensor->items[0]->text;
    return s.n == t.n && memcmp(s.data, t.data, s.n) == 0;
}

/* Finds the entry of a leaf's storage and checks its size. */
static mpno_status find_storage(const archive *a, const mpno_pickle_leaf *leaf,
                                int64_t *index) {
    const mpno_pickle_object *storage = leaf->tensor->items[0];
    char name[MAX_ENTRY_NAME];
    MPNO_CHECK(a->ctx,
               storage->text.n < sizeof name - 8 && !memchr(storage->text.data, 0, storage->text.n),
               MPNO_E_FORMAT, "tensor '%s': the name of its storage is not valid", leaf->path);
    snprintf(name, sizeof name, "data/%.*s", (int)storage->text.n, storage->text.data);
    *index = locate(a, name);
    MPNO_CHECK(a->ctx, *index >= 0, MPNO_E_FORMAT,
               "tensor '%s': the zip archive has no entry '%s%s'", leaf->path, a->stem, name);
    uint64_t bytes = mpno_element_bytes(storage->element), count = (uint64_t)storage->integer;
    MPNO_CHECK(a->ctx, count <= a->sizes[*index] / bytes && count * bytes == a->sizes[*index],
               MPNO_E_FORMAT,
               "tensor '%s': its storage should have %llu values of %s but zip entry '%s%s' "
               "has %llu bytes",
               leaf->path, (unsigned long long)count, mpno_element_name(storage->element), a->stem,
               name, (unsigned long long)a->sizes[*index]);
    return MPNO_OK;
}

/* Makes all tensors with their shapes, not yet filled. The sum is bounded first: views with stride
 * 0 can stand for any size. */
static mpno_status make_tensors(archive *a, const mpno_pickle_leaves *leaves,
                                mpno_tensor_file *file) {
    uint64_t stored = 0, used = 0;
    for (int64_t i = 0; i < a->n_entries; i++) stored += a->sizes[i];
    for (size_t i = 0; i < leaves->n; i++) {
        const mpno_pickle_leaf *leaf = &leaves->items[i];
        view v = view_of(leaf->tensor);
        mpno_element element = leaf->tensor->items[0]->element;
        int64_t count;
        size_t bytes;
        uint64_t limit = 16 * stored + (1 << 20);
        bool fits = mpno_shape_measure(element, v.ndim, v.shape, &count, &bytes) && used <= limit &&
                    bytes <= limit - used;
        MPNO_CHECK(a->ctx, fits, MPNO_E_FORMAT,
                   "tensor '%s' is an expanded view far larger than the file; save a copy of it "
                   "(tensor.clone())",
                   leaf->path);
        used += bytes;
        MPNO_CHECK(a->ctx, !mpno_tensor_file_find(file, leaf->path), MPNO_E_FORMAT,
                   "two tensors are both called '%s'", leaf->path);
        MPNO_TRY(mpno_tensor_file_add(a->ctx, file, leaf->path, element, v.ndim, v.shape, NULL));
    }
    return MPNO_OK;
}

/* Fills tensors[first] and all later ones of the same storage; done[i] marks them. */
static mpno_status fill_from_storage(archive *a, const mpno_pickle_leaves *leaves, size_t first,
                                     mpno_tensor_file *file, bool *done) {
    int64_t index;
    void *storage;
    MPNO_TRY(find_storage(a, &leaves->items[first], &index));
    MPNO_TRY(read_entry(a, index, &storage));
    mpno_status status = MPNO_OK;
    for (size_t i = first; i < leaves->n && status == MPNO_OK; i++) {
        if (done[i] || !same_storage(&leaves->items[first], &leaves->items[i])) continue;
        int64_t again; /* each names element and count of the storage itself: check both */
        status = find_storage(a, &leaves->items[i], &again);
        if (status != MPNO_OK) break;
        view v = view_of(leaves->items[i].tensor);
        gather(file->tensors[i].data, storage, &v, mpno_element_bytes(file->tensors[i].element));
        done[i] = true;
    }
    mpno_free(a->ctx, storage);
    return status;
}

static mpno_status read_tensors(archive *a, const mpno_pickle_leaves *leaves,
                                mpno_tensor_file *file) {
    bool *done;
    MPNO_TRY(make_tensors(a, leaves, file));
    MPNO_TRY(mpno_alloc_array(a->ctx, leaves->n, sizeof *done, &done));
    mpno_status status = MPNO_OK;
    for (size_t i = 0; i < leaves->n && status == MPNO_OK; i++)
        if (!done[i]) status = fill_from_storage(a, leaves, i, file, done);
    mpno_free(a->ctx, done);
    return status;
}

static mpno_status read_objects(archive *a, const void *text, size_t size, mpno_tensor_file *file) {
    mpno_pickle *pickle;
    mpno_pickle_leaves leaves;
    MPNO_TRY(mpno_pickle_parse(a->ctx, text, size, &pickle));
    mpno_status status =
        mpno_pickle_tree(a->ctx, mpno_pickle_top(pickle), size, &file->object, &leaves);
    if (status == MPNO_OK) status = read_tensors(a, &leaves, file);
    mpno_pickle_leaves_destroy(a->ctx, &leaves);
    mpno_pickle_destroy(a->ctx, &pickle);
    return status;
}

static mpno_status read_archive(archive *a, const void *data, size_t size, mpno_tensor_file *file) {
    int64_t index;
    void *text;
    MPNO_TRY(mpno_archive_open(a->ctx, data, size, &a->zip));
    a->n_entries = mpno_archive_count(a->zip);
    a->sizes = mpno_archive_sizes(a->zip);
    MPNO_TRY(find_pickle(a, &index));
    MPNO_TRY(check_byte_order(a));
    MPNO_TRY(read_entry(a, index, &text));
    mpno_status status = read_objects(a, text, (size_t)a->sizes[index], file);
    mpno_free(a->ctx, text);
    MPNO_TRY(status);
    return mpno_archive_read_rest(a->zip);
}

mpno_status mpno_pt_parse(mpno_ctx *ctx, const void *data, size_t size, mpno_tensor_file **out) {
    *out = NULL;
    if (size < 4 || memcmp(data, "PK\3\4", 4) != 0) return fail_not_zip(ctx, data, size);
    mpno_tensor_file *file;
    MPNO_TRY(mpno_tensor_file_create(ctx, &file));
    archive a = {.ctx = ctx};
    mpno_status status = read_archive(&a, data, size, file);
    mpno_archive_close(&a.zip);
    if (status != MPNO_OK)
        mpno_tensor_file_destroy(ctx, &file);
    else
        *out = file;
    return status;
}

mpno_status mpno_pt_read(mpno_ctx *ctx, const char *path, mpno_tensor_file **out) {
    mpno_mapping mapping;
    *out = NULL;
    MPNO_TRY(mpno_map_open(ctx, path, &mapping));
    mpno_status status = mpno_pt_parse(ctx, mapping.data, mapping.size, out);
    mpno_map_close(&mapping);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}
