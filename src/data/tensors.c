/* SPDX-License-Identifier: MIT
 * The list of named tensors that readers give: see tensors.h. */
#include "data/tensors.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"

typedef struct element_facts {
    const char *name;
    size_t bytes;
    bool complex_number;
    mpno_format numbers; /* that it consists of; MPNO_FORMAT_COUNT: integers */
} element_facts;

static const element_facts FACTS[MPNO_ELEMENT_COUNT] = {
    [MPNO_ELEMENT_F64] = {"f64", 8, false, MPNO_F64},
    [MPNO_ELEMENT_F32] = {"f32", 4, false, MPNO_F32},
    [MPNO_ELEMENT_F16] = {"f16", 2, false, MPNO_F16},
    [MPNO_ELEMENT_BF16] = {"bf16", 2, false, MPNO_BF16},
    [MPNO_ELEMENT_I64] = {"i64", 8, false, MPNO_FORMAT_COUNT},
    [MPNO_ELEMENT_I32] = {"i32", 4, false, MPNO_FORMAT_COUNT},
    [MPNO_ELEMENT_I16] = {"i16", 2, false, MPNO_FORMAT_COUNT},
    [MPNO_ELEMENT_I8] = {"i8", 1, false, MPNO_FORMAT_COUNT},
    [MPNO_ELEMENT_U8] = {"u8", 1, false, MPNO_FORMAT_COUNT},
    [MPNO_ELEMENT_BOOL] = {"bool", 1, false, MPNO_FORMAT_COUNT},
    [MPNO_ELEMENT_C64] = {"c64", 8, true, MPNO_F32},
    [MPNO_ELEMENT_C128] = {"c128", 16, true, MPNO_F64},
    [MPNO_ELEMENT_U16] = {"u16", 2, false, MPNO_FORMAT_COUNT},
    [MPNO_ELEMENT_U32] = {"u32", 4, false, MPNO_FORMAT_COUNT},
    [MPNO_ELEMENT_U64] = {"u64", 8, false, MPNO_FORMAT_COUNT},
    [MPNO_ELEMENT_F8E4M3] = {"f8e4m3", 1, false, MPNO_F8E4M3},
    [MPNO_ELEMENT_F8E5M2] = {"f8e5m2", 1, false, MPNO_F8E5M2},
};

const char *mpno_element_name(mpno_element element) {
    return FACTS[element].name;
}
size_t mpno_element_bytes(mpno_element element) {
    return FACTS[element].bytes;
}
bool mpno_element_is_complex(mpno_element element) {
    return FACTS[element].complex_number;
}
bool mpno_element_is_integer(mpno_element element) {
    return FACTS[element].numbers == MPNO_FORMAT_COUNT;
}

bool mpno_shape_measure(mpno_element element, int ndim, const int64_t *shape, int64_t *count,
                        size_t *bytes) {
    int64_t limit = INT64_MAX / (int64_t)FACTS[element].bytes;
    if (limit > (int64_t)(SIZE_MAX / 2 / FACTS[element].bytes))
        limit = (int64_t)(SIZE_MAX / 2 / FACTS[element].bytes);
    bool empty = false;
    for (int d = 0; d < ndim; d++) {
        if (shape[d] < 0) return false;
        if (shape[d] == 0) empty = true;
    }
    int64_t product = empty ? 0 : 1;
    for (int d = 0; d < ndim && !empty; d++) {
        if (shape[d] > limit / product) return false;
        product *= shape[d];
    }
    *count = product;
    *bytes = (size_t)product * FACTS[element].bytes;
    return true;
}

void mpno_gather(void *out, const void *from, size_t size, int ndim, const int64_t *count,
                 const int64_t *stride) {
    int64_t index[MPNO_MAX_DIMS] = {0}, n = 1, at = 0;
    for (int d = 0; d < ndim; d++) n *= count[d];
    const int last = ndim - 1;
    const bool lines = last >= 0 && stride[last] == 1; /* then whole lines are moved at once */
    const int64_t line = lines && n > 0 ? count[last] : 1;
    char *to = out;
    for (int64_t i = 0; i < n; i += line, to += (size_t)line * size) {
        memcpy(to, (const char *)from + (size_t)at * size, (size_t)line * size);
        for (int d = lines ? last - 1 : last; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < count[d]) break;
            at -= count[d] * stride[d];
            index[d] = 0;
        }
    }
}

