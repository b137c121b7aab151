/* SPDX-License-Identifier: MIT
 * What a run leaves behind for people and programs: metrics.csv (one row per epoch), log.jsonl (one
 * event per line) and summary.json, in a folder. Every line is written whole and the file closed
 * again, so that a run can be watched and killed at any time. */
#ifndef MPNO_REPORT_RUNLOG_H
#define MPNO_REPORT_RUNLOG_H

#include <stddef.h>
#include <stdint.h>

#include "core/context.h"
#include "core/value.h"

/* One thread at a time per log. */
typedef struct mpno_runlog mpno_runlog;

/* columns: names of the columns of metrics.csv, the first is "epoch"; borrowed for the call.
 * resume_epoch < 0 starts anew: old files are replaced. resume_epoch >= 0 continues: rows and
 * events of epoch >= resume_epoch are taken out (the run will write them again), as is a last line
 * without line break (a run that was killed); a file that is missing is begun. Events without an
 * epoch stay. E_FORMAT when a file does not read as ours or has other columns: it is left
 * untouched. The folder is created. On failure *out is NULL. */
MPNO_WARN_UNUSED mpno_status mpno_runlog_open(mpno_ctx *ctx, const char *folder,
                                              const char *const *columns, size_t n_columns,
                                              int64_t resume_epoch, mpno_runlog **out);
void mpno_runlog_close(mpno_runlog **log); /* accepts NULL; everything is on disk already */

/* values: [n_columns]. Whole numbers are written with all their digits, others with 9 significant
 * ones; nan, inf, -inf. */
MPNO_WARN_UNUSED mpno_status mpno_runlog_row(mpno_runlog *log, const double *values);
/* {"event": event, "epoch": epoch, ...fields}; epoch < 0: no such key. fields: a map without these
 * two keys, borrowed, may be NULL. */
MPNO_WARN_UNUSED mpno_status mpno_runlog_event(mpno_runlog *log, const char *event, int64_t epoch,
                                               const mpno_value *fields);
/* summary.json, replaced atomically. */
MPNO_WARN_UNUSED mpno_status mpno_runlog_summary(mpno_runlog *log, const mpno_value *summary);

#endif
