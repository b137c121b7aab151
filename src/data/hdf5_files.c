/* SPDX-License-Identifier: MIT
 * HDF5 files, the part that needs no HDF5 library: see hdf5.h and hdf5_files.h. */
#include "data/hdf5_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/checksum.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"

enum { MAX_RATIO = 1040 }; /* deflate cannot expand by more than 1032 */

/* At the start or behind a user block. */
static bool has_signature(const mpno_mapping *m) {
    for (size_t at = 0; at <= m->size && m->size - at >= 8; at = at > 0 ? 2 * at : 512)
        if (memcmp(m->data + at, "\211HDF\r\n\032\n", 8) == 0) return true;
    return false;
}

mpno_status mpno_hdf5_check_path(mpno_ctx *ctx, const char *path, uint64_t *bytes) {
    mpno_mapping mapping;
    MPNO_TRY(mpno_map_open(ctx, path, &mapping));
    const bool good = has_signature(&mapping);
    *bytes = mapping.size;
    mpno_map_close(&mapping);
    MPNO_CHECK(
        ctx, good, MPNO_E_FORMAT,
        "this is not an HDF5 file: its signature is missing (MAT files before version 7.3 and "
        "classic NetCDF files are not HDF5)");
    return MPNO_OK;
}

mpno_status mpno_hdf5_check_size(mpno_ctx *ctx, uint64_t file_bytes, const char *name,
                                 mpno_element element, int ndim, const int64_t *shape) {
    int64_t count;
    size_t bytes;
    const uint64_t most = file_bytes > UINT64_MAX / MAX_RATIO ? UINT64_MAX : file_bytes * MAX_RATIO;
    bool possible = mpno_shape_measure(element, ndim, shape, &count, &bytes) && bytes <= most;
    MPNO_CHECK(ctx, possible, MPNO_E_FORMAT,
               "data set '%s' promises more values than a file of %llu bytes can hold", name,
               (unsigned long long)file_bytes);
    return MPNO_OK;
}

/* Where HDF5 looks for it: beside the virtual file, then in the current folder. "." is that file.
 */
mpno_status mpno_hdf5_find_source(mpno_ctx *ctx, const char *path, const char *name,
                                  const char *source, char *out, size_t capacity) {
    char folder[4096];
    MPNO_CHECK(ctx, !strchr(source, '%'), MPNO_E_UNSUPPORTED,
               "the sources of the virtual data set '%s' are numbered (%s), which is not read; "
               "copy it into one file (h5repack)",
               name, source);
    if (strcmp(source, ".") == 0) {
        (void)snprintf(out, capacity, "%s", path);
        return MPNO_OK;
    }
    mpno_path_folder(path, folder, sizeof folder);
    MPNO_TRY(mpno_path_join(ctx, folder, source, out, capacity));
    if (mpno_path_exists(out)) return MPNO_OK;
    MPNO_CHECK(
        ctx, mpno_path_exists(source), MPNO_E_IO,
        "the virtual data set '%s' takes values from %s, which does not exist: put it there, "
        "or make the virtual data set again",
        name, out);
    (void)snprintf(out, capacity, "%s", source);
    return MPNO_OK;
}

mpno_piece mpno_hdf5_first(const char *name, mpno_element element, int ndim, const int64_t *shape,
                           void *value) {
    mpno_piece first = {.name = name, .element = element, .ndim = ndim, .out = value};
    for (int d = 0; d < ndim; d++) {
        first.count[d] = shape[d] > 0;
        first.step[d] = 1;
    }
    return first;
}

mpno_status mpno_hdf5_check_set(mpno_ctx *ctx, const mpno_hdf5_set *set, size_t capacity,
                                int64_t *count, size_t *bytes) {
    const char *name = set->name;
    MPNO_CHECK(
        ctx,
        *name && *name != '/' && strlen(name) < capacity && !strstr(name, "//") &&
            name[strlen(name) - 1] != '/' && mpno_text_is_utf8(name, strlen(name)),
        MPNO_E_ARGUMENT,
        "'%.200s' cannot be the name of a data set: it is empty, too long, not UTF-8 text, or "
        "has an empty part between slashes",
        name);
    MPNO_CHECK(ctx,
               set->ndim >= 0 && set->ndim <= MPNO_MAX_DIMS &&
                   mpno_shape_measure(set->element, set->ndim, set->shape, count, bytes),
               MPNO_E_SHAPE, "data set '%s': its shape is negative or too large", set->name);
    MPNO_CHECK(ctx, set->element != MPNO_ELEMENT_F8E4M3 && set->element != MPNO_ELEMENT_F8E5M2,
               MPNO_E_UNSUPPORTED,
               "data set '%.900s' is of type %s, which HDF5 has no name for; write it as "
               "safetensors or convert it",
               set->name, mpno_element_name(set->element));
    return MPNO_OK;
}

