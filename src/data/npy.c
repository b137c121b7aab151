/* SPDX-License-Identifier: MIT
 * NumPy's files: see npy.h. */
#include "data/npy.h"

#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/archive.h"

enum { MAGIC = 6, DATA_ALIGNMENT = 64, MAX_HEADER = 1 << 20 };

/* An array as the header describes it. */
typedef struct array {
    mpno_element element;
    bool swapped, fortran;
    int ndim;
    int64_t shape[MPNO_MAX_DIMS];
    int64_t stride[MPNO_MAX_DIMS]; /* in elements */
    const unsigned char *data;
    size_t bytes;
} array;

static const struct {
    const char *descr; /* without the byte order */
    mpno_element element;
    size_t part; /* bytes that are turned for the other byte order */
} TYPES[] = {
    {"b1", MPNO_ELEMENT_BOOL, 1}, {"i1", MPNO_ELEMENT_I8, 1},    {"i2", MPNO_ELEMENT_I16, 2},
    {"i4", MPNO_ELEMENT_I32, 4},  {"i8", MPNO_ELEMENT_I64, 8},   {"u1", MPNO_ELEMENT_U8, 1},
    {"u2", MPNO_ELEMENT_U16, 2},  {"u4", MPNO_ELEMENT_U32, 4},   {"u8", MPNO_ELEMENT_U64, 8},
    {"f2", MPNO_ELEMENT_F16, 2},  {"f4", MPNO_ELEMENT_F32, 4},   {"f8", MPNO_ELEMENT_F64, 8},
    {"c8", MPNO_ELEMENT_C64, 4},  {"c16", MPNO_ELEMENT_C128, 8},
};

enum { N_TYPES = sizeof TYPES / sizeof *TYPES };

/* -------- the header: a Python dict -------- */

typedef struct scanner {
    mpno_ctx *ctx;
    const char *at, *end;
} scanner;

static void skip_space(scanner *s) {
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t')) s->at++;
}

/* True and past it when `word` comes next. */
static bool take(scanner *s, const char *word) {
    skip_space(s);
    const size_t n = strlen(word);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0) return false;
    s->at += n;
    return true;
}

static bool take_text(scanner *s, char *out, size_t capacity) {
    skip_space(s);
    if (s->at == s->end || (*s->at != '\'' && *s->at != '"')) return false;
    const char quote = *s->at++;
    size_t n = 0;
    for (; s->at < s->end && *s->at != quote; s->at++) {
        if (n + 1 == capacity || *s->at == '\\') return false;
        out[n++] = *s->at;
    }
    out[n] = '\0';
    return s->at++ < s->end;
}

static bool take_size(scanner *s, int64_t *out) {
    skip_space(s);
    const char *first = s->at;
    *out = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        const int digit = *s->at - '0';
        if (*out > (INT64_MAX - digit) / 10) return false;
        *out = *out * 10 + digit;
    }
    return s->at > first;
}

static mpno_status read_descr(scanner *s, array *a) {
    char text[32];
    if (!take_text(s, text, sizeof text))
        return mpno_fail(s->ctx, MPNO_E_UNSUPPORTED,
                         "its elements are records, which are not read; save one field of them");
    const bool order = strchr("<>|=", text[0]) != NULL && text[0] != '\0';
    const char *type = text + order;
    for (int i = 0; i < N_TYPES; i++) {
        if (strcmp(TYPES[i].descr, type) != 0) continue;
        MPNO_CHECK(s->ctx, text[0] == '<' || text[0] == '>' || (order && TYPES[i].part == 1),
                   MPNO_E_FORMAT, "the type '%s' has no byte order", text);
        a->element = TYPES[i].element;
        a->swapped = text[0] == '>' && TYPES[i].part > 1;
        return MPNO_OK;
    }
    MPNO_CHECK(s->ctx, type[0] != 'O', MPNO_E_UNSUPPORTED,
               "its elements are Python objects (a pickle), which are not read; save numbers");
    return mpno_fail(
        s->ctx, MPNO_E_UNSUPPORTED,
        "elements of type '%s' are not read; convert them to f4 or another of b1 i1 i2 "
        "i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16",
        text);
}

