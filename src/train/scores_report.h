/* SPDX-License-Identifier: MIT
 * Scores of test sets as they are shown: tables, JSON, CSV, a picture. */
#ifndef MPNO_TRAIN_SCORES_REPORT_H
#define MPNO_TRAIN_SCORES_REPORT_H

#include "core/text.h"
#include "core/value.h"
#include "report/table.h"
#include "train/scores.h"

/* Scores of a set under the name of the set; both borrowed. */
typedef struct mpno_named_scores {
    const char *name;
    const mpno_scores *scores;
} mpno_named_scores;

/* {samples, l1, l2, .., spectrum: {wave_number, truth, prediction, error}} at map[name], with lists
 * `channels` and `steps` of the same (steps without spectra) where there are several. */
MPNO_WARN_UNUSED mpno_status mpno_scores_put(mpno_ctx *ctx, mpno_value *map,
                                             const mpno_named_scores *of);
/* A row for each metric, a column for each set and for each of the first channels where it has
 * several. */
MPNO_WARN_UNUSED mpno_status mpno_scores_table(mpno_table *table, const mpno_named_scores *sets,
                                               size_t n);
/* A row for each step of one set, of many steps for some of them, a column for each of a few
 * metrics. */
MPNO_WARN_UNUSED mpno_status mpno_scores_steps_table(mpno_table *table, const mpno_scores *scores);
/* Relative L2 and H1 errors of each set over the steps, as the bytes of a PNG picture. */
MPNO_WARN_UNUSED mpno_status mpno_scores_picture(mpno_ctx *ctx, const mpno_named_scores *sets,
                                                 size_t n, mpno_text *out);
/* Appends lines "test,step,channel,samples,l1,l2,..", step and channel `all` for the mean. A number
 * that does not exist is empty. */
MPNO_WARN_UNUSED mpno_status mpno_scores_csv(mpno_text *out, const mpno_named_scores *sets,
                                             size_t n);
/* Relative L2 and H1 errors of each set over the steps, as the bytes of a PNG picture. */
MPNO_WARN_UNUSED mpno_status mpno_scores_picture(mpno_ctx *ctx, const mpno_named_scores *sets,
                                                 size_t n, mpno_text *out);
/* Appends lines "test,step,channel,wave_number,truth,prediction,error". */
MPNO_WARN_UNUSED mpno_status mpno_spectra_csv(mpno_text *out, const mpno_named_scores *sets,
                                              size_t n);

#endif
