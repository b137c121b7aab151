/* SPDX-License-Identifier: MIT
 * Tensor: a described region of memory. Plain value; does not own its data unless made by
 * mpno_tensor_create. */
#ifndef MPNO_NUMBER_TENSOR_H
#define MPNO_NUMBER_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/context.h"
#include "number/format.h"

#define MPNO_MAX_DIMS 8

typedef struct mpno_tensor {
    void *data;
    mpno_format format;
    int ndim;
    int64_t shape[MPNO_MAX_DIMS];
    int64_t stride[MPNO_MAX_DIMS]; /* in elements */
} mpno_tensor;

int64_t mpno_tensor_count(const mpno_tensor *t);
bool mpno_tensor_contiguous(const mpno_tensor *t);
mpno_tensor mpno_tensor_view(void *data, mpno_format format, int ndim,
                             const int64_t *shape);                      /* contiguous strides */
mpno_tensor mpno_tensor_permuted(const mpno_tensor *t, const int *axes); /* a view */
/* E_ARGUMENT when start/count leave the axis. A view. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_slice(mpno_ctx *ctx, const mpno_tensor *t, int axis,
                                               int64_t start, int64_t count, mpno_tensor *out);
MPNO_WARN_UNUSED mpno_status mpno_tensor_create(mpno_ctx *ctx, mpno_format format, int ndim,
                                                const int64_t *shape, mpno_tensor *out);
void mpno_tensor_destroy(mpno_ctx *ctx, mpno_tensor *t);
/* Copies values, converting format and honouring strides on both sides; shapes must be equal. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_copy(mpno_ctx *ctx, mpno_tensor *dst,
                                              const mpno_tensor *src);

#endif
