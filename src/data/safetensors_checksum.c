/* SPDX-License-Identifier: MIT
 * Names of types and the checksum over the contents of a safetensors file: see safetensors.h. Texts
 * enter with their zero byte and numbers as eight bytes, little endian, so that no two contents
 * give the same sequence of bytes. */
#include "data/safetensors_checksum.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/checksum.h"
#include "core/memory.h"

static const char *const TYPES[MPNO_ELEMENT_COUNT] = {
    [MPNO_ELEMENT_F64] = "F64",        [MPNO_ELEMENT_F32] = "F32",
    [MPNO_ELEMENT_F16] = "F16",        [MPNO_ELEMENT_BF16] = "BF16",
    [MPNO_ELEMENT_I64] = "I64",        [MPNO_ELEMENT_I32] = "I32",
    [MPNO_ELEMENT_I16] = "I16",        [MPNO_ELEMENT_I8] = "I8",
    [MPNO_ELEMENT_U8] = "U8",          [MPNO_ELEMENT_BOOL] = "BOOL",
    [MPNO_ELEMENT_C64] = "C64",        [MPNO_ELEMENT_C128] = NULL,
    [MPNO_ELEMENT_U16] = "U16",        [MPNO_ELEMENT_U32] = "U32",
    [MPNO_ELEMENT_U64] = "U64",        [MPNO_ELEMENT_F8E4M3] = "F8_E4M3",
    [MPNO_ELEMENT_F8E5M2] = "F8_E5M2",
};

const char *mpno_safetensors_type(mpno_element element) {
    return TYPES[element];
}

bool mpno_safetensors_type_parse(const char *name, mpno_element *out) {
    for (int i = 0; i < MPNO_ELEMENT_COUNT; i++) {
        if (!TYPES[i] || strcmp(TYPES[i], name) != 0) continue;
        *out = (mpno_element)i;
        return true;
    }
    return false;
}

typedef struct named {
    const char *name;
    size_t index;
} named;

static int by_name(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static void add_text(mpno_crc64 *crc, const char *text) {
    mpno_crc64_add(crc, text, strlen(text) + 1);
}

static void add_number(mpno_crc64 *crc, uint64_t number) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(number >> (8 * i));
    mpno_crc64_add(crc, bytes, sizeof bytes);
}

static void add_tensor(mpno_crc64 *crc, const mpno_stored_tensor *tensor) {
    add_text(crc, tensor->name);
    add_text(crc, TYPES[tensor->element]);
    add_number(crc, (uint64_t)tensor->ndim);
    for (int d = 0; d < tensor->ndim; d++) add_number(crc, (uint64_t)tensor->shape[d]);
    mpno_crc64_add(crc, tensor->data, (size_t)(tensor->end - tensor->begin));
}

mpno_status mpno_safetensors_digits(mpno_ctx *ctx, const mpno_stored_tensor *tensors, size_t n,
                                    const mpno_value *metadata, char out[MPNO_SAFETENSORS_DIGITS]) {
    mpno_crc64 *crc; /* 16 KiB of tables: not on the stack */
    named *order;
    size_t longest = n > metadata->n ? n : metadata->n;
    MPNO_TRY(mpno_alloc(ctx, sizeof *crc, &crc));
    mpno_status status = mpno_alloc_array(ctx, longest, sizeof *order, &order);
    if (status != MPNO_OK) {
        mpno_free(ctx, crc);
        return status;
    }
    mpno_crc64_start(crc);
    for (size_t i = 0; i < n; i++) order[i] = (named){tensors[i].name, i};
    qsort(order, n, sizeof *order, by_name);
    for (size_t i = 0; i < n; i++) add_tensor(crc, &tensors[order[i].index]);
    for (size_t i = 0; i < metadata->n; i++) order[i] = (named){metadata->keys[i], i};
    qsort(order, metadata->n, sizeof *order, by_name);
    for (size_t i = 0; i < metadata->n; i++) {
        if (strcmp(order[i].name, MPNO_SAFETENSORS_CHECKSUM) == 0) continue;
        add_text(crc, order[i].name);
        add_text(crc, metadata->items[order[i].index]->string);
    }
    snprintf(out, MPNO_SAFETENSORS_DIGITS, "%016" PRIx64, mpno_crc64_value(crc));
    mpno_free(ctx, order);
    mpno_free(ctx, crc);
    return MPNO_OK;
}
