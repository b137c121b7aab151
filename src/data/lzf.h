/* SPDX-License-Identifier: MIT
 * LZF decompression, as the filter that h5py applies to HDF5 chunks. */
#ifndef MPNO_DATA_LZF_H
#define MPNO_DATA_LZF_H

#include <stddef.h>

/* Bytes written to out; 0 when the input is damaged or gives more than `capacity`. */
size_t mpno_lzf_decode(const void *in, size_t n, void *out, size_t capacity);

#endif
