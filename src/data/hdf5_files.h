/* SPDX-License-Identifier: MIT
 * The parts of reading and writing HDF5 files that need no HDF5 library, and what they take of the
 * part that does. Only hdf5.c and hdf5_files.c include this. */
#ifndef MPNO_DATA_HDF5_FILES_H
#define MPNO_DATA_HDF5_FILES_H

#include "data/hdf5.h"

/* Says what is wrong with the file in the words of core/files.h, before the library sees it. bytes:
 * its size. */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_check_path(mpno_ctx *ctx, const char *path, uint64_t *bytes);
/* Where a source of the virtual data set `name` of the file at `path` is: E_IO when it is missing.
 */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_find_source(mpno_ctx *ctx, const char *path,
                                                   const char *name, const char *source, char *out,
                                                   size_t capacity);
/* The first element of a tensor, if it has one. */
mpno_piece mpno_hdf5_first(const char *name, mpno_element element, int ndim, const int64_t *shape,
                           void *value);
/* Of a data set to be made, which has so many elements and bytes: E_ARGUMENT for its name, E_SHAPE.
 */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_check_set(mpno_ctx *ctx, const mpno_hdf5_set *set,
                                                 size_t capacity, int64_t *count, size_t *bytes);
/* The element of `size` bytes, if there is one. */
bool mpno_hdf5_integer(size_t size, bool has_sign, mpno_element *out);
bool mpno_hdf5_float(size_t size, size_t exponent, mpno_element *out);

/* How deep a file is read: not the values, the first of each set, all but those of virtual sets
 * (which a small file may promise without end), all. */
typedef enum mpno_hdf5_depth {
    MPNO_HDF5_SHAPES,
    MPNO_HDF5_ONE_VALUE,
    MPNO_HDF5_ALL_BUT_VIRTUAL,
    MPNO_HDF5_ALL_VALUES
} mpno_hdf5_depth;
/* Adds what the file holds to `out`. */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_load(mpno_ctx *ctx, const char *path, mpno_hdf5_depth deep,
                                            mpno_tensor_file *out);

/* What a header promises must be possible for a file of this size before memory is taken. */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_check_size(mpno_ctx *ctx, uint64_t file_bytes,
                                                  const char *name, mpno_element element, int ndim,
                                                  const int64_t *shape);
/* What `work` gives when it is tried in a process of its own, or E_FORMAT when that process ends by
 * a fault: damaged files make HDF5 1.10 read and write where it must not (4 of 3000 changed bits of
 * tests/data/sample.h5), and its ways out of errors leak and free what was never set. OK too when
 * no process can be made. */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_apart(mpno_ctx *ctx, mpno_status (*work)(const void *user),
                                             const void *user);

enum { MPNO_HDF5_CHECKSUM_TEXT = 17 };
void mpno_hdf5_checksum(const void *data, size_t bytes, char out[MPNO_HDF5_CHECKSUM_TEXT]);

enum { MPNO_HDF5_LIST = 16 }; /* numbers of an attribute, at most */
/* The numbers of a scalar or a list, as reals and as integers; real: one of them is no integer.
 * false: not 1 to MPNO_HDF5_LIST numbers. */
bool mpno_hdf5_numbers(const mpno_value *v, bool *real, double *reals, int64_t *integers);

/* The other way: "2.5", or "[1, 2]" where `list`; from the reals where the element is one, else
 * from the integers. *out: owned by the caller (mpno_free). */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_numbers_text(mpno_ctx *ctx, size_t n, bool list,
                                                    mpno_element element, const double *reals,
                                                    const int64_t *integers, char **out);

/* mpno_hdf5_create, with the values of each set and their checksum when values is not NULL. */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_fill(mpno_ctx *ctx, const char *path, size_t n,
                                            mpno_hdf5_set *sets, const mpno_value *attributes,
                                            const mpno_named_tensor *values);

#endif