static mpno_status read_dims(scanner *s, array *a) {
    bool good = take(s, "(");
    while (good && !take(s, ")")) {
        int64_t size;
        good = take_size(s, &size);
        if (!good) break;
        MPNO_CHECK(s->ctx, a->ndim < MPNO_MAX_DIMS, MPNO_E_UNSUPPORTED,
                   "it has more than %d dimensions", MPNO_MAX_DIMS);
        a->shape[a->ndim++] = size;
        if (take(s, ",")) continue;
        good = take(s, ")") && a->ndim > 1; /* (3) is no tuple */
        break;
    }
    MPNO_CHECK(s->ctx, good, MPNO_E_FORMAT, "the shape in its header is not a tuple of sizes");
    return MPNO_OK;
}

static mpno_status read_dict(scanner *s, array *a) {
    static const char *const keys[3] = {"descr", "fortran_order", "shape"};
    bool seen[3] = {false, false, false}, good = take(s, "{");
    while (good && !take(s, "}")) {
        char key[32];
        int k = 0;
        good = take_text(s, key, sizeof key) && take(s, ":");
        while (good && k < 3 && strcmp(key, keys[k]) != 0) k++;
        if (!good || k == 3 || seen[k]) break;
        seen[k] = true;
        if (k == 0) MPNO_TRY(read_descr(s, a));
        if (k == 1) {
            a->fortran = take(s, "True");
            good = a->fortran || take(s, "False");
        }
        if (k == 2) MPNO_TRY(read_dims(s, a));
        if (good && !take(s, ",")) {
            good = take(s, "}");
            break;
        }
    }
    skip_space(s);
    MPNO_CHECK(
        s->ctx, good && seen[0] && seen[1] && seen[2] && s->at == s->end, MPNO_E_FORMAT,
        "its header is not {'descr', 'fortran_order', 'shape'}: the file is damaged or was cut "
        "short");
    return MPNO_OK;
}

static mpno_status read_header(mpno_ctx *ctx, const unsigned char *data, size_t size, array *a) {
    *a = (array){.ndim = 0};
    MPNO_CHECK(ctx, size >= MAGIC && memcmp(data, "\x93NUMPY", MAGIC) == 0, MPNO_E_FORMAT,
               "this is not a .npy file: it does not begin with \\x93NUMPY");
    MPNO_CHECK(ctx, size >= 10, MPNO_E_FORMAT, "the file was cut short in its header");
    const int version = data[6];
    MPNO_CHECK(ctx, version >= 1 && version <= 3 && data[7] == 0, MPNO_E_UNSUPPORTED,
               "it is of .npy version %d.%d; versions 1.0, 2.0 and 3.0 are read", version, data[7]);
    const size_t start = version == 1 ? 10 : 12;
    MPNO_CHECK(ctx, size >= start, MPNO_E_FORMAT, "the file was cut short in its header");
    size_t header = (size_t)data[8] | (size_t)data[9] << 8;
    if (version > 1) header |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    MPNO_CHECK(
        ctx, header <= MAX_HEADER && header <= size - start, MPNO_E_FORMAT,
        "its header should have %zu bytes, more than the file holds: it is damaged or was cut "
        "short",
        header);
    scanner s = {ctx, (const char *)data + start, (const char *)data + start + header};
    MPNO_TRY(read_dict(&s, a));
    int64_t count;
    MPNO_CHECK(ctx, mpno_shape_measure(a->element, a->ndim, a->shape, &count, &a->bytes),
               MPNO_E_FORMAT, "its shape is too large");
    const size_t rest = size - start - header;
    MPNO_CHECK(ctx, rest == a->bytes, MPNO_E_FORMAT,
               "its shape needs %zu bytes of values, %zu are there: the file is damaged or was cut "
               "short",
               a->bytes, rest);
    a->data = data + start + header;
    int64_t stride = 1;
    for (int k = 0; k < a->ndim; k++) {
        const int d = a->fortran ? k : a->ndim - 1 - k;
        a->stride[d] = stride;
        stride *= a->shape[d] > 0 ? a->shape[d] : 1;
    }
    return MPNO_OK;
}

/* -------- values -------- */

static void swap_bytes(mpno_element element, void *values, size_t bytes) {
    size_t part = 1;
    unsigned char *at = values;
    for (int i = 0; i < N_TYPES; i++)
        if (TYPES[i].element == element) part = TYPES[i].part;
    for (size_t i = 0; i < bytes; i += part)
        for (size_t k = 0; k < part / 2; k++) {
            const unsigned char byte = at[i + k];
            at[i + k] = at[i + part - 1 - k];
            at[i + part - 1 - k] = byte;
        }
}

