/* SPDX-License-Identifier: MIT
 * The results of all runs as files: results.csv (a row for each run, evaluation and test set),
 * results.json, report.md with a table for each test set, and a picture beside each table. */
#ifndef MPNO_EXPERIMENT_RESULTS_H
#define MPNO_EXPERIMENT_RESULTS_H

#include "core/text.h"
#include "experiment/runs.h"
#include "experiment/statistics.h"

/* What is measured of a test set. */
enum { MPNO_N_MEASURES = 2 };
extern const char *const mpno_measures[MPNO_N_MEASURES]; /* "l2", "h1" */

/* Runs of one cell, under one evaluation: a row of a table. */
typedef struct mpno_row {
    int cell;
    bool equal_time;
    const char *evaluation;
} mpno_row;

/* Over the seeds: a measure of a test set. */
mpno_spread mpno_row_errors(const mpno_campaign *campaign, const mpno_row *row, const char *set,
                            const char *measure);
/* Of a number of the results, such as "seconds_per_epoch". */
mpno_spread mpno_row_number(const mpno_campaign *campaign, const mpno_row *row, const char *key);
/* The row that this one is compared with. */
mpno_row mpno_row_reference(const mpno_campaign *campaign, const mpno_row *row);
/* "16 modes, half f16, equal time" without what all rows share. */
void mpno_row_text(const mpno_campaign *campaign, const mpno_row *row, char *out, size_t capacity);

/* All rows of the campaign: *out is owned by the caller. */
MPNO_WARN_UNUSED mpno_status mpno_rows_list(const mpno_campaign *campaign, mpno_row **out,
                                            size_t *n);

/* Where the experiment measures spectra: errors by frequency, as a section of the report. */
MPNO_WARN_UNUSED mpno_status mpno_spectra_report(const mpno_campaign *campaign,
                                                 const mpno_row *rows, size_t n_rows,
                                                 mpno_text *page);

/* Writes all files; *tree: what results.json holds, owned by the caller. */
MPNO_WARN_UNUSED mpno_status mpno_results_write(const mpno_campaign *campaign, mpno_value **tree);

#endif
