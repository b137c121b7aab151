/* SPDX-License-Identifier: MIT
 * Text for a person, through the caller's sink. */
#ifndef MPNO_TRAIN_SINK_H
#define MPNO_TRAIN_SINK_H

#include <stdbool.h>

#include "core/context.h"
#include "mpno/run.h"
#include "report/table.h"

/* Does nothing without a sink. Lines longer than 1 KiB are cut. */
void mpno_say(const mpno_sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));
MPNO_WARN_UNUSED mpno_status mpno_say_table(mpno_ctx *ctx, const mpno_sink *sink,
                                            const mpno_table *table);
bool mpno_stop_wanted(const mpno_sink *sink);

#endif
