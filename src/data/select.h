/* SPDX-License-Identifier: MIT
 * Keys that name tensors of a file, parts of them, or several as one:
 *     NAME                 a tensor; groups are parted by '/' or '.'
 *     NAME[0:100, ::2, 3]  a part, as in Python: START:STOP:STEP or an index, which takes the axis
 *                          away; negative numbers count from the end; missing axes are whole.
 * Unlike in Python a stop beyond the end is an error a name with a '*'    one sample for each name
 * that fits, in the order of the file; the star stands for anything but '/' KEY+KEY channels behind
 * each other NAME is empty in files of one nameless tensor (.npy). A tensor whose name is the whole
 * key comes first. Only what is asked for is read, where the format allows it (readers.def). `axes`
 * says what the axes are, in their order in the file: n samples, c channels, x y z t the grid; the
 * tensor is turned to n, c, x, y, z, t. One that has one axis less than there are letters has no c.
 */
#ifndef MPNO_DATA_SELECT_H
#define MPNO_DATA_SELECT_H

#include "data/readers.h"
#include "data/tensors.h"

typedef struct mpno_select_opts {
    const char *reader; /* as for mpno_tensor_file_read */
    mpno_tensor_reader
        *open;        /* borrowed: the file is open already, and what is read may stand in its
                         memory, until it is used the next time; NULL: it is to be opened */
    const char *axes; /* NULL: the tensors are as they should be, samples first */
    bool time;        /* t is no axis of the grid: it stands behind n */
    size_t n, n_required;
    const char *const *keys; /* n; those from n_required on may be missing in the file */
    int64_t first;           /* first sample taken; a tensor that has no such one is taken from 0 */
    int64_t n_samples;       /* 0: all; else so many, or as many as there are */
    int64_t available;       /* out: samples of the first key in the file */
    int64_t chunk;           /* out: samples that the file stores as a piece, most of all keys; 1 */
} mpno_select_opts;

/* Each key becomes a tensor whose name is the key. Errors name file and key: E_FORMAT (no such
 * tensor), E_CONFIG (a key that is not well-formed, a part that leaves the tensor, axes that do not
 * fit), E_SHAPE (tensors that cannot be put together; of an open file, of different numbers of
 * samples, unless one has a single one). */
MPNO_WARN_UNUSED mpno_status mpno_tensor_file_select(mpno_ctx *ctx, const char *path,
                                                     mpno_select_opts *opts,
                                                     mpno_tensor_file **out);

#endif
