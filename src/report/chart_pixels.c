/* SPDX-License-Identifier: MIT
 * A chart as pixels: title, legend, unit and plot below each other. See chart.h. */
#include <math.h>

#include "core/memory.h"
#include "report/chart.h"
#include "report/figure.h"
#include "report/font.h"

enum {
    SCALE = 2, /* of texts */
    LINE = (MPNO_FONT_ROWS + 1) * SCALE,
    GAP = 8,
    PLOT_WIDTH = 640,
    PLOT_HEIGHT = 380,
    PIECE = 28, /* of line in the legend */
    DASH = 9,
    DASH_GAP = 6
};
#define THICKNESS 2.5

/* Those of the page in light mode, without its dark one. */
static const mpno_rgb colours[MPNO_CHART_COLOURS] = {{31, 104, 168}, {196, 84, 20},  {90, 90, 90},
                                                     {34, 134, 84},  {140, 70, 160}, {168, 128, 0}};

typedef struct plot {
    int x, y; /* upper left corner */
    mpno_axis across, up;
} plot;

/* The line of series in the legend and its name. */
static int entry_width(const mpno_chart_series *series) {
    return PIECE + GAP + mpno_font_width(series->name, SCALE) + 3 * GAP;
}

mpno_rgb mpno_chart_colour(int colour) {
    return colours[colour % MPNO_CHART_COLOURS];
}

static mpno_rgb colour_of(const mpno_chart_series *series) {
    return mpno_chart_colour(series->colour);
}

/* Every second piece of a line of n points. */
static void draw_dashes(mpno_canvas *canvas, const double *points, size_t n, mpno_rgb colour,
                        const int clip[4]) {
    double along = 0; /* of the pattern */
    for (size_t i = 0; i + 1 < n; i++) {
        const double *a = points + 2 * i, *b = a + 2;
        const double length = hypot(b[0] - a[0], b[1] - a[1]);
        if (!isfinite(length)) continue;
        for (double at = 0; at < length;) {
            const bool ink = along < DASH;
            const double left = (ink ? DASH : DASH + DASH_GAP) - along;
            const double end = at + left < length ? at + left : length;
            const double piece[4] = {
                a[0] + at / length * (b[0] - a[0]), a[1] + at / length * (b[1] - a[1]),
                a[0] + end / length * (b[0] - a[0]), a[1] + end / length * (b[1] - a[1])};
            if (ink) mpno_canvas_polyline(canvas, piece, 2, THICKNESS, colour, clip);
            along = along + (end - at) >= DASH + DASH_GAP - 1e-9 ? 0 : along + (end - at);
            if (end - at < 1e-9) along = ink ? DASH : 0;
            at = end;
        }
    }
}

static void draw_line(mpno_canvas *canvas, const mpno_chart_series *series, const double *points,
                      size_t n, const int clip[4]) {
    if (series->dashed)
        draw_dashes(canvas, points, n, colour_of(series), clip);
    else
        mpno_canvas_polyline(canvas, points, (int)n, THICKNESS, colour_of(series), clip);
}

static mpno_status draw_series(mpno_ctx *ctx, const mpno_chart_series *series, const plot *p,
                               mpno_canvas *canvas) {
    const int clip[4] = {p->x, p->y, PLOT_WIDTH, PLOT_HEIGHT};
    double *points = NULL;
    size_t n = 0;
    MPNO_TRY(mpno_alloc_array(ctx, series->n, 2 * sizeof *points, &points));
    for (size_t i = 0; i < series->n; i++) {
        const double x = mpno_axis_place(&p->across, series->x[i]),
                     y = mpno_axis_place(&p->up, series->y[i]);
        if (!isfinite(x) || !isfinite(y)) continue;
        points[2 * n] = p->x + 0.5 + x * (PLOT_WIDTH - 1);
        points[2 * n + 1] = p->y + 0.5 + (1 - y) * (PLOT_HEIGHT - 1);
        n++;
    }
    draw_line(canvas, series, points, n, clip);
    mpno_free(ctx, points);
    return MPNO_OK;
}

