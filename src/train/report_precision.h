/* SPDX-License-Identifier: MIT
 * The part of a report that says what report.diagnostics has seen. */
#ifndef MPNO_TRAIN_REPORT_PRECISION_H
#define MPNO_TRAIN_REPORT_PRECISION_H

#include "report/history.h"
#include "report/page.h"

/* Nothing where the run was not looked at. */
MPNO_WARN_UNUSED mpno_status mpno_report_precision(mpno_ctx *ctx, const mpno_history *history,
                                                   mpno_text *page);

#endif
