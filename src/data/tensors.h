/* SPDX-License-Identifier: MIT
 * What every reader of tensors gives: an ordered list of named tensors in C order, a map of text
 * metadata and, for formats that nest (.pt), the tree of everything else in the file. One thread at
 * a time per object. */
#ifndef MPNO_DATA_TENSORS_H
#define MPNO_DATA_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/context.h"
#include "core/value.h"
#include "number/format.h"
#include "number/tensor.h"

/* Element types as they stand in files (little endian). Complex: interleaved real, imaginary. */
typedef enum mpno_element {
    MPNO_ELEMENT_F64,
    MPNO_ELEMENT_F32,
    MPNO_ELEMENT_F16,
    MPNO_ELEMENT_BF16,
    MPNO_ELEMENT_I64,
    MPNO_ELEMENT_I32,
    MPNO_ELEMENT_I16,
    MPNO_ELEMENT_I8,
    MPNO_ELEMENT_U8,
    MPNO_ELEMENT_BOOL, /* one byte, 0 is false */
    MPNO_ELEMENT_C64,  /* two f32 */
    MPNO_ELEMENT_C128, /* two f64 */
    MPNO_ELEMENT_U16,
    MPNO_ELEMENT_U32,
    MPNO_ELEMENT_U64,
    MPNO_ELEMENT_F8E4M3, /* as OCP's: no infinities */
    MPNO_ELEMENT_F8E5M2,
    MPNO_ELEMENT_COUNT
} mpno_element;

const char *mpno_element_name(
    mpno_element element); /* "f64", ..., "bool", "c64", "c128", "u16", ... */
size_t mpno_element_bytes(mpno_element element);
bool mpno_element_is_complex(mpno_element element);
bool mpno_element_is_integer(mpno_element element); /* and bool */

typedef struct mpno_named_tensor {
    char *name; /* owned */
    mpno_element element;
    int ndim;
    int64_t shape[MPNO_MAX_DIMS];
    int64_t chunk[MPNO_MAX_DIMS]; /* extents of the pieces that the file stores it in; 0: one */
    uint64_t offset; /* of the first byte in a file that stores it in one piece; 0: it does not */
    void *data;      /* C order, without gaps; 64-byte aligned when owned; NULL when only listed */
    size_t bytes;
    bool owns_data; /* false: the caller's memory, which must outlive the list */
} mpno_named_tensor;

typedef struct mpno_tensor_file {
    size_t n, capacity;
    mpno_named_tensor *tensors; /* owned, in the file's order */
    mpno_value *metadata;       /* owned, never NULL: a map of strings */
    /* owned; NULL for flat formats. The file's whole object: dicts, lists and tuples (as lists),
     * numbers, texts; a tensor is the string
     * "<tensor K>" with its index K in `tensors`, a function or class "<global MODULE.NAME>", what
     * a call would have made
     * "<object MODULE.NAME>", raw bytes "<bytes N>". Nothing of it was run. */
    mpno_value *object;
} mpno_tensor_file;

/* A box of a tensor in a file, to be read into memory: along axis d the elements start[d] + k *
 * step[d] for k below count[d]. */
typedef struct mpno_piece {
    const char *name;
    mpno_element element;
    int ndim;
    int64_t start[MPNO_MAX_DIMS], count[MPNO_MAX_DIMS], step[MPNO_MAX_DIMS];
    void *out; /* borrowed: the product of the counts in elements, C order */
} mpno_piece;
/* E_ARGUMENT when the piece leaves a tensor of this shape (and piece->ndim dimensions). */
MPNO_WARN_UNUSED mpno_status mpno_piece_check(mpno_ctx *ctx, const mpno_piece *piece,
                                              const int64_t *shape);

MPNO_WARN_UNUSED mpno_status mpno_tensor_file_create(mpno_ctx *ctx, mpno_tensor_file **out);
void mpno_tensor_file_destroy(mpno_ctx *ctx,
                              mpno_tensor_file **file); /* accepts NULL and *file == NULL */

/* Appends a tensor with memory of its own, not zeroed, to be filled by the caller through
 * (*out)->data (out may be NULL). E_SHAPE for more than MPNO_MAX_DIMS dimensions, negative sizes or
 * a size that overflows; E_ARGUMENT for a taken name. *out is borrowed, until the next add. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_add(mpno_ctx *ctx, mpno_tensor_file *file,
                                                  const char *name, mpno_element element, int ndim,
                                                  const int64_t *shape, mpno_named_tensor **out);
/* The same for memory that stays the caller's (borrows data): to write a model without copying it.
 */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_add_view(mpno_ctx *ctx, mpno_tensor_file *file,
                                                       const char *name, mpno_element element,
                                                       int ndim, const int64_t *shape,
                                                       const void *data);
/* NULL: no such tensor. */
const mpno_named_tensor *mpno_tensor_file_find(const mpno_tensor_file *file, const char *name);
/* Like find, but a missing name is E_FORMAT: the sentence names the nearest names, or the thing
 * that stands there instead. */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_require(mpno_ctx *ctx, const mpno_tensor_file *file,
                                                      const char *name,
                                                      const mpno_named_tensor **out);

/* Elements by shape: a complex number counts once. */
int64_t mpno_named_tensor_count(const mpno_named_tensor *tensor);
/* Values start .. start+count-1 (in C order) into out as MPNO_F32 or MPNO_F64, rounding once;
 * complex: 2*count numbers, interleaved. false is 0 and true is 1. E_ARGUMENT when the range leaves
 * the tensor. */
MPNO_WARN_UNUSED mpno_status mpno_named_tensor_values(mpno_ctx *ctx,
                                                      const mpno_named_tensor *tensor,
                                                      int64_t start, int64_t count,
                                                      mpno_format format, void *out);

/* Elements of `size` bytes from a strided place (strides in elements) to `out` in C order. */
void mpno_gather(void *out, const void *from, size_t size, int ndim, const int64_t *count,
                 const int64_t *stride);
/* "(1000, 16, 16)" into out, for messages; cut when it does not fit. Gives out. */
const char *mpno_shape_text(int ndim, const int64_t *shape, char *out, size_t capacity);
/* count and bytes of a shape; false when a size is negative or the product overflows int64 or
 * size_t. */
bool mpno_shape_measure(mpno_element element, int ndim, const int64_t *shape, int64_t *count,
                        size_t *bytes);
/* True when the n bytes are well-formed UTF-8 without NUL. */
bool mpno_text_is_utf8(const char *text, size_t n);

#endif
