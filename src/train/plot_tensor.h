/* SPDX-License-Identifier: MIT
 * A tensor of a data file as fields to look at, sample after sample; only some samples are in
 * memory at a time where the file allows it. */
#ifndef MPNO_TRAIN_PLOT_TENSOR_H
#define MPNO_TRAIN_PLOT_TENSOR_H

#include "data/tensors.h"
#include "report/view.h"

enum { MPNO_PLOT_KEY = 512 };

/* A field over time: `times` views, each `time_stride` values after the one before. */
typedef struct mpno_plot_field {
    mpno_view view;
    int64_t times, time_stride; /* 1, 0: there is no axis of time */
} mpno_plot_field;

/* Places of points: low + i * step. step 0: not known, points are counted. */
typedef struct mpno_plot_axis {
    char name[16];
    double low, step;
} mpno_plot_axis;

typedef struct mpno_plot_tensor {
    mpno_ctx *ctx;
    const char *path; /* borrowed */
    char key[MPNO_PLOT_KEY];
    char letters[MPNO_MAX_DIMS + 1]; /* of its axes: n c x y z t */
    int64_t shape[MPNO_MAX_DIMS];    /* of what the key names, as it is in the file */
    int64_t n;                       /* samples */
    bool named;                      /* by the file or the user; else by their number */
    bool complex_data;               /* pairs of real and imaginary part, shown as channels */
    mpno_plot_axis axes[MPNO_VIEW_MAX_AXES], time;
    double *values;       /* owned: samples first .. first + count - 1 */
    int64_t first, count; /* count 0: none yet */
} mpno_plot_tensor;

typedef struct mpno_plot_tensor_opts {
    const char *axes; /* letters; NULL: as the file says, or by the number of axes */
    bool animate;     /* an axis that could be one is time */
    /* The input of this output, NULL: none. A line of input and a plane of output on as many points
     * are a line over time, or one of few channels. */
    const struct mpno_plot_tensor *input;
} mpno_plot_tensor_opts;

/* list: of the file at `path`. E_CONFIG where the axes do not fit. */
MPNO_WARN_UNUSED mpno_status mpno_plot_tensor_open(mpno_ctx *ctx, const char *path,
                                                   const mpno_tensor_file *list, const char *key,
                                                   const mpno_plot_tensor_opts *opts,
                                                   mpno_plot_tensor *out);
void mpno_plot_tensor_close(mpno_plot_tensor *tensor); /* accepts one of zeros */
/* Sample 0 .. n - 1; valid until the next call. */
MPNO_WARN_UNUSED mpno_status mpno_plot_tensor_field(mpno_plot_tensor *tensor, int64_t sample,
                                                    mpno_plot_field *out);

#endif