bool mpno_hdf5_integer(size_t size, bool has_sign, mpno_element *out) {
    static const mpno_element table[2][4] = {
        {MPNO_ELEMENT_U8, MPNO_ELEMENT_U16, MPNO_ELEMENT_U32, MPNO_ELEMENT_U64},
        {MPNO_ELEMENT_I8, MPNO_ELEMENT_I16, MPNO_ELEMENT_I32, MPNO_ELEMENT_I64}};
    for (size_t k = 0; k < 4; k++) {
        if (size != (size_t)1 << k) continue;
        *out = table[has_sign][k];
        return true;
    }
    return false;
}

bool mpno_hdf5_float(size_t size, size_t exponent, mpno_element *out) {
    if (size == 8 && exponent == 11)
        *out = MPNO_ELEMENT_F64;
    else if (size == 4 && exponent == 8)
        *out = MPNO_ELEMENT_F32;
    else if (size == 2 && (exponent == 5 || exponent == 8))
        *out = exponent == 5 ? MPNO_ELEMENT_F16 : MPNO_ELEMENT_BF16;
    else
        return false;
    return true;
}

/* What the child tells the parent. */
typedef struct verdict {
    mpno_status status;
    char error[sizeof(((mpno_ctx *)NULL)->error)];
} verdict;

/* Ends the child, in which nothing of the caller's may run: neither its handlers nor what it does
 * at exit. The last words of the C library are not for people. */
static _Noreturn void rehearse_in_child(mpno_ctx *ctx, mpno_status (*work)(const void *user),
                                        const void *user, int to) {
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPIPE};
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) (void)signal(deadly[i], SIG_DFL);
    const int nothing = open("/dev/null", O_WRONLY);
    if (nothing >= 0) (void)dup2(nothing, STDERR_FILENO);
    verdict v = {work(user), ""};
    memcpy(v.error, ctx->error, sizeof v.error);
    /* shorter than PIPE_BUF: whole or not at all */
    _exit(write(to, &v, sizeof v) == (ssize_t)sizeof v ? 0 : 1);
}

