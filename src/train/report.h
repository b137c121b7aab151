/* SPDX-License-Identifier: MIT
 * The report of a run folder as one HTML document: see mpno_report in mpno/run.h. */
#ifndef MPNO_TRAIN_REPORT_H
#define MPNO_TRAIN_REPORT_H

#include "mpno/run.h"
#include "report/tensorboard.h"

typedef struct mpno_report_result {
    int64_t epochs;
    size_t bytes;
    bool predictions;  /* whether samples and spectra are in it */
    char path[4096];   /* of the document */
    char reason[1100]; /* why there are no predictions */
} mpno_report_result;

/* output: NULL: report.html in the folder. board (may be NULL) gets pictures of samples. */
MPNO_WARN_UNUSED mpno_status mpno_report_write(mpno_ctx *ctx, const char *run, const char *output,
                                               mpno_tensorboard *board, mpno_report_result *result);

#endif
