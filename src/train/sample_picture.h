/* SPDX-License-Identifier: MIT
 * A sample as rows of a picture: a row for each of the first channels and each plane of
 * report/view.h; planes share their scales. */
#ifndef MPNO_TRAIN_SAMPLE_PICTURE_H
#define MPNO_TRAIN_SAMPLE_PICTURE_H

#include "data/dataset.h"
#include "data/normalizer.h"
#include "report/view.h"
#include "train/config.h"

enum {
    MPNO_PICTURE_CHANNELS = 4,
    MPNO_PICTURE_PLANES = MPNO_VIEW_MAX_PLANES,
    MPNO_PICTURE_HEADING = 96
};

typedef struct mpno_sample_picture {
    int n_rows;
    mpno_panel_row rows[MPNO_PICTURE_CHANNELS * MPNO_PICTURE_PLANES];
    char labels[MPNO_PICTURE_CHANNELS * MPNO_PICTURE_PLANES][128];
    char headings[4][MPNO_PICTURE_HEADING];
    mpno_panel_opts opts; /* its headings are those above: do not copy the struct */
    float *values;        /* owned: behind the rows */
    void *x;              /* owned: the sample's input as the file has it */
} mpno_sample_picture;

/* Of sample `i` of the data. x: normaliser of the inputs, NULL: they are as the file has them.
 * prediction: [grid..][out_channels] of the data's format. truth: whether data->y is one. label:
 * how every row begins. Units of the settings go into the headings. */
MPNO_WARN_UNUSED mpno_status mpno_sample_picture_make(mpno_ctx *ctx, const mpno_settings *settings,
                                                      const mpno_dataset *data, int64_t i,
                                                      const mpno_normalizer *x,
                                                      const void *prediction, bool truth,
                                                      const char *label, mpno_sample_picture *out);
void mpno_sample_picture_clear(mpno_ctx *ctx, mpno_sample_picture *picture);

#endif
