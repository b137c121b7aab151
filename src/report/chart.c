/* SPDX-License-Identifier: MIT
 * See chart.h. Lines of more than MOST points are thinned to every k-th; few points get dots that
 * say their value. */
#include "report/chart.h"

#include <math.h>
#include <stdio.h>

#include "report/svg.h"

enum { WIDTH = 400, HEIGHT = 240, TOP = 20, RIGHT = 16, BOTTOM = 42, MOST = 1000, FEW = 40 };
#define LETTER 6.9 /* width of a character of the labels */

struct plot {
    double left;
    mpno_axis across, up;
};

mpno_axis mpno_chart_axis(const mpno_chart *chart, bool x) {
    const bool logarithmic = x ? chart->log_x : chart->log_y;
    double low = INFINITY, high = -INFINITY;
    for (size_t s = 0; s < chart->n_series; s++) {
        const double *values = x ? chart->series[s].x : chart->series[s].y;
        for (size_t i = 0; i < chart->series[s].n; i++) {
            if (!isfinite(values[i]) || (logarithmic && !(values[i] > 0))) continue;
            low = fmin(low, values[i]);
            high = fmax(high, values[i]);
        }
    }
    mpno_axis axis;
    if (logarithmic) {
        /* Air, so that the line does not lie on the frame. */
        const double air = x || !(low > 0) ? 1 : pow(high / low, 0.06);
        mpno_axis_make_log(low / air, high * air, x ? 6 : 5, &axis);
        return axis;
    }
    const bool few = x && chart->whole_x && low <= high && high - low < 5;
    mpno_axis_make(low, high, few ? (int)(high - low) + 1 : 6, &axis);
    const double air = x ? 0 : 0.06 * (axis.high - axis.low);
    if (air > 0) mpno_axis_make(axis.low - air, axis.high + air, 6, &axis);
    return axis;
}

static double x_of(const struct plot *plot, double value) {
    return plot->left + mpno_axis_place(&plot->across, value) * (WIDTH - RIGHT - plot->left);
}

static double y_of(const struct plot *plot, double value) {
    return HEIGHT - BOTTOM - mpno_axis_place(&plot->up, value) * (HEIGHT - BOTTOM - TOP);
}

static mpno_status label(mpno_text *out, const char *class, double x, double y, const char *text) {
    MPNO_TRY(mpno_text_add(out, "<text class=\"%s\"", class));
    MPNO_TRY(mpno_svg_attribute(out, "x", x));
    MPNO_TRY(mpno_svg_attribute(out, "y", y));
    MPNO_TRY(mpno_text_add(out, ">"));
    MPNO_TRY(mpno_text_add_html(out, text));
    return mpno_text_add(out, "</text>\n");
}

static mpno_status add_axes(const mpno_chart *chart, const struct plot *plot, mpno_text *out) {
    const double bottom = HEIGHT - BOTTOM, right = WIDTH - RIGHT;
    for (int k = 0; k < plot->up.n; k++) {
        const double y = y_of(plot, plot->up.at[k]);
        MPNO_TRY(mpno_svg_line(out, "grid", plot->left, y, right, y));
        MPNO_TRY(label(out, "end", plot->left - 7, y + 4, plot->up.label[k]));
    }
    for (int k = 0; k < plot->across.n; k++) {
        const double x = x_of(plot, plot->across.at[k]);
        MPNO_TRY(mpno_svg_line(out, "grid", x, TOP, x, bottom));
        MPNO_TRY(label(out, "middle", x, bottom + 17, plot->across.label[k]));
    }
    MPNO_TRY(mpno_svg_line(out, "axis", plot->left, bottom, right, bottom));
    return label(out, "middle name", 0.5 * (plot->left + right), HEIGHT - 5, chart->x_label);
}

static mpno_status add_marks(const mpno_chart *chart, const struct plot *plot, mpno_text *out) {
    for (size_t i = 0; i < chart->n_marks; i++) {
        const double x = x_of(plot, chart->marks[i].x);
        if (!(x >= plot->left && x <= WIDTH - RIGHT)) continue;
        MPNO_TRY(mpno_svg_line(out, "mark", x, TOP, x, HEIGHT - BOTTOM));
        MPNO_TRY(label(out, "name", x, TOP - 8, chart->marks[i].name));
    }
    return MPNO_OK;
}

