/* SPDX-License-Identifier: MIT
 * What log.jsonl of a run folder tells: events, and the numbers of its epochs as columns. */
#ifndef MPNO_REPORT_HISTORY_H
#define MPNO_REPORT_HISTORY_H

#include <stddef.h>

#include "core/text.h"
#include "core/value.h"

/* Owns everything in it. */
typedef struct mpno_history {
    mpno_ctx *ctx;
    mpno_value *events; /* list of maps, in the order of the file */
    size_t n_epochs, n_columns;
    char **names;          /* "epoch", "train_loss", "test/16/l2": keys of nested maps joined */
    double *values;        /* [n_columns][n_epochs]; NaN where an epoch has no such number */
    const char **policies; /* [n_epochs], borrowed from the events; "" where there is none */
} mpno_history;

/* A last line without line break (a run that was killed, or is writing) is left out. E_FORMAT names
 * the line that is no event, or says that no epoch has ended yet. */
MPNO_WARN_UNUSED mpno_status mpno_history_read(mpno_ctx *ctx, const char *path, mpno_history *out);
void mpno_history_clear(mpno_history *history);
/* [n_epochs]; NULL: there is no such column. */
const double *mpno_history_column(const mpno_history *history, const char *name);
/* The last event of that name, NULL: none. */
const mpno_value *mpno_history_last(const mpno_history *history, const char *event);

/* Charts of loss, errors and whatever else varies; the table of all epochs. For report/page.h. */
MPNO_WARN_UNUSED mpno_status mpno_history_charts(const mpno_history *history, mpno_text *out);
MPNO_WARN_UNUSED mpno_status mpno_history_table(const mpno_history *history, mpno_text *out);

#endif
