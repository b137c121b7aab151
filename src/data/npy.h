/* SPDX-License-Identifier: MIT
 * NumPy's files. .npy: 6 bytes of magic, version (1.0, 2.0 or 3.0), header size, a Python dict
 * {descr, fortran_order, shape} as text, then the values; either byte order, C or Fortran order,
 * types b1 i1..i8 u1..u8 f2 f4 f8 c8 c16. The tensor has no name: "". .npz: a zip archive of .npy
 * files, stored or deflated, each a tensor under its name without ".npy"; CRCs are checked.
 * Objects (pickles), records, texts and dates are E_UNSUPPORTED; sizes that do not fit, in either
 * direction, are E_FORMAT. Source: numpy/lib/format.py, "Format Version 1.0" to "3.0". */
#ifndef MPNO_DATA_NPY_H
#define MPNO_DATA_NPY_H

#include <stddef.h>

#include "data/tensors.h"

MPNO_WARN_UNUSED mpno_status mpno_npy_read(mpno_ctx *ctx, const char *path, mpno_tensor_file **out);
/* Without values (data is NULL), and pieces alone: the file is mapped, so that only they are read.
 */
MPNO_WARN_UNUSED mpno_status mpno_npy_list(mpno_ctx *ctx, const char *path, mpno_tensor_file **out);
MPNO_WARN_UNUSED mpno_status mpno_npy_fetch(mpno_ctx *ctx, const char *path, size_t n,
                                            const mpno_piece *pieces);
MPNO_WARN_UNUSED mpno_status mpno_npz_read(mpno_ctx *ctx, const char *path, mpno_tensor_file **out);
/* From the bytes of a file (borrowed during the call). */
MPNO_WARN_UNUSED mpno_status mpno_npy_parse(mpno_ctx *ctx, const void *data, size_t size,
                                            mpno_tensor_file **out);
MPNO_WARN_UNUSED mpno_status mpno_npz_parse(mpno_ctx *ctx, const void *data, size_t size,
                                            mpno_tensor_file **out);

/* Writes the one tensor of the list, atomically: little endian, C order, version 1.0 (2.0 never
 * comes up: shapes are short). E_ARGUMENT for another number of tensors or bf16, which NumPy does
 * not have. Metadata cannot be kept. */
MPNO_WARN_UNUSED mpno_status mpno_npy_write(mpno_ctx *ctx, const char *path,
                                            const mpno_tensor_file *file);

#endif