const char *mpno_shape_text(int ndim, const int64_t *shape, char *out, size_t capacity) {
    size_t at = 0;
    int written = snprintf(out, capacity, "(");
    for (int d = 0; d < ndim && written >= 0; d++) {
        at += (size_t)written;
        if (at >= capacity) return out;
        written =
            snprintf(out + at, capacity - at, "%s%lld", d > 0 ? ", " : "", (long long)shape[d]);
    }
    if (written >= 0) at += (size_t)written;
    if (at < capacity) snprintf(out + at, capacity - at, ")");
    return out;
}

/* Bytes of the sequence that starts with `first`, 0 when no sequence may, and the bounds of its
 * second byte (they keep out overlong forms, surrogates and code points above 0x10FFFF: Unicode
 * standard, table 3-7). */
static size_t utf8_length(unsigned char first, unsigned char *low, unsigned char *high) {
    *low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    *high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (first >= 0x01 && first <= 0x7F) return 1;
    if (first >= 0xC2 && first <= 0xDF) return 2;
    if (first >= 0xE0 && first <= 0xEF) return 3;
    if (first >= 0xF0 && first <= 0xF4) return 4;
    return 0;
}

bool mpno_text_is_utf8(const char *text, size_t n) {
    size_t at = 0;
    while (at < n) {
        unsigned char low, high;
        size_t length = utf8_length((unsigned char)text[at], &low, &high);
        if (length == 0 || length > n - at) return false;
        for (size_t i = 1; i < length; i++) {
            unsigned char next = (unsigned char)text[at + i];
            if (next < low || next > high) return false;
            low = 0x80;
            high = 0xBF;
        }
        at += length;
    }
    return true;
}

mpno_status mpno_piece_check(mpno_ctx *ctx, const mpno_piece *p, const int64_t *shape) {
    for (int d = 0; d < p->ndim; d++) {
        const bool inside =
            p->start[d] >= 0 && p->count[d] >= 0 && p->step[d] > 0 &&
            (p->count[d] == 0 || (p->start[d] < shape[d] &&
                                  p->count[d] - 1 <= (shape[d] - 1 - p->start[d]) / p->step[d]));
        MPNO_CHECK(ctx, inside, MPNO_E_ARGUMENT,
                   "a piece leaves axis %d of '%s', which has %lld elements", d, p->name,
                   (long long)shape[d]);
    }
    return MPNO_OK;
}

mpno_status mpno_tensor_file_create(mpno_ctx *ctx, mpno_tensor_file **out) {
    *out = NULL;
    mpno_tensor_file *file;
    MPNO_TRY(mpno_alloc(ctx, sizeof *file, &file));
    mpno_status status = mpno_value_map(ctx, &file->metadata);
    if (status != MPNO_OK)
        mpno_free(ctx, file);
    else
        *out = file;
    return status;
}

void mpno_tensor_file_destroy(mpno_ctx *ctx, mpno_tensor_file **file) {
    if (!file || !*file) return;
    mpno_tensor_file *f = *file;
    for (size_t i = 0; i < f->n; i++) {
        mpno_free(ctx, f->tensors[i].name);
        if (f->tensors[i].owns_data) mpno_free(ctx, f->tensors[i].data);
    }
    mpno_free(ctx, f->tensors);
    mpno_value_destroy(ctx, &f->metadata);
    mpno_value_destroy(ctx, &f->object);
    mpno_free(ctx, f);
    *file = NULL;
}

/* Checks, makes room and copies the name; the new entry counts only when the caller raises file->n.
 */