/* The piece of the array into C order; it lies in the array. */
static void gather(const array *a, const mpno_piece *p) {
    const size_t size = mpno_element_bytes(a->element);
    int64_t stride[MPNO_MAX_DIMS], n = 1, at = 0;
    for (int d = 0; d < a->ndim; d++) {
        n *= p->count[d];
        at += p->start[d] * a->stride[d];
        stride[d] = p->step[d] * a->stride[d];
    }
    if (n == 0) return;
    mpno_gather(p->out, a->data + (size_t)at * size, size, a->ndim, p->count, stride);
    if (a->swapped) swap_bytes(a->element, p->out, (size_t)n * size);
    if (a->element == MPNO_ELEMENT_BOOL)
        for (int64_t i = 0; i < n; i++) ((uint8_t *)p->out)[i] = ((uint8_t *)p->out)[i] != 0;
}

static mpno_status add_array(mpno_ctx *ctx, const char *name, const void *data, size_t size,
                             mpno_tensor_file *file) {
    array a;
    mpno_named_tensor *t;
    MPNO_TRY(read_header(ctx, data, size, &a));
    MPNO_TRY(mpno_tensor_file_add(ctx, file, name, a.element, a.ndim, a.shape, &t));
    mpno_piece all = {.name = name, .element = a.element, .ndim = a.ndim, .out = t->data};
    for (int d = 0; d < a.ndim; d++) {
        all.count[d] = a.shape[d];
        all.step[d] = 1;
    }
    gather(&a, &all);
    return MPNO_OK;
}

/* -------- files -------- */

static mpno_status add_arrays(mpno_ctx *ctx, mpno_archive *archive, mpno_tensor_file *file) {
    for (int64_t i = 0; i < mpno_archive_count(archive); i++) {
        const char *entry = mpno_archive_name(archive, i);
        const size_t n = entry ? strlen(entry) : 0;
        void *bytes;
        char *name;
        MPNO_CHECK(ctx, n > 4 && strcmp(entry + n - 4, ".npy") == 0, MPNO_E_FORMAT,
                   "the archive holds '%.200s', which is not a .npy file: NumPy did not write it",
                   entry ? entry : "");
        MPNO_TRY(mpno_strdup(ctx, entry, &name));
        name[n - 4] = '\0';
        mpno_status status = mpno_archive_read(archive, i, &bytes);
        if (status == MPNO_OK) {
            status = add_array(ctx, name, bytes, (size_t)mpno_archive_sizes(archive)[i], file);
            if (status != MPNO_OK) status = mpno_fail_in(ctx, status, "'%.200s'", entry);
            mpno_free(ctx, bytes);
        }
        mpno_free(ctx, name);
        MPNO_TRY(status);
    }
    return MPNO_OK;
}

mpno_status mpno_npy_parse(mpno_ctx *ctx, const void *data, size_t size, mpno_tensor_file **out) {
    mpno_tensor_file *file;
    *out = NULL;
    MPNO_TRY(mpno_tensor_file_create(ctx, &file));
    mpno_status status = add_array(ctx, "", data, size, file);
    if (status != MPNO_OK)
        mpno_tensor_file_destroy(ctx, &file);
    else
        *out = file;
    return status;
}

mpno_status mpno_npz_parse(mpno_ctx *ctx, const void *data, size_t size, mpno_tensor_file **out) {
    mpno_archive *archive;
    mpno_tensor_file *file;
    *out = NULL;
    MPNO_CHECK(ctx, size >= 4 && memcmp(data, "PK", 2) == 0, MPNO_E_FORMAT,
               "this is not a .npz file: it does not begin like a zip archive (PK)");
    MPNO_TRY(mpno_archive_open(ctx, data, size, &archive));
    mpno_status status = mpno_tensor_file_create(ctx, &file);
    if (status == MPNO_OK) {
        status = add_arrays(ctx, archive, file);
        if (status != MPNO_OK)
            mpno_tensor_file_destroy(ctx, &file);
        else
            *out = file;
    }
    mpno_archive_close(&archive);
    return status;
}

typedef mpno_status parser(mpno_ctx *ctx, const void *data, size_t size, mpno_tensor_file **out);

static mpno_status read_mapped(mpno_ctx *ctx, const char *path, parser *parse,
                               mpno_tensor_file **out) {
    mpno_mapping mapping;
    *out = NULL;
    MPNO_TRY(mpno_map_open(ctx, path, &mapping));
    mpno_status status = parse(ctx, mapping.data, mapping.size, out);
    mpno_map_close(&mapping);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}

