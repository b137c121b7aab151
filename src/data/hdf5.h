/* SPDX-License-Identifier: MIT
 * HDF5 files, through the HDF5 library (the only place that uses it).
 * Reader: data sets of any group, under "group/name"; integers and floats of 1, 2, 4 and 8 bytes in
 * either byte order, f16 and bf16, h5py's booleans (an enumeration FALSE, TRUE) and complex numbers
 * (pairs r, i); any layout with filters that the library has, and LZF (32000). Attributes that are
 * texts or numbers stand in mpno_tensor_file.metadata, those of the file under their name, those of
 * a data set under "SET@NAME"; a data set that is no tensor (compound, references, texts, more than
 * MPNO_MAX_DIMS dimensions) under its name, as "<WHAT IT IS>". Virtual data sets are read; a source
 * that is missing is an error, not fill values. Raw data in other files (external) are refused.
 * Data sets written by mpno_hdf5_write carry a checksum and are checked when they are read as a
 * whole; so is what HDF5 itself checks (fletcher32, headers of version 2). What is asked for is
 * first read in a process of its own, of a file above 64 MiB all headers and a value of each set,
 * so that a damaged file that crashes the library, or makes it leak, is an error and not the
 * caller's end.
 *
 * Writer: little endian, contiguous, every byte at its place when the file is created, no time
 * stamps: the same input gives the same bytes. Superblock 2 and object headers 2, which carry
 * checksums (HDF5 1.8 and later read them).
 *
 * Threads may call these functions at the same time: they take turns. HDF5 prints nothing. */
#ifndef MPNO_DATA_HDF5_H
#define MPNO_DATA_HDF5_H

#include <stddef.h>
#include <stdint.h>

#include "data/tensors.h"

MPNO_WARN_UNUSED mpno_status mpno_hdf5_read(mpno_ctx *ctx, const char *path,
                                            mpno_tensor_file **out);
/* The same without values: data is NULL. */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_list(mpno_ctx *ctx, const char *path,
                                            mpno_tensor_file **out);
/* Reads the n pieces and nothing else. E_FORMAT: no such data set, or not of the element and
 * dimensions that the piece says (mpno_hdf5_list gives them). */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_fetch(mpno_ctx *ctx, const char *path, size_t n,
                                             const mpno_piece *pieces);

/* The same from a file that is kept open between two calls, with the chunks read last. path: listed
 * before, which tries a value of each set in a process of its own; the n pieces of mpno_hdf5_open
 * (may be 0) are tried so too. One thread at a time; each call may come from another, with a
 * context of its own. */
typedef struct mpno_hdf5_file mpno_hdf5_file;
MPNO_WARN_UNUSED mpno_status mpno_hdf5_open(mpno_ctx *ctx, const char *path, size_t n,
                                            const mpno_piece *pieces, mpno_hdf5_file **out);
MPNO_WARN_UNUSED mpno_status mpno_hdf5_fetch_from(mpno_ctx *ctx, mpno_hdf5_file *file, size_t n,
                                                  const mpno_piece *pieces);
void mpno_hdf5_close(mpno_ctx *ctx, mpno_hdf5_file **file); /* *file may be NULL */

/* A data set to be created. */
typedef struct mpno_hdf5_set {
    const char *name; /* "name" or "group/name"; the groups are made */
    mpno_element element;
    int ndim;
    int64_t shape[MPNO_MAX_DIMS];
    const mpno_value
        *attributes; /* borrowed: map of texts, numbers, truths, lists of numbers; NULL: none */
    const mpno_value *group; /* the same of groups that are made for this set */
    uint64_t offset;         /* out: place of its first byte in the file; 0 when it is empty */
} mpno_hdf5_set;

/* Creates (or empties) the file at `path` with the data sets, filled with zeros, and attributes of
 * the file (as above, NULL: none). The values are the caller's to write at sets[i].offset, in C
 * order and little endian. Not atomic: choose a temporary name and rename when all is written. */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_create(mpno_ctx *ctx, const char *path, size_t n,
                                              mpno_hdf5_set *sets, const mpno_value *attributes);
/* The places of data sets in a file that mpno_hdf5_create made, to go on writing. E_FORMAT when one
 * is missing or has another type or shape than sets[i] says. */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_locate(mpno_ctx *ctx, const char *path, size_t n,
                                              mpno_hdf5_set *sets);
/* Writes tensors and metadata, atomically. Metadata "SET@NAME" become attributes of SET. */
MPNO_WARN_UNUSED mpno_status mpno_hdf5_write(mpno_ctx *ctx, const char *path,
                                             const mpno_tensor_file *file);

#endif
