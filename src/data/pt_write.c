/* SPDX-License-Identifier: MIT
 * Writer of .pt files: see pt.h. The pickle (protocol 2) names torch's functions and classes and
 * repeats them for every tensor: without a memo it is larger by some hundred bytes a tensor, and
 * far simpler. Source: the opcodes of Python's pickle module; torch/serialization.py (layout). */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "data/archive.h"
#include "data/pt.h"

/* Opcodes of the pickle language. */
#define PROTOCOL_2 "\x80\x02"
#define MARK "("
#define STOP "."
#define TUPLE "t"
#define EMPTY_LIST "]"
#define APPENDS "e"
#define EMPTY_DICT "}"
#define EMPTY_TUPLE ")"
#define REDUCE "R"
#define PERSISTENT_ID "Q"
#define SET_ITEMS "u"
#define NONE "N"
#define TRUE_ "\x88"
#define FALSE_ "\x89"
#define ORDERED_DICT "ccollections\nOrderedDict\n" EMPTY_TUPLE REDUCE
#define REBUILD_TENSOR "ctorch._utils\n_rebuild_tensor_v2\n"

static const char *storage_of(mpno_element element) {
    switch (element) {
        case MPNO_ELEMENT_F64:
            return "DoubleStorage";
        case MPNO_ELEMENT_F32:
            return "FloatStorage";
        case MPNO_ELEMENT_F16:
            return "HalfStorage";
        case MPNO_ELEMENT_BF16:
            return "BFloat16Storage";
        case MPNO_ELEMENT_I64:
            return "LongStorage";
        case MPNO_ELEMENT_I32:
            return "IntStorage";
        case MPNO_ELEMENT_I16:
            return "ShortStorage";
        case MPNO_ELEMENT_I8:
            return "CharStorage";
        case MPNO_ELEMENT_U8:
            return "ByteStorage";
        case MPNO_ELEMENT_BOOL:
            return "BoolStorage";
        case MPNO_ELEMENT_C64:
            return "ComplexFloatStorage";
        case MPNO_ELEMENT_C128:
            return "ComplexDoubleStorage";
        default:
            return NULL;
    }
}

static mpno_status put(mpno_text *out, const char *opcodes) {
    return mpno_text_add_bytes(out, opcodes, strlen(opcodes));
}

static mpno_status put_little_endian(mpno_text *out, const char *opcode, uint64_t value, int n) {
    char bytes[8];
    for (int i = 0; i < n; i++) bytes[i] = (char)(value >> 8 * i & 0xff);
    MPNO_TRY(put(out, opcode));
    return mpno_text_add_bytes(out, bytes, (size_t)n);
}

static mpno_status put_int(mpno_text *out, int64_t value) {
    if (value >= INT32_MIN && value <= INT32_MAX)
        return put_little_endian(out, "J", (uint64_t)value, 4);    /* BININT */
    return put_little_endian(out, "\x8a\x08", (uint64_t)value, 8); /* LONG1 of 8 bytes */
}

static mpno_status put_real(mpno_text *out, double value) {
    uint64_t bits;
    char bytes[9] = "G"; /* BINFLOAT, big-endian */
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++) bytes[1 + i] = (char)(bits >> (56 - 8 * i) & 0xff);
    return mpno_text_add_bytes(out, bytes, sizeof bytes);
}

static mpno_status put_string(mpno_text *out, const char *string) {
    MPNO_TRY(put_little_endian(out, "X", strlen(string), 4)); /* BINUNICODE */
    return put(out, string);
}

static mpno_status put_value(mpno_text *out, const mpno_value *value);

static mpno_status put_items(mpno_text *out, const mpno_value *map) {
    for (size_t i = 0; i < map->n; i++) {
        MPNO_TRY(put_string(out, map->keys[i]));
        MPNO_TRY(put_value(out, map->items[i]));
    }
    return MPNO_OK;
}

static mpno_status put_value(mpno_text *out, const mpno_value *value) {
    switch (value->kind) {
        case MPNO_VALUE_NULL:
            return put(out, NONE);
        case MPNO_VALUE_BOOL:
            return put(out, value->boolean ? TRUE_ : FALSE_);
        case MPNO_VALUE_INT:
            return put_int(out, value->integer);
        case MPNO_VALUE_REAL:
            return put_real(out, value->real);
        case MPNO_VALUE_STRING:
            return put_string(out, value->string);
        case MPNO_VALUE_LIST:
            /* torch.load with weights_only=True knows lists only in this form */
            MPNO_TRY(put(out, EMPTY_LIST MARK));
            for (size_t i = 0; i < value->n; i++) MPNO_TRY(put_value(out, value->items[i]));
            return put(out, APPENDS);
        case MPNO_VALUE_MAP:
            MPNO_TRY(put(out, EMPTY_DICT MARK));
            MPNO_TRY(put_items(out, value));
            return put(out, SET_ITEMS);
    }
    return MPNO_OK;
}