static mpno_status add_path(const mpno_chart_series *series, const struct plot *plot,
                            mpno_text *out) {
    const size_t stride = 1 + series->n / MOST;
    bool pen = false;
    MPNO_TRY(mpno_text_add(out, "<path class=\"s%d%s\" d=\"", series->colour % MPNO_CHART_COLOURS,
                           series->dashed ? " dashed" : ""));
    for (size_t i = 0; i < series->n; i++) {
        if (i % stride != 0 && i + 1 != series->n) continue;
        const double x = x_of(plot, series->x[i]), y = y_of(plot, series->y[i]);
        if (!isfinite(x) || !isfinite(y)) continue; /* between two evaluations */
        MPNO_TRY(mpno_text_add(out, "%s", pen ? "L" : "M"));
        MPNO_TRY(mpno_text_add_coordinate(out, x));
        MPNO_TRY(mpno_text_add(out, " "));
        MPNO_TRY(mpno_text_add_coordinate(out, y));
        pen = true;
    }
    MPNO_TRY(mpno_text_add(out, "\"><title>"));
    MPNO_TRY(mpno_text_add_html(out, series->name));
    return mpno_text_add(out, "</title></path>\n");
}

static mpno_status add_dots(const mpno_chart *chart, const mpno_chart_series *series,
                            const struct plot *plot, mpno_text *out) {
    for (size_t i = 0; i < series->n && series->n <= FEW; i++) {
        const double x = x_of(plot, series->x[i]), y = y_of(plot, series->y[i]);
        if (!isfinite(x) || !isfinite(y)) continue;
        MPNO_TRY(mpno_text_add(out, "<circle class=\"s%d\" r=\"2.5\"",
                               series->colour % MPNO_CHART_COLOURS));
        MPNO_TRY(mpno_svg_attribute(out, "cx", x));
        MPNO_TRY(mpno_svg_attribute(out, "cy", y));
        MPNO_TRY(mpno_text_add(out, "><title>"));
        MPNO_TRY(mpno_text_add_html(out, series->name));
        MPNO_TRY(mpno_text_add(out, ": %.5g at ", series->y[i]));
        MPNO_TRY(mpno_text_add_html(out, chart->x_label));
        MPNO_TRY(mpno_text_add(out, " %g</title></circle>\n", series->x[i]));
    }
    return MPNO_OK;
}

static mpno_status add_heading(const mpno_chart *chart, mpno_text *out) {
    MPNO_TRY(mpno_text_add(out, "<figure class=\"chart\"><figcaption><b>"));
    MPNO_TRY(mpno_text_add_html(out, chart->title));
    MPNO_TRY(mpno_text_add(out, "</b> <span class=\"unit\">"));
    MPNO_TRY(mpno_text_add_html(out, chart->y_label));
    MPNO_TRY(mpno_text_add(out, "</span>"));
    for (size_t s = 0; s < chart->n_series && chart->n_series > 1; s++) {
        const mpno_chart_series *series = &chart->series[s];
        MPNO_TRY(mpno_text_add(out,
                               " <span class=\"key\"><svg viewBox=\"0 0 20 8\" width=\"20\" "
                               "height=\"8\"><path class=\"s%d%s\" d=\"M0 4L20 4\"></path></svg> ",
                               series->colour % MPNO_CHART_COLOURS,
                               series->dashed ? " dashed" : ""));
        MPNO_TRY(mpno_text_add_html(out, series->name));
        MPNO_TRY(mpno_text_add(out, "</span>"));
    }
    return mpno_text_add(out, "</figcaption>\n");
}

mpno_status mpno_chart_html(const mpno_chart *chart, mpno_text *out) {
    struct plot plot = {.across = mpno_chart_axis(chart, true),
                        .up = mpno_chart_axis(chart, false)};
    for (int k = 0; k < plot.up.n; k++) {
        const int n = snprintf(NULL, 0, "%s", plot.up.label[k]);
        plot.left = fmax(plot.left, 14 + n * LETTER);
    }
    MPNO_TRY(add_heading(chart, out));
    MPNO_TRY(
        mpno_text_add(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT));
    MPNO_TRY(mpno_text_add_html(out, chart->title));
    MPNO_TRY(mpno_text_add(out, "\">\n"));
    MPNO_TRY(add_axes(chart, &plot, out));
    MPNO_TRY(add_marks(chart, &plot, out));
    for (size_t s = 0; s < chart->n_series; s++) {
        MPNO_TRY(add_path(&chart->series[s], &plot, out));
        MPNO_TRY(add_dots(chart, &chart->series[s], &plot, out));
    }
    return mpno_text_add(out, "</svg></figure>\n");
}
