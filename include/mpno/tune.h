/* SPDX-License-Identifier: MIT
 * What was measured of a machine, in a text file: rates for the time estimates of mpno_plan, and
 * which of the variants that give a valid result is fastest there. A library call reads such a file
 * only when asked to. docs/reference/tuning.md describes the file. */
#ifndef MPNO_TUNE_H
#define MPNO_TUNE_H

#include "mpno/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* folder/tune-CPU.yaml with the name of this CPU's model, as text of `capacity` bytes. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_tune_path(mpno_ctx *ctx, const char *folder, char *path,
                                                     size_t capacity);
/* Measures with the context's threads, for some seconds, and writes the file at `path` whole, with
 * the folders before it. json: NULL, or what the file says (mpno_text_free). */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_tune(mpno_ctx *ctx, const char *path,
                                                const mpno_sink *sink, char **json);
/* Says what the file at `path` holds. E_IO: there is none; E_FORMAT: not of this version of mpno,
 * of this CPU, or damaged. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_tune_show(mpno_ctx *ctx, const char *path,
                                                     const mpno_sink *sink, char **json);
/* Removes it; fine when there is none. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_tune_reset(mpno_ctx *ctx, const char *path,
                                                      const mpno_sink *sink, char **json);
/* From now on the context has the file's rates, as many threads as it found best (unless a number
 * was asked for) and, with_isa, no faster kernels than it found best. Errors as those of show; the
 * context stays as it was then. Networks made before are not to be used after. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_tune_use(mpno_ctx *ctx, const char *path, bool with_isa);

#ifdef __cplusplus
}
#endif

#endif
