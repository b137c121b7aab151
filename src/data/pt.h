/* SPDX-License-Identifier: MIT
 * Reader and writer of the files that torch.save writes (.pt, .pth, .pkl).
 * Reader: since PyTorch 1.6 a zip archive with STEM/data.pkl, a pickle that is read without running
 * anything (data/pickle.h), and STEM/data/KEY, the raw storages; before, pickles and storages one
 * after the other (data/pt_legacy.c), which have no checksum. Views (offset and strides) are
 * gathered into C order. All tensors of the file are read, under dotted paths; everything else is
 * in `object`. Checked: sizes in the central directory against the size of the file, the CRC of
 * every zip entry, byte order, every view against its storage, and the sum of all tensors against
 * that of the storages (times 16 plus 1 MiB: expanded views). Contract: nothing in the file can
 * make the reader run code, crash, or use memory out of proportion to it; every defect is E_FORMAT,
 * what is sound but not read (tar files of PyTorch 0.1, big-endian ones) is E_UNSUPPORTED. Source:
 * torch/serialization.py, caffe2/serialize/inline_container.cc (layout). */
#ifndef MPNO_DATA_PT_H
#define MPNO_DATA_PT_H

#include <stddef.h>

#include "data/tensors.h"

/* The same form, as torch.save would write it: an OrderedDict of the tensors in their order, and
 * behind them the entries of file->object (NULL or a map without tensors; lists become lists), each
 * tensor in a storage of its own. Written atomically. E_UNSUPPORTED for element types that torch
 * has no storage for. */
MPNO_WARN_UNUSED mpno_status mpno_pt_write(mpno_ctx *ctx, const char *path,
                                           const mpno_tensor_file *file);

MPNO_WARN_UNUSED mpno_status mpno_pt_read(mpno_ctx *ctx, const char *path, mpno_tensor_file **out);
/* The same from the bytes of a file (borrowed during the call). */
MPNO_WARN_UNUSED mpno_status mpno_pt_parse(mpno_ctx *ctx, const void *data, size_t size,
                                           mpno_tensor_file **out);

#endif