static mpno_status prepare_entry(mpno_ctx *ctx, mpno_tensor_file *file, const char *name,
                                 mpno_element element, int ndim, const int64_t *shape,
                                 mpno_named_tensor **out) {
    int64_t count;
    size_t bytes;
    MPNO_CHECK(ctx, ndim >= 0 && ndim <= MPNO_MAX_DIMS, MPNO_E_SHAPE,
               "tensor '%s' has %d dimensions; at most %d can be handled", name, ndim,
               MPNO_MAX_DIMS);
    MPNO_CHECK(ctx, mpno_shape_measure(element, ndim, shape, &count, &bytes), MPNO_E_SHAPE,
               "tensor '%s': the size of its shape is negative or too large", name);
    MPNO_CHECK(ctx, !mpno_tensor_file_find(file, name), MPNO_E_ARGUMENT,
               "two tensors are called '%s': names must differ", name);
    if (file->n == file->capacity) {
        size_t capacity = file->capacity ? 2 * file->capacity : 16;
        MPNO_TRY(mpno_realloc_array(ctx, &file->tensors, file->capacity, capacity,
                                    sizeof *file->tensors));
        file->capacity = capacity;
    }
    mpno_named_tensor *tensor = &file->tensors[file->n];
    memset(tensor, 0, sizeof *tensor);
    MPNO_TRY(mpno_strdup(ctx, name, &tensor->name));
    tensor->element = element;
    tensor->ndim = ndim;
    for (int d = 0; d < ndim; d++) tensor->shape[d] = shape[d];
    tensor->bytes = bytes;
    *out = tensor;
    return MPNO_OK;
}

mpno_status mpno_tensor_file_add(mpno_ctx *ctx, mpno_tensor_file *file, const char *name,
                                 mpno_element element, int ndim, const int64_t *shape,
                                 mpno_named_tensor **out) {
    mpno_named_tensor *tensor;
    if (out) *out = NULL;
    MPNO_TRY(prepare_entry(ctx, file, name, element, ndim, shape, &tensor));
    mpno_status status = mpno_alloc_raw(ctx, tensor->bytes, &tensor->data);
    if (status != MPNO_OK) {
        mpno_free(ctx, tensor->name);
        return status;
    }
    tensor->owns_data = true;
    file->n++;
    if (out) *out = tensor;
    return MPNO_OK;
}

mpno_status mpno_tensor_file_add_view(mpno_ctx *ctx, mpno_tensor_file *file, const char *name,
                                      mpno_element element, int ndim, const int64_t *shape,
                                      const void *data) {
    mpno_named_tensor *tensor;
    MPNO_TRY(prepare_entry(ctx, file, name, element, ndim, shape, &tensor));
    tensor->data =
        (void *)(uintptr_t)data; /* only ever read: views are made to be written to files */
    file->n++;
    return MPNO_OK;
}

const mpno_named_tensor *mpno_tensor_file_find(const mpno_tensor_file *file, const char *name) {
    for (size_t i = 0; i < file->n; i++)
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    return NULL;
}

/* The string that stands at a dotted path of the object tree, NULL when there is none. */
static const char *object_text_at(const mpno_value *object, const char *path) {
    while (object) {
        if (*path == '\0') return object->kind == MPNO_VALUE_STRING ? object->string : NULL;
        size_t length = strcspn(path, ".");
        const mpno_value *child = NULL;
        for (size_t i = 0; i < object->n && object->kind == MPNO_VALUE_MAP && !child; i++) {
            const char *key = object->keys[i];
            if (strcmp(key, path) == 0) {
                child = object->items[i];
                length = strlen(path);
            } else if (strlen(key) == length && strncmp(key, path, length) == 0) {
                child = object->items[i];
            }
        }
        object = child;
        path += length;
        if (*path == '.') path++;
    }
    return NULL;
}

