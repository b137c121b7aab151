/* SPDX-License-Identifier: MIT
 * HDF5 files, the part that needs no HDF5 library: see hdf5.h and hdf5_files.h. */
#include "data/hdf5_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/checksum.h"
#include "core/files.h"
#include "core/memory.h"

static bool has_signature(const mpno_mapping *m) {
    if (m->size >= 8 && memcmp(m->data, "\211HDF\r\n\032\n", 8) == 0) return true;
    for (size_t at = 512; at <= m->size && m->size - at >= 8; at *= 2)
        if (memcmp(m->data + at, "\211HDF\r\n\032\n", 8) == 0) return true;
    return false;
}

mpno_status mpno_hdf5_check_path(mpno_ctx *ctx, const char *path, uint64_t *bytes) {
    mpno_mapping mapping;
    MPNO_TRY(mpno_map_open(ctx, path, &mapping));
    bool good = has_signature(&mapping);
    *bytes = mapping.size;
    mpno_map_close(&mapping);
    MPNO_CHECK(
        ctx, good, MPNO_E_FORMAT,
        "this is not an HDF5 file: its signature is missing (MAT files before version 7.3 and "
        "classic NetCDF files are not HDF5)");
    return MPNO_OK;
}

bool mpno_hdf5_numbers(const mpno_value *v, bool *real, double *reals, int64_t *integers) {
    const bool list = v->kind == MPNO_VALUE_LIST;
    const size_t n = list ? v->n : 1;
    *real = false;
    if (n < 1 || n > MPNO_HDF5_LIST) return false;
    for (size_t i = 0; i < n; i++) {
        const mpno_value *item = list ? v->items[i] : v;
        if (item->kind != MPNO_VALUE_INT && item->kind != MPNO_VALUE_REAL) return false;
        *real = *real || item->kind == MPNO_VALUE_REAL;
        reals[i] = item->real;
        integers[i] = item->integer;
    }
    return true;
}

void mpno_hdf5_checksum(const void *data, size_t bytes, char out[MPNO_HDF5_CHECKSUM_TEXT]) {
    mpno_crc64 crc;
    mpno_crc64_start(&crc);
    mpno_crc64_add(&crc, data, bytes);
    (void)snprintf(out, MPNO_HDF5_CHECKSUM_TEXT, "%016" PRIx64, mpno_crc64_value(&crc));
}

mpno_status mpno_hdf5_create(mpno_ctx *ctx, const char *path, size_t n, mpno_hdf5_set *sets,
                             const mpno_value *attributes) {
    mpno_status status = mpno_hdf5_fill(ctx, path, n, sets, attributes, NULL);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}

/* Sorts the metadata to the file and to the sets; maps are owned by the caller. */
static mpno_status share_metadata(mpno_ctx *ctx, const mpno_tensor_file *file, mpno_value *root,
                                  mpno_value **of_set) {
    for (size_t i = 0; i < file->metadata->n; i++) {
        const char *key = file->metadata->keys[i], *text = file->metadata->items[i]->string;
        mpno_value *map = root;
        for (size_t k = 0; k < file->n && strchr(key, '@'); k++) {
            const size_t length = strlen(file->tensors[k].name);
            if (strncmp(key, file->tensors[k].name, length) != 0 || key[length] != '@') continue;
            if (!of_set[k]) MPNO_TRY(mpno_value_map(ctx, &of_set[k]));
            map = of_set[k];
            key += length + 1;
            break;
        }
        MPNO_CHECK(ctx, file->metadata->items[i]->kind == MPNO_VALUE_STRING, MPNO_E_ARGUMENT,
                   "metadata entry '%s' is not text", key);
        MPNO_TRY(mpno_value_set_string(ctx, map, key, text));
    }
    return MPNO_OK;
}

static mpno_status write_tensors(mpno_ctx *ctx, const char *path, const mpno_tensor_file *file,
                                 mpno_hdf5_set *sets, mpno_value **of_set, mpno_value *root) {
    mpno_writer *writer;
    MPNO_TRY(share_metadata(ctx, file, root, of_set));
    for (size_t i = 0; i < file->n; i++) {
        const mpno_named_tensor *t = &file->tensors[i];
        sets[i] = (mpno_hdf5_set){t->name, t->element, t->ndim, {0}, of_set[i], 0};
        memcpy(sets[i].shape, t->shape, sizeof sets[i].shape);
    }
    MPNO_TRY(mpno_writer_open(ctx, path, &writer));
    mpno_status status =
        mpno_hdf5_fill(ctx, mpno_writer_temporary(writer), file->n, sets, root, file->tensors);
    if (status == MPNO_OK) return mpno_writer_commit(&writer);
    mpno_writer_abandon(&writer);
    return mpno_fail_in(ctx, status, "%s", path);
}

mpno_status mpno_hdf5_write(mpno_ctx *ctx, const char *path, const mpno_tensor_file *file) {
    mpno_hdf5_set *sets = NULL;
    mpno_value **of_set = NULL, *root = NULL;
    mpno_status status = mpno_alloc_array(ctx, file->n, sizeof *sets, &sets);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, file->n, sizeof(mpno_value *), &of_set);
    if (status == MPNO_OK) status = mpno_value_map(ctx, &root);
    if (status == MPNO_OK) status = write_tensors(ctx, path, file, sets, of_set, root);
    for (size_t i = 0; of_set && i < file->n; i++) mpno_value_destroy(ctx, &of_set[i]);
    mpno_value_destroy(ctx, &root);
    mpno_free(ctx, of_set);
    mpno_free(ctx, sets);
    return status;
}
