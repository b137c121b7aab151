/* SPDX-License-Identifier: MIT
 * Pairs of fields (input x, output y), as f32 or f64 in channels-last order
 * [sample][x1]..[xd][channel], complex ones [sample][x1]..[xd][2][channel] with the real part
 * first, from any file that data/readers.def can read; and a vector per sample that steers a model.
 * In the file a tensor has the samples first. With `ndim` spatial axes a tensor of ndim + 1
 * dimensions (n, x1, .., xd) has one channel, one of ndim + 2 dimensions is channels-first (n, c,
 * x1, .., xd) and is turned around. Read-only after it was made: threads may share it. */
#ifndef MPNO_DATA_DATASET_H
#define MPNO_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/context.h"
#include "data/tensors.h"

typedef struct mpno_dataset_opts {
    size_t size;        /* sizeof(mpno_dataset_opts) */
    const char *reader; /* NULL: by the extension of the file; else a name of data/readers.def */
    const char *x_key, *y_key; /* keys as data/select.h reads them */
    int ndim;           /* spatial axes; 0: those of x if it has one channel, its dimensions - 1 */
    int64_t offset;     /* first sample taken */
    int64_t n_samples;  /* 0: all from offset on */
    mpno_format format; /* MPNO_F32 or MPNO_F64 */
    const char *axes;   /* order of the axes in the file (data/select.h); NULL: as above */
    bool complex_data;  /* fields are complex; real ones are taken too */
    bool other_grid;    /* y may lie on another grid than x */
    const char *embedding_key; /* NULL: none; samples first, or one for all */
} mpno_dataset_opts;
#define MPNO_DATASET_OPTS_INIT \
    { sizeof(mpno_dataset_opts), NULL, "x", "y", 0, 0, 0, MPNO_F32, NULL, false, false, NULL }

typedef struct mpno_dataset {
    int64_t n;                                            /* samples, at least 1 */
    int ndim;                                             /* spatial axes, at least 1 */
    int planes;                                           /* 2: complex, else 1 */
    int64_t grid[MPNO_MAX_DIMS], out_grid[MPNO_MAX_DIMS]; /* points of each, of x and of y */
    int64_t points, out_points; /* rows of channels: product of the grid times planes */
    int64_t in_channels, out_channels, n_features;
    mpno_format format;
    void *x;         /* owned: n * points * in_channels values */
    void *y;         /* owned: n * out_points * out_channels values */
    void *embedding; /* owned: n * n_features values; NULL: none */
} mpno_dataset;

/* opts: borrowed, NULL for the defaults. Errors name file, key and what does not fit: E_SHAPE
 * (shapes of x and y, no samples), E_CONFIG (samples that the file does not have), E_NUMERIC (the
 * first value that is not finite, with sample and position), and those of the reader. */
MPNO_WARN_UNUSED mpno_status mpno_dataset_read(mpno_ctx *ctx, const char *path,
                                               const mpno_dataset_opts *opts, mpno_dataset **out);
/* The same from tensors in memory (borrowed during the call); name: for messages. */
MPNO_WARN_UNUSED mpno_status mpno_dataset_from_tensors(mpno_ctx *ctx, const char *name,
                                                       const mpno_tensor_file *tensors,
                                                       const mpno_dataset_opts *opts,
                                                       mpno_dataset **out);
/* Every factor-th node of each axis, of x and of y: nodes i/N become i/(N/factor). E_SHAPE unless
 * factor divides the points of all axes. */
MPNO_WARN_UNUSED mpno_status mpno_dataset_subsample(mpno_ctx *ctx, const mpno_dataset *dataset,
                                                    int64_t factor, mpno_dataset **out);
void mpno_dataset_destroy(mpno_ctx *ctx, mpno_dataset **dataset); /* accepts NULL, *dataset NULL */

/* Address of sample i of an array of `values` numbers a sample. */
static inline void *mpno_sample(const void *data, mpno_format format, int64_t values, int64_t i) {
    return (char *)data + (size_t)(i * values) * mpno_format_bytes(format);
}

#endif
