/* SPDX-License-Identifier: MIT
 * Text for a person: see sink.h. */
#include "train/sink.h"

#include <stdarg.h>
#include <stdio.h>

void mpno_say(const mpno_sink *sink, const char *format, ...) {
    if (!sink || !sink->write) return;
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    sink->write(sink->user, text);
}

mpno_status mpno_say_table(mpno_ctx *ctx, const mpno_sink *sink, const mpno_table *table) {
    if (!sink || !sink->write) return MPNO_OK;
    mpno_text text = {.ctx = ctx};
    mpno_table_style style = sink->terminal ? MPNO_TABLE_BOX : MPNO_TABLE_ASCII;
    mpno_status status = mpno_table_text(table, style, &text);
    if (status == MPNO_OK && text.data) sink->write(sink->user, text.data);
    mpno_text_discard(&text);
    return status;
}

bool mpno_stop_wanted(const mpno_sink *sink) {
    return sink && sink->stop && *sink->stop != 0;
}
