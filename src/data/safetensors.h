/* SPDX-License-Identifier: MIT
 * safetensors files: 8 bytes header size, a JSON header, then the tensors' bytes without gaps.
 * Reader: header up to 100 MB, duplicate keys, unknown fields, wrong sizes, overlaps, gaps and
 * trailing bytes are E_FORMAT. Types F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I64 I32 I16 I8 U64 U32 U16 U8 BOOL C64; others are
 * E_UNSUPPORTED.
 * Writer: atomic; header padded with spaces so that the data begins at a multiple of 64; tensors
 * with wide elements first (then each is aligned to its element), otherwise in the caller's order.
 * Complex tensors are stored as F32 or F64 with a last dimension of 2 (the format has no complex
 * f64, and readers in the field do not know C64) and listed, one name per line, in the metadata
 * entry "mpno.complex"; they come back complex.
 * Damage: "mpno.checksum" holds 16 hexadecimal digits, the CRC-64 (core/checksum.h) of everything a
 * file says: for each tensor in the order of the names, name, type, dimensions and bytes; for each
 * other metadata entry in the order of the keys, key and value. "mpno.format" stands beside it, so
 * that no single change can hide both. A file that has one of the two is checked; it may have been
 * rewritten with another order of tensors, but not with other contents.
 * The three entries are the file's own: they do not appear in mpno_tensor_file.metadata.
 * Source: huggingface/safetensors README.md, "Format". */
#ifndef MPNO_DATA_SAFETENSORS_H
#define MPNO_DATA_SAFETENSORS_H

#include <stddef.h>

#include "data/tensors.h"

MPNO_WARN_UNUSED mpno_status mpno_safetensors_read(mpno_ctx *ctx, const char *path,
                                                   mpno_tensor_file **out);
/* The same from the bytes of a file (borrowed during the call). */
MPNO_WARN_UNUSED mpno_status mpno_safetensors_parse(mpno_ctx *ctx, const void *data, size_t size,
                                                    mpno_tensor_file **out);

/* Writes tensors and metadata of the list; `object` is not written. E_ARGUMENT: a name or metadata
 * text that is not UTF-8, metadata that is not text or uses one of the file's own keys, a complex
 * tensor with MPNO_MAX_DIMS dimensions. Until it succeeds an older file at `path` stays whole. */
MPNO_WARN_UNUSED mpno_status mpno_safetensors_write(mpno_ctx *ctx, const char *path,
                                                    const mpno_tensor_file *file);

#endif
