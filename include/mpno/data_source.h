/* SPDX-License-Identifier: MIT
 * Data of a program's own: a function that gives samples stands where a configuration names a file.
 * A source that was added as "train" is the data set "source:train", in data.train, data.test,
 * data.validation and as the input of mpno_predict. */
#ifndef MPNO_DATA_SOURCE_H
#define MPNO_DATA_SOURCE_H

#include "mpno/format.h"
#include "mpno/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* read fills x with [in_channels][grid..] and y with [out_channels][grid..] numbers of `format`, in
 * physical units; y is NULL where only inputs are wanted. It is called from one thread, in any
 * order and perhaps more than once for a sample, and must give the same numbers each time. Any
 * status but MPNO_OK ends the job with that status. A run reads each set once, before its first
 * step. */
typedef struct mpno_data_source {
    size_t size;
    int ndim;
    int64_t grid[MPNO_MAX_AXES];
    int64_t n_samples, in_channels;
    int64_t out_channels; /* 0: inputs alone, for predictions */
    mpno_format format;   /* of x and y: MPNO_F32 (float) or MPNO_F64 (double) */
    mpno_status (*read)(int64_t sample, void *x, void *y, void *user);
    void *user; /* handed to read */
} mpno_data_source;
#define MPNO_DATA_SOURCE_INIT \
    { sizeof(mpno_data_source), 0, {0}, 0, 1, 1, MPNO_F32, NULL, NULL }

/* Copies *source; what source->user points to is borrowed until the source is removed or the
 * context destroyed. name: letters, digits, '_' and '-', at most 63; a taken one is E_ARGUMENT. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_data_source_add(mpno_ctx *ctx, const char *name,
                                                           const mpno_data_source *source);
MPNO_API void mpno_data_source_remove(mpno_ctx *ctx, const char *name); /* no such name: nothing */

#ifdef __cplusplus
}
#endif

#endif