static mpno_status fail_missing(mpno_ctx *ctx, const mpno_tensor_file *file, const char *name) {
    const char *near = NULL;
    const char **names;
    MPNO_TRY(mpno_alloc_array(ctx, file->n, sizeof *names, &names));
    for (size_t i = 0; i < file->n; i++) names[i] = file->tensors[i].name;
    near = mpno_nearest_name(name, names, file->n);
    mpno_free(ctx, names);
    if (near)
        return mpno_fail(ctx, MPNO_E_FORMAT, "there is no tensor '%s'; did you mean '%s'?", name,
                         near);
    char list[200] = "";
    size_t at = 0;
    for (size_t i = 0; i < file->n && at < sizeof list - 1; i++) {
        int written = snprintf(list + at, sizeof list - at, "%s'%s'", i > 0 ? ", " : "",
                               file->tensors[i].name);
        if (written < 0) break;
        at += (size_t)written;
    }
    return mpno_fail(ctx, MPNO_E_FORMAT,
                     "there is no tensor '%s'; the file holds %zu tensors: %s%s", name, file->n,
                     list, at >= sizeof list ? "..." : "");
}

mpno_status mpno_tensor_file_require(mpno_ctx *ctx, const mpno_tensor_file *file, const char *name,
                                     const mpno_named_tensor **out) {
    *out = mpno_tensor_file_find(file, name);
    if (*out) return MPNO_OK;
    const char *text = object_text_at(file->object, name);
    if (!text && file->n == 0 && file->object && file->object->kind == MPNO_VALUE_STRING)
        text = file->object->string;
    if (text && text[0] == '<')
        return mpno_fail(
            ctx, MPNO_E_FORMAT,
            "'%s' is wanted as a tensor but the file has %s there, which would need code of "
            "the file to be run; save plain tensors",
            name, text);
    return fail_missing(ctx, file, name);
}

int64_t mpno_named_tensor_count(const mpno_named_tensor *tensor) {
    int64_t count = 1;
    for (int d = 0; d < tensor->ndim; d++) count *= tensor->shape[d];
    return count;
}

/* Integer types go through f64; an i64 or u64 beyond 2^53 is rounded there and once more to f32: it
 * is data, not an index. */
static double integer_at(const mpno_named_tensor *tensor, int64_t i) {
    switch (tensor->element) {
        case MPNO_ELEMENT_I64:
            return (double)((const int64_t *)tensor->data)[i];
        case MPNO_ELEMENT_I32:
            return ((const int32_t *)tensor->data)[i];
        case MPNO_ELEMENT_I16:
            return ((const int16_t *)tensor->data)[i];
        case MPNO_ELEMENT_I8:
            return ((const int8_t *)tensor->data)[i];
        case MPNO_ELEMENT_U64:
            return (double)((const uint64_t *)tensor->data)[i];
        case MPNO_ELEMENT_U32:
            return ((const uint32_t *)tensor->data)[i];
        case MPNO_ELEMENT_U16:
            return ((const uint16_t *)tensor->data)[i];
        case MPNO_ELEMENT_BOOL:
            return ((const uint8_t *)tensor->data)[i] != 0;
        default:
            return ((const uint8_t *)tensor->data)[i];
    }
}

mpno_status mpno_named_tensor_values(mpno_ctx *ctx, const mpno_named_tensor *tensor, int64_t start,
                                     int64_t count, mpno_format format, void *out) {
    int64_t all = mpno_named_tensor_count(tensor);
    MPNO_CHECK(ctx, start >= 0 && count >= 0 && start <= all && count <= all - start,
               MPNO_E_ARGUMENT, "values %lld .. of tensor '%s' were asked for: it has %lld",
               (long long)start, tensor->name, (long long)all);
    MPNO_CHECK(ctx, format == MPNO_F32 || format == MPNO_F64, MPNO_E_ARGUMENT,
               "tensor values are given as f32 or f64 only");
    const char *from =
        (const char *)tensor->data + (size_t)start * mpno_element_bytes(tensor->element);
    if (!mpno_element_is_integer(tensor->element)) {
        const size_t parts = mpno_element_is_complex(tensor->element) ? 2 : 1;
        mpno_cast(out, format, from, FACTS[tensor->element].numbers, parts * (size_t)count);
        return MPNO_OK;
    }
    for (int64_t i = 0; i < count; i++) {
        const double value = integer_at(tensor, start + i);
        if (format == MPNO_F64)
            ((double *)out)[i] = value;
        else
            ((float *)out)[i] = (float)value;
    }
    return MPNO_OK;
}
