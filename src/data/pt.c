/* SPDX-License-Identifier: MIT
 * Reader of torch.save files: see pt.h. */
#include "data/pt.h"

#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/archive.h"
#include "data/pickle.h"
#include "data/pt_storages.h"

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
    bool tar = size > 262 && memcmp(data + 257, "ustar", 5) == 0;
    if (tar)
        return mpno_fail(
            ctx, MPNO_E_UNSUPPORTED,
            "this is the tar format that torch.save wrote before PyTorch 0.2, which is not read; "
            "load it in Python and save it again with torch.save");
    if (size > 1 && data[0] == 0x80)
        return mpno_fail(
            ctx, MPNO_E_UNSUPPORTED,
            "this is a bare Python pickle, not a torch.save file, and is not read; save the "
            "tensors with torch.save");
    return mpno_fail(ctx, MPNO_E_FORMAT,
                     "this is not a torch.save file: it begins neither like a zip archive (PK) nor "
                     "like the pickles of PyTorch before 1.6");
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

/* -------- contents -------- */

/* Finds the entry of a leaf's storage and checks its size. */
static mpno_status find_storage(void *container, const mpno_pickle_leaf *leaf, int64_t *index) {
    const archive *a = container;
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

static mpno_status load_storage(void *container, int64_t index, const void **bytes, void **owned) {
    const archive *a = container;
    MPNO_TRY(mpno_archive_read(a->zip, index, owned));
    *bytes = *owned;
    return MPNO_OK;
}

static mpno_status read_objects(archive *a, const void *text, size_t size, mpno_tensor_file *file) {
    mpno_pickle *pickle;
    mpno_pickle_leaves leaves;
    mpno_pt_storages storages = {
        .ctx = a->ctx, .container = a, .find = find_storage, .load = load_storage};
    for (int64_t i = 0; i < a->n_entries; i++) storages.bytes += a->sizes[i];
    MPNO_TRY(mpno_pickle_parse(a->ctx, text, size, &pickle));
    mpno_status status =
        mpno_pickle_tree(a->ctx, mpno_pickle_top(pickle), size, &file->object, &leaves);
    if (status == MPNO_OK) status = mpno_pt_gather(&storages, &leaves, file);
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
    bool legacy = mpno_pt_is_legacy(data, size);
    if (!legacy && (size < 4 || memcmp(data, "PK\3\4", 4) != 0))
        return fail_not_zip(ctx, data, size);
    mpno_tensor_file *file;
    MPNO_TRY(mpno_tensor_file_create(ctx, &file));
    archive a = {.ctx = ctx};
    mpno_status status =
        legacy ? mpno_pt_legacy_read(ctx, data, size, file) : read_archive(&a, data, size, file);
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
