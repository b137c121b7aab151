/* SPDX-License-Identifier: MIT
 * A chart of lines: as a figure of an HTML page (heading, legend and an SVG drawing whose colours
 * are classes of report/page.h, so that they follow light and dark mode) or as pixels. */
#ifndef MPNO_REPORT_CHART_H
#define MPNO_REPORT_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include "core/text.h"
#include "report/axis.h"
#include "report/canvas.h"

#define MPNO_CHART_COLOURS 6

typedef struct mpno_chart_series {
    const char *name;
    const double *x, *y; /* [n], borrowed; NaN, and what is not positive on a logarithmic axis, is
                            left out */
    size_t n;
    int colour; /* of MPNO_CHART_COLOURS, taken modulo */
    bool dashed;
} mpno_chart_series;

/* A vertical line with a name. */
typedef struct mpno_chart_mark {
    double x;
    const char *name;
} mpno_chart_mark;

typedef struct mpno_chart {
    const char *title, *x_label, *y_label; /* y_label: the unit, behind the title; may be "" */
    bool log_x, log_y, whole_x; /* whole_x: x counts something, ticks are whole numbers */
    const mpno_chart_series *series;
    size_t n_series;
    const mpno_chart_mark *marks;
    size_t n_marks;
} mpno_chart;

MPNO_WARN_UNUSED mpno_status mpno_chart_html(const mpno_chart *chart, mpno_text *out);
/* *out is owned by the caller (mpno_canvas_destroy), empty on failure. Texts are ASCII. */
MPNO_WARN_UNUSED mpno_status mpno_chart_draw(mpno_ctx *ctx, const mpno_chart *chart,
                                             mpno_canvas *out);
/* On paper: of series and of bars. */
mpno_rgb mpno_chart_colour(int colour);
/* The axis across (x) or up of what is shown. */
mpno_axis mpno_chart_axis(const mpno_chart *chart, bool x);

#endif
