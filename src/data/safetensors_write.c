/* SPDX-License-Identifier: MIT
 * Writer of safetensors files: see safetensors.h. */
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/safetensors.h"
#include "data/safetensors_checksum.h"

enum { DATA_ALIGNMENT = 64 };

static mpno_status check_name(mpno_ctx *ctx, const mpno_named_tensor *tensor) {
    MPNO_CHECK(ctx, mpno_text_is_utf8(tensor->name, strlen(tensor->name)), MPNO_E_ARGUMENT,
               "the name of a tensor is not UTF-8 text");
    MPNO_CHECK(ctx, strcmp(tensor->name, "__metadata__") != 0, MPNO_E_ARGUMENT,
               "'__metadata__' cannot be the name of a tensor in a safetensors file");
    if (!mpno_element_is_complex(tensor->element)) return MPNO_OK;
    MPNO_CHECK(ctx, tensor->ndim < MPNO_MAX_DIMS, MPNO_E_ARGUMENT,
               "complex tensor '%s' has %d dimensions; at most %d can be written", tensor->name,
               tensor->ndim, MPNO_MAX_DIMS - 1);
    MPNO_CHECK(ctx, tensor->name[0] != '\0' && !strchr(tensor->name, '\n'), MPNO_E_ARGUMENT,
               "the name of a complex tensor is empty or has a line break");
    return MPNO_OK;
}

/* As it will stand in the file, but for its place. */
static mpno_stored_tensor stored_form(const mpno_named_tensor *tensor) {
    mpno_stored_tensor stored = {.name = tensor->name,
                                 .element = tensor->element,
                                 .ndim = tensor->ndim,
                                 .data = tensor->data};
    memcpy(stored.shape, tensor->shape, sizeof stored.shape);
    if (mpno_element_is_complex(tensor->element)) {
        stored.element = tensor->element == MPNO_ELEMENT_C64 ? MPNO_ELEMENT_F32 : MPNO_ELEMENT_F64;
        stored.shape[stored.ndim++] = 2;
    }
    return stored;
}

/* Wide elements first: with data that begins aligned, every tensor is aligned to its element. */
static mpno_status place_tensors(mpno_ctx *ctx, const mpno_tensor_file *file,
                                 mpno_stored_tensor *out) {
    size_t n = 0;
    uint64_t at = 0;
    for (size_t i = 0; i < file->n; i++) MPNO_TRY(check_name(ctx, &file->tensors[i]));
    for (size_t width = 8; width > 0; width /= 2)
        for (size_t i = 0; i < file->n; i++) {
            mpno_stored_tensor stored = stored_form(&file->tensors[i]);
            if (mpno_element_bytes(stored.element) != width) continue;
            stored.begin = at;
            stored.end = at += file->tensors[i].bytes;
            out[n++] = stored;
        }
    return MPNO_OK;
}

static mpno_status check_metadata(mpno_ctx *ctx, const mpno_value *metadata) {
    for (size_t i = 0; i < metadata->n; i++) {
        const char *key = metadata->keys[i];
        const mpno_value *value = metadata->items[i];
        bool text = value->kind == MPNO_VALUE_STRING && mpno_text_is_utf8(key, strlen(key)) &&
                    mpno_text_is_utf8(value->string, strlen(value->string));
        MPNO_CHECK(ctx, text, MPNO_E_ARGUMENT, "metadata entry %zu is not UTF-8 text", i);
        bool own = strcmp(key, MPNO_SAFETENSORS_CHECKSUM) == 0 ||
                   strcmp(key, MPNO_SAFETENSORS_COMPLEX) == 0 ||
                   strcmp(key, MPNO_SAFETENSORS_FORMAT) == 0;
        MPNO_CHECK(ctx, !own, MPNO_E_ARGUMENT, "metadata key '%s' belongs to the file format", key);
    }
    return MPNO_OK;
}

static mpno_status add_complex_names(mpno_ctx *ctx, const mpno_tensor_file *file,
                                     mpno_value *metadata) {
    mpno_text names = {.ctx = ctx};
    mpno_status status = MPNO_OK;
    for (size_t i = 0; i < file->n && status == MPNO_OK; i++)
        if (mpno_element_is_complex(file->tensors[i].element))
            status =
                mpno_text_add(&names, "%s%s", names.size > 0 ? "\n" : "", file->tensors[i].name);
    if (status == MPNO_OK && names.size > 0)
        status = mpno_value_set_string(ctx, metadata, MPNO_SAFETENSORS_COMPLEX, names.data);
    mpno_text_discard(&names);
    return status;
}

