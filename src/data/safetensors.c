/* SPDX-License-Identifier: MIT
 * Reader of safetensors files: see safetensors.h. */
#include "data/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/safetensors_checksum.h"

typedef struct reader {
    mpno_ctx *ctx;
    const unsigned char *buffer; /* data part */
    uint64_t buffer_size;
    mpno_value *header;          /* owned; names and metadata are borrowed from it */
    mpno_stored_tensor *tensors; /* owned */
    size_t n;
    const mpno_value *metadata; /* NULL: the file has none */
} reader;

static mpno_status parse_header(reader *r, const unsigned char *data, size_t size) {
    MPNO_CHECK(r->ctx, size >= 8, MPNO_E_FORMAT,
               "the file has %zu bytes; a safetensors file has at least 10", size);
    uint64_t header_size = 0;
    for (int i = 0; i < 8; i++) header_size |= (uint64_t)data[i] << (8 * i);
    MPNO_CHECK(
        r->ctx, header_size <= MPNO_SAFETENSORS_MAX_HEADER, MPNO_E_FORMAT,
        "the header should have %llu bytes, more than the %d that safetensors files may have; "
        "the file is damaged or of another format",
        (unsigned long long)header_size, MPNO_SAFETENSORS_MAX_HEADER);
    MPNO_CHECK(r->ctx, header_size <= size - 8, MPNO_E_FORMAT,
               "the header should have %llu bytes but the file ends after %zu: it was cut short",
               (unsigned long long)header_size, size - 8);
    MPNO_CHECK(r->ctx, header_size > 0 && data[8] == '{', MPNO_E_FORMAT,
               "the header does not begin with '{': this is not a safetensors file");
    r->buffer = data + 8 + header_size;
    r->buffer_size = size - 8 - header_size;
    return mpno_json_parse(r->ctx, "header", (const char *)data + 8, (size_t)header_size,
                           &r->header);
}

/* A list of n non-negative integers. */
static bool is_extent(const mpno_value *list, size_t max) {
    if (!list || list->kind != MPNO_VALUE_LIST || list->n > max) return false;
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i]->kind != MPNO_VALUE_INT || list->items[i]->integer < 0) return false;
    return true;
}

static mpno_status parse_tensor(reader *r, const char *name, const mpno_value *entry,
                                mpno_stored_tensor *out) {
    const mpno_value *type = mpno_value_get(entry, "dtype"),
                     *shape = mpno_value_get(entry, "shape");
    const mpno_value *offsets = mpno_value_get(entry, "data_offsets");
    bool complete = type && type->kind == MPNO_VALUE_STRING && shape && offsets && entry->n == 3;
    MPNO_CHECK(r->ctx, complete, MPNO_E_FORMAT,
               "tensor '%s': its header entry is not {dtype, shape, data_offsets}", name);
    MPNO_CHECK(
        r->ctx, mpno_safetensors_type_parse(type->string, &out->element), MPNO_E_UNSUPPORTED,
        "tensor '%s' is of type '%s', which is not read; convert it to F32 or another of F64, "
        "F16, BF16, F8_E4M3, F8_E5M2, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, C64",
        name, type->string);
    MPNO_CHECK(r->ctx, is_extent(shape, SIZE_MAX) && is_extent(offsets, 2) && offsets->n == 2,
               MPNO_E_FORMAT, "tensor '%s': shape or offsets are not non-negative integers", name);
    MPNO_CHECK(r->ctx, shape->n <= MPNO_MAX_DIMS, MPNO_E_UNSUPPORTED,
               "tensor '%s' has %zu dimensions; at most %d can be handled", name, shape->n,
               MPNO_MAX_DIMS);
    out->name = name;
    out->ndim = (int)shape->n;
    for (int d = 0; d < out->ndim; d++) out->shape[d] = shape->items[d]->integer;
    out->begin = (uint64_t)offsets->items[0]->integer;
    out->end = (uint64_t)offsets->items[1]->integer;
    int64_t count;
    size_t bytes;
    MPNO_CHECK(r->ctx, mpno_shape_measure(out->element, out->ndim, out->shape, &count, &bytes),
               MPNO_E_FORMAT, "tensor '%s': its shape is too large", name);
    MPNO_CHECK(
        r->ctx, out->begin <= out->end && out->end <= r->buffer_size, MPNO_E_FORMAT,
        "tensor '%s' should stand at bytes %llu to %llu of the data, which has %llu: the file is "
        "damaged or was cut short",
        name, (unsigned long long)out->begin, (unsigned long long)out->end,
        (unsigned long long)r->buffer_size);
    MPNO_CHECK(r->ctx, out->end - out->begin == bytes, MPNO_E_FORMAT,
               "tensor '%s': its shape and type need %zu bytes, its offsets give %llu", name, bytes,
               (unsigned long long)(out->end - out->begin));
    out->data = r->buffer + out->begin;
    return MPNO_OK;
}