mpno_status mpno_hdf5_apart(mpno_ctx *ctx, mpno_status (*work)(const void *user),
                            const void *user) {
    int ends[2], state;
    if (pipe(ends) != 0) return MPNO_OK;
    const pid_t child = fork();
    if (child == 0) rehearse_in_child(ctx, work, user, ends[1]);
    (void)close(ends[1]);
    verdict v;
    ssize_t n = 0;
    if (child > 0) do {
            n = read(ends[0], &v, sizeof v);
        } while (n < 0 && errno == EINTR);
    (void)close(ends[0]);
    if (child < 0) return MPNO_OK;
    while (waitpid(child, &state, 0) < 0 && errno == EINTR) continue;
    MPNO_CHECK(ctx, n == (ssize_t)sizeof v, MPNO_E_FORMAT,
               "the file is damaged: reading it makes the HDF5 library crash");
    return v.status == MPNO_OK ? MPNO_OK : mpno_fail(ctx, v.status, "%s", v.error);
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

mpno_status mpno_hdf5_numbers_text(mpno_ctx *ctx, size_t n, bool list, mpno_element element,
                                   const double *reals, const int64_t *integers, char **out) {
    const bool real = !mpno_element_is_integer(element), truth = element == MPNO_ELEMENT_BOOL;
    mpno_text text = {.ctx = ctx};
    mpno_status status = list ? mpno_text_add(&text, "[") : MPNO_OK;
    for (size_t i = 0; i < n && status == MPNO_OK; i++) {
        char number[MPNO_REAL_TEXT];
        if (real)
            mpno_real_text(reals[i], number);
        else
            (void)snprintf(number, sizeof number, "%lld", (long long)integers[i]);
        status = mpno_text_add(&text, "%s%s", i > 0 ? ", " : "",
                               truth ? (integers[i] ? "true" : "false") : number);
    }
    if (status == MPNO_OK && list) status = mpno_text_add(&text, "]");
    if (status == MPNO_OK)
        *out = text.data;
    else
        mpno_text_discard(&text);
    return status;
}

void mpno_hdf5_checksum(const void *data, size_t bytes, char out[MPNO_HDF5_CHECKSUM_TEXT]) {
    mpno_crc64 crc;
    mpno_crc64_start(&crc);
    mpno_crc64_add(&crc, data, bytes);
    (void)snprintf(out, MPNO_HDF5_CHECKSUM_TEXT, "%016" PRIx64, mpno_crc64_value(&crc));
}

static mpno_status read_or_list(mpno_ctx *ctx, const char *path, mpno_hdf5_depth deep,
                                mpno_tensor_file **out) {
    mpno_tensor_file *file;
    *out = NULL;
    MPNO_TRY(mpno_tensor_file_create(ctx, &file));
    mpno_status status = mpno_hdf5_load(ctx, path, deep, file);
    if (status != MPNO_OK) {
        mpno_tensor_file_destroy(ctx, &file);
        return mpno_fail_in(ctx, status, "%s", path);
    }
    *out = file;
    return MPNO_OK;
}

mpno_status mpno_hdf5_read(mpno_ctx *ctx, const char *path, mpno_tensor_file **out) {
    return read_or_list(ctx, path, MPNO_HDF5_ALL_VALUES, out);
}

mpno_status mpno_hdf5_list(mpno_ctx *ctx, const char *path, mpno_tensor_file **out) {
    return read_or_list(ctx, path, MPNO_HDF5_SHAPES, out);
}

mpno_status mpno_hdf5_fetch(mpno_ctx *ctx, const char *path, size_t n, const mpno_piece *pieces) {
    mpno_hdf5_file *file = NULL;
    mpno_status status = mpno_hdf5_open(ctx, path, n, pieces, &file);
    if (status == MPNO_OK) status = mpno_hdf5_fetch_from(ctx, file, n, pieces);
    mpno_hdf5_close(ctx, &file);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
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
        sets[i] = (mpno_hdf5_set){
            .name = t->name, .element = t->element, .ndim = t->ndim, .attributes = of_set[i]};
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

/* The set of a name, looked for behind *last first: names mostly come in one order. */
static mpno_status find_behind(mpno_ctx *ctx, const mpno_tensor_file *file, const char *name,
                               size_t *last, const mpno_named_tensor **out) {
    for (size_t i = 1; i <= file->n; i++) {
        const size_t at = (*last + i) % file->n;
        if (strcmp(file->tensors[at].name, name) != 0) continue;
        *last = at;
        *out = &file->tensors[at];
        return MPNO_OK;
    }
    return mpno_tensor_file_require(ctx, file, name, out);
}

static mpno_status locate(mpno_ctx *ctx, const mpno_tensor_file *file, size_t *last,
                          mpno_hdf5_set *set) {
    const mpno_named_tensor *t;
    MPNO_TRY(find_behind(ctx, file, set->name, last, &t));
    const bool same = t->element == set->element && t->ndim == set->ndim &&
                      memcmp(t->shape, set->shape, (size_t)t->ndim * sizeof *t->shape) == 0;
    MPNO_CHECK(ctx, same, MPNO_E_FORMAT, "data set '%s' has another type or shape than is wanted",
               set->name);
    set->offset = t->offset;
    return MPNO_OK;
}

mpno_status mpno_hdf5_locate(mpno_ctx *ctx, const char *path, size_t n, mpno_hdf5_set *sets) {
    mpno_tensor_file *file;
    MPNO_TRY(mpno_hdf5_list(ctx, path, &file));
    mpno_status status = MPNO_OK;
    size_t last = 0;
    for (size_t i = 0; i < n && status == MPNO_OK; i++) {
        status = locate(ctx, file, &last, &sets[i]);
    }
    mpno_tensor_file_destroy(ctx, &file);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}
