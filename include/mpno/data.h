/* SPDX-License-Identifier: MIT
 * Data files: what they hold, whether they are sound, conversion, and where the field's public sets are. FILE is a path or
 * PATH:KEY, with KEY as in docs/reference/formats.md. Nothing here prints: text goes to the caller's sink. *json (may be NULL):
 * one object as text, owned by the caller, mpno_text_free. */
#ifndef MPNO_DATA_H
#define MPNO_DATA_H

#include "mpno/context.h"
#include "mpno/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* tool, and what it does with `file`:
 * "info"     names, types, shapes and attributes; statistics too (in the JSON object) of up to 256 MiB
 * "stats"    sum, least, greatest, mean, deviation and NaNs of each tensor, whatever the size of the file
 * "check"    reads everything, with its checksums. E_FORMAT: damaged; E_NUMERIC: a value is not finite; E_SHAPE: x and y are
 *            no pairs
 * "convert"  writes the tensors to `output` in the format of its extension, whole or not at all
 * "where"    address, size and checksum of the public data set of the name `file`; NULL: of all
 * output is for convert alone, else NULL. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_data(mpno_ctx *ctx, const char *tool, const char *file, const char *output,
                                                const mpno_sink *sink, char **json);

#ifdef __cplusplus
}
#endif

#endif
