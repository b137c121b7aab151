/* SPDX-License-Identifier: MIT
 * A picture of named values with their spread: a bar for each, in groups of one colour, with the
 * deviation as a whisker and the value behind it. */
#ifndef MPNO_REPORT_BARS_H
#define MPNO_REPORT_BARS_H

#include <stddef.h>

#include "report/canvas.h"

typedef struct mpno_bar {
    const char *name;        /* ASCII */
    double value, deviation; /* value NaN: `note` stands in the bar's place */
    int colour;              /* of MPNO_CHART_COLOURS, taken modulo */
    const char *note;        /* may be NULL */
} mpno_bar;

typedef struct mpno_bars {
    const char *title, *unit;
    const mpno_bar *bars; /* [n], borrowed */
    size_t n;
} mpno_bars;

/* *out is owned by the caller (mpno_canvas_destroy), empty on failure. */
MPNO_WARN_UNUSED mpno_status mpno_bars_draw(mpno_ctx *ctx, const mpno_bars *bars, mpno_canvas *out);

#endif
