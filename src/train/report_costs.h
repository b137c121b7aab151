/* SPDX-License-Identifier: MIT
 * Memory and time of a run beside its plan, as tables of an HTML page. */
#ifndef MPNO_TRAIN_REPORT_COSTS_H
#define MPNO_TRAIN_REPORT_COSTS_H

#include "report/history.h"

/* plan: what mpno_plan gives, summary: summary.json; either may be NULL. */
MPNO_WARN_UNUSED mpno_status mpno_report_costs(mpno_ctx *ctx, const mpno_history *history,
                                               const mpno_value *plan, const mpno_value *summary,
                                               mpno_text *page);

#endif