static mpno_status parse_entries(reader *r) {
    MPNO_CHECK(r->ctx, r->header->kind == MPNO_VALUE_MAP, MPNO_E_FORMAT, "the header is not a map");
    MPNO_TRY(mpno_alloc_array(r->ctx, r->header->n, sizeof *r->tensors, &r->tensors));
    for (size_t i = 0; i < r->header->n; i++) {
        const char *key = r->header->keys[i];
        const mpno_value *entry = r->header->items[i];
        if (strcmp(key, "__metadata__") != 0) {
            MPNO_TRY(parse_tensor(r, key, entry, &r->tensors[r->n]));
            r->n++;
            continue;
        }
        bool strings = entry->kind == MPNO_VALUE_MAP;
        for (size_t k = 0; strings && k < entry->n; k++)
            strings = entry->items[k]->kind == MPNO_VALUE_STRING;
        MPNO_CHECK(r->ctx, strings, MPNO_E_FORMAT, "__metadata__ is not a map from text to text");
        r->metadata = entry;
    }
    return MPNO_OK;
}

static int by_position(const void *a, const void *b) {
    const mpno_stored_tensor *p = *(const mpno_stored_tensor *const *)a;
    const mpno_stored_tensor *q = *(const mpno_stored_tensor *const *)b;
    if (p->begin != q->begin) return p->begin < q->begin ? -1 : 1;
    return (p->end > q->end) - (p->end < q->end); /* empty tensors before the one they stand at */
}

/* Each byte of the data belongs to exactly one tensor. */
static mpno_status check_cover(const reader *r) {
    const mpno_stored_tensor **order;
    MPNO_TRY(mpno_alloc_array(r->ctx, r->n, sizeof *order, &order));
    for (size_t i = 0; i < r->n; i++) order[i] = &r->tensors[i];
    qsort(order, r->n, sizeof *order, by_position);
    uint64_t at = 0;
    mpno_status status = MPNO_OK;
    for (size_t i = 0; i < r->n && status == MPNO_OK; i++) {
        if (order[i]->begin != at)
            status =
                mpno_fail(r->ctx, MPNO_E_FORMAT,
                          "tensor '%s' begins at byte %llu of the data, not "
                          "at %llu where the one before it ends: there is %s",
                          order[i]->name, (unsigned long long)order[i]->begin,
                          (unsigned long long)at, order[i]->begin > at ? "a gap" : "an overlap");
        at = order[i]->end;
    }
    if (status == MPNO_OK && at != r->buffer_size)
        status = mpno_fail(r->ctx, MPNO_E_FORMAT,
                           "%llu bytes follow the last tensor: the file is damaged",
                           (unsigned long long)(r->buffer_size - at));
    mpno_free(r->ctx, order);
    return status;
}

static const char *metadata_text(const reader *r, const char *key) {
    const mpno_value *value = r->metadata ? mpno_value_get(r->metadata, key) : NULL;
    return value ? value->string : NULL;
}

static mpno_status check_sum(const reader *r) {
    const char *expected = metadata_text(r, MPNO_SAFETENSORS_CHECKSUM);
    const char *format = metadata_text(r, MPNO_SAFETENSORS_FORMAT);
    if (!expected && !format) return MPNO_OK;
    char found[MPNO_SAFETENSORS_DIGITS] = "";
    if (expected && format)
        MPNO_TRY(mpno_safetensors_digits(r->ctx, r->tensors, r->n, r->metadata, found));
    MPNO_CHECK(
        r->ctx, expected && format && strcmp(expected, found) == 0, MPNO_E_FORMAT,
        "file damaged: its checksum is %s, its contents give %s; fetch it again or use an older "
        "checkpoint",
        expected ? expected : "missing", found[0] ? found : "none");
    MPNO_CHECK(r->ctx, strcmp(format, MPNO_SAFETENSORS_FORMAT_NOW) == 0, MPNO_E_UNSUPPORTED,
               "the file is of mpno format '%s'; this program reads '%s': use a newer one", format,
               MPNO_SAFETENSORS_FORMAT_NOW);
    return MPNO_OK;
}