mpno_status mpno_npy_read(mpno_ctx *ctx, const char *path, mpno_tensor_file **out) {
    return read_mapped(ctx, path, mpno_npy_parse, out);
}

mpno_status mpno_npz_read(mpno_ctx *ctx, const char *path, mpno_tensor_file **out) {
    return read_mapped(ctx, path, mpno_npz_parse, out);
}

static mpno_status list_array(mpno_ctx *ctx, const void *data, size_t size,
                              mpno_tensor_file **out) {
    array a;
    MPNO_TRY(read_header(ctx, data, size, &a));
    MPNO_TRY(mpno_tensor_file_create(ctx, out));
    mpno_status status = mpno_tensor_file_add_view(ctx, *out, "", a.element, a.ndim, a.shape, NULL);
    if (status != MPNO_OK) mpno_tensor_file_destroy(ctx, out);
    return status;
}

mpno_status mpno_npy_list(mpno_ctx *ctx, const char *path, mpno_tensor_file **out) {
    return read_mapped(ctx, path, list_array, out);
}

static mpno_status fetch_pieces(mpno_ctx *ctx, const mpno_mapping *mapping, size_t n,
                                const mpno_piece *pieces) {
    array a;
    MPNO_TRY(read_header(ctx, mapping->data, mapping->size, &a));
    for (size_t i = 0; i < n; i++) {
        MPNO_CHECK(ctx, pieces[i].element == a.element && pieces[i].ndim == a.ndim, MPNO_E_FORMAT,
                   "the array is not what was listed: the file has changed");
        MPNO_TRY(mpno_piece_check(ctx, &pieces[i], a.shape));
        gather(&a, &pieces[i]);
    }
    return MPNO_OK;
}

mpno_status mpno_npy_fetch(mpno_ctx *ctx, const char *path, size_t n, const mpno_piece *pieces) {
    mpno_mapping mapping;
    MPNO_TRY(mpno_map_open(ctx, path, &mapping));
    mpno_status status = fetch_pieces(ctx, &mapping, n, pieces);
    mpno_map_close(&mapping);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}

/* -------- writing -------- */

mpno_status mpno_npy_write(mpno_ctx *ctx, const char *path, const mpno_tensor_file *file) {
    char header[512] = "\x93NUMPY\x01";
    const char *type = NULL;
    MPNO_CHECK(ctx, file->n == 1, MPNO_E_ARGUMENT,
               "%s: a .npy file holds one tensor, not %zu; choose one of them or another format",
               path, file->n);
    const mpno_named_tensor *t = &file->tensors[0];
    for (int i = 0; i < N_TYPES; i++)
        if (TYPES[i].element == t->element) type = TYPES[i].descr;
    MPNO_CHECK(ctx, type, MPNO_E_ARGUMENT, "%s: NumPy has no %s; choose another format", path,
               mpno_element_name(t->element));
    int n = 10 + snprintf(header + 10, sizeof header - 10,
                          "{'descr': '%s%s', 'fortran_order': False, 'shape': (",
                          type[1] == '1' && type[2] == '\0' ? "|" : "<", type);
    for (int d = 0; d < t->ndim; d++)
        n += snprintf(header + n, sizeof header - (size_t)n, "%s%lld%s", d > 0 ? " " : "",
                      (long long)t->shape[d], d + 1 < t->ndim || t->ndim == 1 ? "," : "");
    n += snprintf(header + n, sizeof header - (size_t)n, "), }");
    const int size = (n + DATA_ALIGNMENT) / DATA_ALIGNMENT * DATA_ALIGNMENT; /* one more: '\n' */
    memset(header + n, ' ', (size_t)(size - 1 - n));
    header[size - 1] = '\n';
    header[8] = (char)((size - 10) & 255);
    header[9] = (char)((size - 10) >> 8);
    mpno_writer *writer;
    MPNO_TRY(mpno_writer_open(ctx, path, &writer));
    mpno_status status = mpno_writer_write(writer, header, (size_t)size);
    if (status == MPNO_OK) status = mpno_writer_write(writer, t->data, t->bytes);
    if (status == MPNO_OK) return mpno_writer_commit(&writer);
    mpno_writer_abandon(&writer);
    return status;
}