/* Adds the file's own entries; the checksum comes last because it covers the others. */
static mpno_status complete_metadata(mpno_ctx *ctx, const mpno_tensor_file *file,
                                     const mpno_stored_tensor *tensors, mpno_value *metadata) {
    char digits[MPNO_SAFETENSORS_DIGITS];
    MPNO_TRY(
        mpno_value_set_string(ctx, metadata, MPNO_SAFETENSORS_FORMAT, MPNO_SAFETENSORS_FORMAT_NOW));
    MPNO_TRY(add_complex_names(ctx, file, metadata));
    MPNO_TRY(mpno_safetensors_digits(ctx, tensors, file->n, metadata, digits));
    return mpno_value_set_string(ctx, metadata, MPNO_SAFETENSORS_CHECKSUM, digits);
}

static mpno_status add_tensor_entry(mpno_text *header, const mpno_stored_tensor *tensor) {
    MPNO_TRY(mpno_text_add(header, ","));
    MPNO_TRY(mpno_text_add_quoted(header, tensor->name));
    MPNO_TRY(mpno_text_add(header, ":{\"dtype\":\"%s\",\"shape\":[",
                           mpno_safetensors_type(tensor->element)));
    for (int d = 0; d < tensor->ndim; d++)
        MPNO_TRY(mpno_text_add(header, "%s%lld", d > 0 ? "," : "", (long long)tensor->shape[d]));
    return mpno_text_add(header, "],\"data_offsets\":[%llu,%llu]}",
                         (unsigned long long)tensor->begin, (unsigned long long)tensor->end);
}

static mpno_status compose_header(mpno_text *header, const mpno_stored_tensor *tensors, size_t n,
                                  const mpno_value *metadata) {
    MPNO_TRY(mpno_text_add(header, "{\"__metadata__\":{"));
    for (size_t i = 0; i < metadata->n; i++) {
        if (i > 0) MPNO_TRY(mpno_text_add(header, ","));
        MPNO_TRY(mpno_text_add_quoted(header, metadata->keys[i]));
        MPNO_TRY(mpno_text_add(header, ":"));
        MPNO_TRY(mpno_text_add_quoted(header, metadata->items[i]->string));
    }
    MPNO_TRY(mpno_text_add(header, "}"));
    for (size_t i = 0; i < n; i++) MPNO_TRY(add_tensor_entry(header, &tensors[i]));
    MPNO_TRY(mpno_text_add(header, "}"));
    size_t past = (8 + header->size) % DATA_ALIGNMENT;
    if (past > 0) MPNO_TRY(mpno_text_add_spaces(header, DATA_ALIGNMENT - past));
    MPNO_CHECK(header->ctx, header->size <= MPNO_SAFETENSORS_MAX_HEADER, MPNO_E_ARGUMENT,
               "the header would have %zu bytes, more than the %d that safetensors files may have",
               header->size, MPNO_SAFETENSORS_MAX_HEADER);
    return MPNO_OK;
}

static mpno_status write_parts(mpno_writer *writer, const mpno_text *header,
                               const mpno_stored_tensor *tensors, size_t n) {
    unsigned char size[8];
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)header->size >> (8 * i));
    MPNO_TRY(mpno_writer_write(writer, size, sizeof size));
    MPNO_TRY(mpno_writer_write(writer, header->data, header->size));
    for (size_t i = 0; i < n; i++)
        MPNO_TRY(mpno_writer_write(writer, tensors[i].data,
                                   (size_t)(tensors[i].end - tensors[i].begin)));
    return MPNO_OK;
}

static mpno_status write_file(mpno_ctx *ctx, const char *path, const mpno_text *header,
                              const mpno_stored_tensor *tensors, size_t n) {
    mpno_writer *writer;
    MPNO_TRY(mpno_writer_open(ctx, path, &writer));
    mpno_status status = write_parts(writer, header, tensors, n);
    if (status == MPNO_OK) return mpno_writer_commit(&writer);
    mpno_writer_abandon(&writer);
    return status;
}

mpno_status mpno_safetensors_write(mpno_ctx *ctx, const char *path, const mpno_tensor_file *file) {
    mpno_text header = {.ctx = ctx};
    mpno_value *metadata = NULL;
    mpno_stored_tensor *tensors;
    MPNO_TRY(check_metadata(ctx, file->metadata));
    MPNO_TRY(mpno_alloc_array(ctx, file->n, sizeof *tensors, &tensors));
    mpno_status status = place_tensors(ctx, file, tensors);
    if (status == MPNO_OK) status = mpno_value_clone(ctx, file->metadata, &metadata);
    if (status == MPNO_OK) status = complete_metadata(ctx, file, tensors, metadata);
    if (status == MPNO_OK) status = compose_header(&header, tensors, file->n, metadata);
    if (status == MPNO_OK) status = write_file(ctx, path, &header, tensors, file->n);
    mpno_text_discard(&header);
    mpno_value_destroy(ctx, &metadata);
    mpno_free(ctx, tensors);
    return status;
}