/* A real tensor with a last dimension of 2 becomes complex: the bytes are the same. */
static mpno_status make_complex(mpno_ctx *ctx, mpno_tensor_file *file, const char *name, size_t n) {
    mpno_named_tensor *tensor = NULL;
    for (size_t i = 0; i < file->n && !tensor; i++)
        if (strlen(file->tensors[i].name) == n && memcmp(file->tensors[i].name, name, n) == 0)
            tensor = &file->tensors[i];
    bool pairs = tensor && tensor->ndim > 0 && tensor->shape[tensor->ndim - 1] == 2 &&
                 (tensor->element == MPNO_ELEMENT_F32 || tensor->element == MPNO_ELEMENT_F64);
    MPNO_CHECK(
        ctx, pairs, MPNO_E_FORMAT,
        "the metadata calls '%.*s' complex, but it is not a tensor of F32 or F64 with a last "
        "dimension of 2",
        (int)(n > 200 ? 200 : n), name);
    tensor->element = tensor->element == MPNO_ELEMENT_F32 ? MPNO_ELEMENT_C64 : MPNO_ELEMENT_C128;
    tensor->ndim--;
    return MPNO_OK;
}

static mpno_status fill(const reader *r, mpno_tensor_file *file) {
    for (size_t i = 0; i < r->n; i++) {
        const mpno_stored_tensor *stored = &r->tensors[i];
        mpno_named_tensor *tensor;
        MPNO_TRY(mpno_tensor_file_add(r->ctx, file, stored->name, stored->element, stored->ndim,
                                      stored->shape, &tensor));
        if (tensor->bytes > 0) memcpy(tensor->data, stored->data, tensor->bytes);
    }
    const char *names = metadata_text(r, MPNO_SAFETENSORS_COMPLEX);
    while (names && *names) {
        size_t n = strcspn(names, "\n");
        MPNO_TRY(make_complex(r->ctx, file, names, n));
        names += n + (names[n] == '\n');
    }
    static const char *const own[] = {MPNO_SAFETENSORS_CHECKSUM, MPNO_SAFETENSORS_COMPLEX,
                                      MPNO_SAFETENSORS_FORMAT};
    for (size_t i = 0; r->metadata && i < r->metadata->n; i++) {
        bool hidden = false;
        for (size_t k = 0; k < sizeof own / sizeof *own; k++)
            hidden = hidden || strcmp(r->metadata->keys[i], own[k]) == 0;
        if (!hidden)
            MPNO_TRY(mpno_value_set_string(r->ctx, file->metadata, r->metadata->keys[i],
                                           r->metadata->items[i]->string));
    }
    return MPNO_OK;
}

static mpno_status read_all(reader *r, const void *data, size_t size, mpno_tensor_file *file) {
    MPNO_TRY(parse_header(r, data, size));
    MPNO_TRY(parse_entries(r));
    MPNO_TRY(check_cover(r));
    MPNO_TRY(check_sum(r));
    return fill(r, file);
}

mpno_status mpno_safetensors_parse(mpno_ctx *ctx, const void *data, size_t size,
                                   mpno_tensor_file **out) {
    reader r = {.ctx = ctx};
    mpno_tensor_file *file;
    *out = NULL;
    MPNO_TRY(mpno_tensor_file_create(ctx, &file));
    mpno_status status = read_all(&r, data, size, file);
    mpno_free(ctx, r.tensors);
    mpno_value_destroy(ctx, &r.header);
    if (status != MPNO_OK)
        mpno_tensor_file_destroy(ctx, &file);
    else
        *out = file;
    return status;
}

mpno_status mpno_safetensors_read(mpno_ctx *ctx, const char *path, mpno_tensor_file **out) {
    mpno_mapping mapping;
    *out = NULL;
    MPNO_TRY(mpno_map_open(ctx, path, &mapping));
    mpno_status status = mpno_safetensors_parse(ctx, mapping.data, mapping.size, out);
    mpno_map_close(&mapping);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}