static mpno_status put_tuple(mpno_text *out, const int64_t *values, int n) {
    MPNO_TRY(put(out, MARK));
    for (int i = 0; i < n; i++) MPNO_TRY(put_int(out, values[i]));
    return put(out, TUPLE);
}

/* _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()) */
static mpno_status put_tensor(mpno_text *out, const mpno_named_tensor *t, size_t key) {
    const char *storage = storage_of(t->element);
    int64_t strides[MPNO_MAX_DIMS], stride = 1;
    char text[64];
    MPNO_CHECK(out->ctx, storage != NULL, MPNO_E_UNSUPPORTED,
               "tensor '%s' holds %s, for which .pt files have no storage", t->name,
               mpno_element_name(t->element));
    for (int d = t->ndim - 1; d >= 0; stride *= t->shape[d--]) strides[d] = stride;
    MPNO_TRY(put(out, REBUILD_TENSOR MARK MARK));
    MPNO_TRY(put_string(out, "storage"));
    snprintf(text, sizeof text, "ctorch\n%s\n", storage);
    MPNO_TRY(put(out, text));
    snprintf(text, sizeof text, "%zu", key);
    MPNO_TRY(put_string(out, text));
    MPNO_TRY(put_string(out, "cpu"));
    MPNO_TRY(put_int(out, mpno_named_tensor_count(t)));
    MPNO_TRY(put(out, TUPLE PERSISTENT_ID));
    MPNO_TRY(put_int(out, 0));
    MPNO_TRY(put_tuple(out, t->shape, t->ndim));
    MPNO_TRY(put_tuple(out, strides, t->ndim));
    return put(out, FALSE_ ORDERED_DICT TUPLE REDUCE);
}

static mpno_status make_pickle(const mpno_tensor_file *file, mpno_text *out) {
    MPNO_TRY(put(out, PROTOCOL_2));
    /* torch's own files of settings are plain dicts, its state dicts ordered ones */
    MPNO_TRY(file->n > 0 ? put(out, ORDERED_DICT) : put(out, EMPTY_DICT));
    MPNO_TRY(put(out, MARK));
    for (size_t i = 0; i < file->n; i++) {
        MPNO_TRY(put_string(out, file->tensors[i].name));
        MPNO_TRY(put_tensor(out, &file->tensors[i], i));
    }
    if (file->object && file->object->kind == MPNO_VALUE_MAP)
        MPNO_TRY(put_items(out, file->object));
    return put(out, SET_ITEMS STOP);
}

/* The folder of all entries: the file's name without its extension, as torch does. */
static void stem_of(const char *path, char *out, size_t capacity) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    snprintf(out, capacity, "%.*s", (int)n, name);
}

static mpno_status write_entries(mpno_ctx *ctx, const char *path, const mpno_tensor_file *file,
                                 const mpno_text *pickle, mpno_archive_entry *entries,
                                 char (*names)[320]) {
    char stem[256];
    size_t n = 0;
    stem_of(path, stem, sizeof stem);
    snprintf(names[n], sizeof names[n], "%s/data.pkl", stem);
    entries[n] = (mpno_archive_entry){names[n], pickle->data, pickle->size}, n++;
    snprintf(names[n], sizeof names[n], "%s/byteorder", stem);
    entries[n] = (mpno_archive_entry){names[n], "little", 6}, n++;
    for (size_t i = 0; i < file->n; i++, n++) {
        snprintf(names[n], sizeof names[n], "%s/data/%zu", stem, i);
        entries[n] = (mpno_archive_entry){names[n], file->tensors[i].data, file->tensors[i].bytes};
    }
    snprintf(names[n], sizeof names[n], "%s/version", stem);
    entries[n] = (mpno_archive_entry){names[n], "3\n", 2}, n++;
    return mpno_archive_write(ctx, path, entries, n);
}

mpno_status mpno_pt_write(mpno_ctx *ctx, const char *path, const mpno_tensor_file *file) {
    mpno_text pickle = {.ctx = ctx};
    mpno_archive_entry *entries = NULL;
    char(*names)[320] = NULL;
    const size_t n = file->n + 3;
    mpno_status status = make_pickle(file, &pickle);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, n, sizeof *entries, &entries);
    if (status == MPNO_OK) status = mpno_alloc_array(ctx, n, sizeof *names, &names);
    if (status == MPNO_OK) status = write_entries(ctx, path, file, &pickle, entries, names);
    mpno_free(ctx, entries);
    mpno_free(ctx, names);
    mpno_text_discard(&pickle);
    return status == MPNO_OK ? status : mpno_fail_in(ctx, status, "%s", path);
}
