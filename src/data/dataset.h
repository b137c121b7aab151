/* SPDX-License-Identifier: MIT
 * Pairs of fields (input x, output y), as f32 or f64 in channels-last order
 * [sample][x1]..[xd][channel], complex ones [sample][x1]..[xd][2][channel] with the real part
 * first, from any file that data/readers.def can read; and a vector per sample that steers a model.
 * In the file a tensor has the samples first. With `ndim` spatial axes a tensor of ndim + 1
 * dimensions (n, x1, .., xd) has one channel, one of ndim + 2 dimensions is channels-first (n, c,
 * x1, .., xd) and is turned around. Read-only after it was made: threads may share it.
 *
 * Trajectories (`time`): fields with an axis of time behind the samples, (n, t, x1, .., xd) or
 * (n, t, c, x1, .., xd), give several samples each. Of the steps first, first + stride, .. to last
 * a sample takes `in` as x and the `out` that follow as y, the next sample begins `hop` of them
 * later; channels are the fields of the first step, then those of the second, and so on. Samples of
 * a trajectory stand side by side. */
#ifndef MPNO_DATA_DATASET_H
#define MPNO_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/context.h"
#include "data/readers.h"
#include "data/tensors.h"

enum { MPNO_ALL_STEPS = -1 };

/* in = 0: no trajectories. */
typedef struct mpno_time {
    int64_t in, out; /* steps; out = MPNO_ALL_STEPS: all that follow, one sample a trajectory */
    int64_t stride, hop, first, last; /* last = MPNO_ALL_STEPS: the last one */
    int64_t unroll;                   /* y has so many times `out` steps */
} mpno_time;
#define MPNO_TIME_INIT \
    { 0, 1, 1, 1, 0, MPNO_ALL_STEPS, 1 }

typedef struct mpno_dataset_opts {
    size_t size;        /* sizeof(mpno_dataset_opts) */
    const char *reader; /* NULL: by the extension of the file; else a name of data/readers.def */
    const char *x_key, *y_key; /* keys as data/select.h reads them */
    int ndim;           /* spatial axes; 0: those of x if it has one channel, its dimensions - 1 */
    int64_t offset;     /* first sample of the file that is taken: a trajectory counts as one */
    int64_t n_samples;  /* 0: all from offset on */
    mpno_format format; /* MPNO_F32 or MPNO_F64 */
    const char *axes;   /* order of the axes in the file (data/select.h); NULL: as above */
    bool complex_data;  /* fields are complex; real ones are taken too */
    bool other_grid;    /* y may lie on another grid than x */
    const char *embedding_key; /* NULL: none; samples first, or one for all */
    mpno_time time;
} mpno_dataset_opts;
#define MPNO_DATASET_OPTS_INIT                                                                  \
    {                                                                                           \
        sizeof(mpno_dataset_opts), NULL, "x", "y", 0, 0, 0, MPNO_F32, NULL, false, false, NULL, \
            MPNO_TIME_INIT                                                                      \
    }

typedef struct mpno_dataset {
    int64_t n;                                            /* samples, at least 1 */
    int64_t windows;                                      /* of a trajectory; 1: there are none */
    int ndim;                                             /* spatial axes, at least 1 */
    int planes;                                           /* 2: complex, else 1 */
    int64_t grid[MPNO_MAX_DIMS], out_grid[MPNO_MAX_DIMS]; /* points of each, of x and of y */
    int64_t points, out_points; /* rows of channels: product of the grid times planes */
    int64_t in_channels, out_channels, n_features;
    int64_t out_steps; /* of y; its channels are so many times its fields */
    int64_t unroll; /* y is the targets of so many applications of a model, one after the other */
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
/* Samples first .. first + n - 1 of an open file (trajectories count as one) into those from `at`
 * on of `into`, which has their shapes and room for them. opts: as for mpno_dataset_read, without
 * its offset and n_samples. One sample of `into` may be all there is: mpno_dataset_shape. */
MPNO_WARN_UNUSED mpno_status mpno_dataset_load(mpno_ctx *ctx, mpno_tensor_reader *reader,
                                               const mpno_dataset_opts *opts, int64_t first,
                                               int64_t n, mpno_dataset *into, int64_t at);
/* What an open file holds, n samples (windows) without values: *chunk is how many of its entries
 * (samples, trajectories) it stores as one piece. */
MPNO_WARN_UNUSED mpno_status mpno_dataset_shape(mpno_ctx *ctx, mpno_tensor_reader *reader,
                                                const mpno_dataset_opts *opts, int64_t *chunk,
                                                mpno_dataset **out);
/* Room for n samples of the shapes of `like`. */
MPNO_WARN_UNUSED mpno_status mpno_dataset_allocate(mpno_ctx *ctx, const mpno_dataset *like,
                                                   int64_t n, mpno_dataset **out);
/* Bytes of a sample, with what steers it. */
size_t mpno_dataset_bytes(const mpno_dataset *dataset);

/* Of a data set that was read with time.out = MPNO_ALL_STEPS: the true fields at step `step` behind
 * the initial ones (0: the first to be predicted) of trajectory i, as [grid..][planes][channel] in
 * the data's format, into out. */
int64_t mpno_trajectory_steps(const mpno_dataset *dataset);
int64_t mpno_trajectory_channels(const mpno_dataset *dataset); /* fields of a step */
void mpno_trajectory_truth(const mpno_dataset *dataset, int64_t i, int64_t step, void *out);
/* n channels of each row, from channel `first` of rows of `width` to channel `at` of rows of
 * `to_width`; rows may be moved in themselves. */
void mpno_channels_copy(mpno_format format, int64_t rows, int64_t n, const void *from,
                        int64_t width, int64_t first, void *to, int64_t to_width, int64_t at);
/* The next input of a roll-out: rows of `in` channels give their first steps up for the last that
 * were predicted, rows of `out` channels, in the same units. */
void mpno_trajectory_shift(mpno_format format, int64_t rows, int64_t in, int64_t out,
                           const void *prediction, void *input);

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
