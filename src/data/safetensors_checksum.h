/* SPDX-License-Identifier: MIT
 * What reader and writer of safetensors files share: a tensor as it stands in a file, the names of
 * the types and the checksum over a file's contents (defined in safetensors.h). */
#ifndef MPNO_DATA_SAFETENSORS_CHECKSUM_H
#define MPNO_DATA_SAFETENSORS_CHECKSUM_H

#include "data/tensors.h"

#define MPNO_SAFETENSORS_CHECKSUM "mpno.checksum"
#define MPNO_SAFETENSORS_COMPLEX "mpno.complex"
#define MPNO_SAFETENSORS_FORMAT "mpno.format"
#define MPNO_SAFETENSORS_FORMAT_NOW "1"

enum {
    MPNO_SAFETENSORS_MAX_HEADER = 100000000,
    MPNO_SAFETENSORS_DIGITS = 17 /* 16 hexadecimal digits and the zero byte */
};

typedef struct mpno_stored_tensor {
    const char *name; /* borrowed, like data */
    mpno_element element;
    int ndim;
    int64_t shape[MPNO_MAX_DIMS];
    uint64_t begin, end; /* bytes in the data part of the file */
    const void *data;
} mpno_stored_tensor;

/* "F32", ...; NULL when the format has no name for it (c128). */
const char *mpno_safetensors_type(mpno_element element);
bool mpno_safetensors_type_parse(const char *name, mpno_element *out);

/* metadata: a map of strings; its entry MPNO_SAFETENSORS_CHECKSUM, if any, is left out. */
MPNO_WARN_UNUSED mpno_status mpno_safetensors_digits(mpno_ctx *ctx,
                                                     const mpno_stored_tensor *tensors, size_t n,
                                                     const mpno_value *metadata,
                                                     char out[MPNO_SAFETENSORS_DIGITS]);

#endif
