/* SPDX-License-Identifier: MIT
 * Shapes, strides and strided copies. */
#include "number/tensor.h"

#include <string.h>

#include "core/memory.h"

int64_t mpno_tensor_count(const mpno_tensor *t) {
    int64_t count = 1;
    for (int i = 0; i < t->ndim; i++) count *= t->shape[i];
    return count;
}

bool mpno_tensor_contiguous(const mpno_tensor *t) {
    if (mpno_tensor_count(t) == 0) return true;
    int64_t expected = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->shape[i] == 1) continue; /* its stride is never used */
        if (t->stride[i] != expected) return false;
        expected *= t->shape[i];
    }
    return true;
}

mpno_tensor mpno_tensor_view(void *data, mpno_format format, int ndim, const int64_t *shape) {
    mpno_tensor t = {.data = data, .format = format, .ndim = ndim};
    int64_t stride = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        t.shape[i] = shape[i];
        t.stride[i] = stride;
        stride *= shape[i];
    }
    return t;
}

mpno_tensor mpno_tensor_permuted(const mpno_tensor *t, const int *axes) {
    mpno_tensor result = *t;
    for (int i = 0; i < t->ndim; i++) {
        result.shape[i] = t->shape[axes[i]];
        result.stride[i] = t->stride[axes[i]];
    }
    return result;
}

static char *element(const mpno_tensor *t, int64_t offset) {
    return (char *)t->data + offset * (int64_t)mpno_format_bytes(t->format);
}

mpno_status mpno_tensor_slice(mpno_ctx *ctx, const mpno_tensor *t, int axis, int64_t start,
                              int64_t count, mpno_tensor *out) {
    MPNO_CHECK(ctx, axis >= 0 && axis < t->ndim, MPNO_E_ARGUMENT,
               "slice along axis %d of a tensor with %d axes; axes count from 0", axis, t->ndim);
    int64_t extent = t->shape[axis];
    MPNO_CHECK(ctx, start >= 0 && count >= 0 && start <= extent && count <= extent - start,
               MPNO_E_ARGUMENT, "slice of %lld elements from %lld leaves axis %d, which has %lld",
               (long long)count, (long long)start, axis, (long long)extent);
    mpno_tensor result = *t;
    result.shape[axis] = count;
    /* An empty slice has no first element: leave its pointer inside the region. */
    if (count > 0) result.data = element(t, start * t->stride[axis]);
    *out = result;
    return MPNO_OK;
}

mpno_status mpno_tensor_create(mpno_ctx *ctx, mpno_format format, int ndim, const int64_t *shape,
                               mpno_tensor *out) {
    MPNO_CHECK(ctx, ndim >= 0 && ndim <= MPNO_MAX_DIMS, MPNO_E_ARGUMENT,
               "a tensor with %d axes; 0 to %d are possible", ndim, MPNO_MAX_DIMS);
    int64_t most = INT64_MAX / (int64_t)mpno_format_bytes(format);
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) {
        MPNO_CHECK(ctx, shape[i] >= 0, MPNO_E_ARGUMENT,
                   "axis %d has %lld elements; extents are not negative", i, (long long)shape[i]);
        MPNO_CHECK(ctx, shape[i] == 0 || count <= most / shape[i], MPNO_E_MEMORY,
                   "a tensor with axis %d of %lld exceeds the address space; check the shape", i,
                   (long long)shape[i]);
        count *= shape[i];
    }
    void *data;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)count, mpno_format_bytes(format), &data));
    *out = mpno_tensor_view(data, format, ndim, shape);
    return MPNO_OK;
}

void mpno_tensor_destroy(mpno_ctx *ctx, mpno_tensor *t) {
    if (t == NULL) return;
    mpno_free(ctx, t->data);
    *t = (mpno_tensor){.data = NULL};
}

/* One row of n elements with any strides. */
static void copy_row(char *dst, mpno_format dst_format, int64_t dst_stride, const char *src,
                     mpno_format src_format, int64_t src_stride, int64_t n) {
    int64_t dst_step = dst_stride * (int64_t)mpno_format_bytes(dst_format);
    int64_t src_step = src_stride * (int64_t)mpno_format_bytes(src_format);
    if (dst_stride == 1 && src_stride == 1) {
        mpno_cast(dst, dst_format, src, src_format, (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        mpno_cast(dst + i * dst_step, dst_format, src + i * src_step, src_format, 1);
}

mpno_status mpno_tensor_copy(mpno_ctx *ctx, mpno_tensor *dst, const mpno_tensor *src) {
    MPNO_CHECK(ctx, dst->ndim == src->ndim, MPNO_E_SHAPE,
               "copy of a tensor with %d axes to one with %d; make them equal", src->ndim,
               dst->ndim);
    for (int i = 0; i < src->ndim; i++) {
        MPNO_CHECK(ctx, dst->shape[i] == src->shape[i], MPNO_E_SHAPE,
                   "copy between different shapes: axis %d has %lld elements in the source and "
                   "%lld in the target",
                   i, (long long)src->shape[i], (long long)dst->shape[i]);
    }
    int64_t count = mpno_tensor_count(src);
    if (count == 0) return MPNO_OK;
    if (mpno_tensor_contiguous(dst) && mpno_tensor_contiguous(src)) {
        mpno_cast(dst->data, dst->format, src->data, src->format, (size_t)count);
        return MPNO_OK;
    }
    const int inner = src->ndim - 1; /* ndim >= 1: a tensor without axes is contiguous */
    int64_t index[MPNO_MAX_DIMS] = {0};
    for (int64_t row = 0; row < count / src->shape[inner]; row++) {
        int64_t to = 0, from = 0;
        for (int i = 0; i < inner; i++) {
            to += index[i] * dst->stride[i];
            from += index[i] * src->stride[i];
        }
        copy_row(element(dst, to), dst->format, dst->stride[inner], element(src, from), src->format,
                 src->stride[inner], src->shape[inner]);
        for (int i = inner - 1; i >= 0 && ++index[i] == src->shape[i]; i--) index[i] = 0;
    }
    return MPNO_OK;
}