static void draw_axes(const mpno_chart *chart, const plot *p, mpno_canvas *canvas) {
    for (int k = 0; k < p->up.n; k++) {
        const double place = 1 - mpno_axis_place(&p->up, p->up.at[k]);
        const int at = p->y + (int)lround(place * (PLOT_HEIGHT - 1));
        const char *label = p->up.label[k];
        mpno_canvas_fill(canvas, p->x, at, PLOT_WIDTH, 1, MPNO_GRID);
        mpno_canvas_text(canvas, p->x - GAP - mpno_font_width(label, SCALE),
                         at - MPNO_FONT_ASCENT * SCALE / 2, SCALE, MPNO_INK, label);
    }
    for (int k = 0; k < p->across.n; k++) {
        const double place = mpno_axis_place(&p->across, p->across.at[k]);
        const int at = p->x + (int)lround(place * (PLOT_WIDTH - 1));
        mpno_canvas_fill(canvas, at, p->y, 1, PLOT_HEIGHT, MPNO_GRID);
        mpno_figure_centred(canvas, at, p->y + PLOT_HEIGHT + GAP, SCALE, MPNO_INK,
                            p->across.label[k]);
    }
    mpno_figure_centred(canvas, p->x + PLOT_WIDTH / 2, p->y + PLOT_HEIGHT + GAP + LINE, SCALE,
                        MPNO_PALE_INK, chart->x_label);
    mpno_canvas_frame(canvas, p->x, p->y, PLOT_WIDTH, PLOT_HEIGHT, MPNO_FRAME);
}

/* Draws the legend from (x, y) on; canvas NULL: only counts its lines, of `width` pixels. */
static int draw_legend(const mpno_chart *chart, int x, int y, int width, mpno_canvas *canvas) {
    int lines = 1, at = 0;
    for (size_t s = 0; s < chart->n_series; s++) {
        const mpno_chart_series *series = &chart->series[s];
        const int needed = entry_width(series);
        if (at > 0 && at + needed > width) lines++, at = 0;
        if (canvas) {
            const int top = y + (lines - 1) * LINE;
            const double middle = top + MPNO_FONT_ASCENT * SCALE / 2;
            const double points[4] = {x + at, middle, x + at + PIECE, middle};
            const int clip[4] = {0, 0, canvas->width, canvas->height};
            draw_line(canvas, series, points, 2, clip);
            mpno_canvas_text(canvas, x + at + PIECE + GAP, top, SCALE, MPNO_INK, series->name);
        }
        at += needed;
    }
    return lines;
}

mpno_status mpno_chart_draw(mpno_ctx *ctx, const mpno_chart *chart, mpno_canvas *out) {
    plot p = {.across = mpno_chart_axis(chart, true), .up = mpno_chart_axis(chart, false)};
    int labels = 0;
    *out = (mpno_canvas){0};
    for (int k = 0; k < p.up.n; k++) {
        const int needed = mpno_font_width(p.up.label[k], SCALE);
        if (needed > labels) labels = needed;
    }
    const int left = MPNO_FIGURE_MARGIN, title = mpno_font_width(chart->title, SCALE);
    const int wide = labels + GAP + PLOT_WIDTH, content = title > wide ? title : wide;
    const int legend = chart->n_series > 1 ? draw_legend(chart, 0, 0, content, NULL) : 0;
    p.x = left + labels + GAP;
    p.y = MPNO_FIGURE_MARGIN + LINE + GAP + legend * LINE + (legend ? GAP : 0) + LINE + GAP;
    const int past = 3 * MPNO_FONT_ADVANCE * SCALE; /* half of the last label across */
    const int height = p.y + PLOT_HEIGHT + GAP + 2 * LINE + MPNO_FIGURE_MARGIN;
    MPNO_TRY(mpno_canvas_create(ctx, left + content + past + MPNO_FIGURE_MARGIN, height, out));
    mpno_canvas_text(out, left, MPNO_FIGURE_MARGIN, SCALE, MPNO_INK, chart->title);
    if (legend) (void)draw_legend(chart, left, MPNO_FIGURE_MARGIN + LINE + GAP, content, out);
    mpno_canvas_text(out, left, p.y - LINE - GAP, SCALE, MPNO_PALE_INK, chart->y_label);
    draw_axes(chart, &p, out);
    mpno_status status = MPNO_OK;
    for (size_t s = 0; s < chart->n_series && status == MPNO_OK; s++)
        status = draw_series(ctx, &chart->series[s], &p, out);
    if (status != MPNO_OK) mpno_canvas_destroy(ctx, out);
    return status;
}
