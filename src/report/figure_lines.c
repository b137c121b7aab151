/* SPDX-License-Identifier: MIT
 * Line plots: input | truth and prediction | error, each with its axes. The truth is a broad pale
 * line and the prediction a thin strong one on top of it, so that both show where they agree. */
#include "report/figure.h"

#include <math.h>

#include "core/memory.h"
#include "report/font.h"

enum { INPUT, SOLUTION, ERROR, N_COLUMNS };

#define LABEL_GAP 8
#define TRUTH_COLOUR ((mpno_rgb){122, 170, 214})
#define PREDICTION_COLOUR ((mpno_rgb){178, 76, 20})
#define INPUT_COLOUR ((mpno_rgb){44, 84, 140})
#define BROAD 6.0
#define THIN 2.0
#define PIECE 12 /* of line in the legend, in pixels of the font */
#define PIECE_GAP 4

struct plot {
    int x, y, width, height; /* of the area inside the axes */
    mpno_axis across, up;
};

static bool has_plot(const mpno_figure *figure, int column) {
    if (column == SOLUTION) return true;
    return column == INPUT ? figure->has_input : figure->has_truth;
}

static bool row_has_plot(const mpno_figure_row *row, int column) {
    if (column == SOLUTION) return row->prediction.data != NULL;
    return (column == INPUT ? row->input.data : row->error.data) != NULL;
}

static mpno_axis axis_of(const mpno_figure *figure, const mpno_figure_row *row, int column) {
    const mpno_range *ranges[N_COLUMNS] = {&row->input_range, &row->solution_range,
                                           &row->error_range};
    mpno_axis axis;
    int n_wanted = 1 + figure->opts.panel_pixels * 2 / (figure->line_height * 3);
    mpno_axis_make(ranges[column]->low, ranges[column]->high, n_wanted, &axis);
    /* Air above and below, so that the line does not lie on the frame. */
    double air = 0.06 * (axis.high - axis.low);
    mpno_axis_make(axis.low - air, axis.high + air, n_wanted, &axis);
    return axis;
}

static int label_width(const mpno_figure *figure, int column) {
    int width = 0;
    for (int i = 0; i < figure->n_rows; i++) {
        if (!row_has_plot(&figure->rows[i], column)) continue;
        mpno_axis axis = axis_of(figure, &figure->rows[i], column);
        for (int k = 0; k < axis.n; k++) {
            int needed = mpno_font_width(axis.label[k], figure->opts.text_scale);
            if (needed > width) width = needed;
        }
    }
    return width;
}

/* name: of the axis across, or NULL. */
static void draw_axes(mpno_canvas *canvas, const struct plot *plot, int scale, const char *name) {
    for (int k = 0; k < plot->up.n; k++) {
        double t = (plot->up.high - plot->up.at[k]) / (plot->up.high - plot->up.low);
        int at = plot->y + (int)lround(t * (plot->height - 1));
        const char *label = plot->up.label[k];
        mpno_canvas_fill(canvas, plot->x, at, plot->width, 1, MPNO_GRID);
        mpno_canvas_text(canvas, plot->x - LABEL_GAP - mpno_font_width(label, scale),
                         at - MPNO_FONT_ASCENT * scale / 2, scale, MPNO_INK, label);
    }
    for (int k = 0; k < plot->across.n; k++) {
        double t = (plot->across.at[k] - plot->across.low) / (plot->across.high - plot->across.low);
        int at = plot->x + (int)lround(t * (plot->width - 1));
        mpno_canvas_fill(canvas, at, plot->y, 1, plot->height, MPNO_GRID);
        mpno_figure_centred(canvas, at, plot->y + plot->height + LABEL_GAP, scale, MPNO_INK,
                            plot->across.label[k]);
    }
    if (name)
        mpno_figure_centred(canvas, plot->x + plot->width / 2,
                            plot->y + plot->height + LABEL_GAP + (MPNO_FONT_ROWS + 1) * scale,
                            scale, MPNO_PALE_INK, name);
    mpno_canvas_frame(canvas, plot->x, plot->y, plot->width, plot->height, MPNO_FRAME);
}

/* Height of the labels below a plot, and of the axis' name. */
static int labels_height(const mpno_figure *figure) {
    return LABEL_GAP + (figure->opts.axis_names[0] ? 2 : 1) * figure->line_height;
}

/* `points`: room for n1 pairs. */
static void draw_curve(mpno_canvas *canvas, const struct plot *plot, const mpno_panel_field *field,
                       double *points, double thickness, mpno_rgb colour) {
    int n = (int)field->n1;
    double last = n > 1 ? n - 1 : 1;
    for (int i = 0; i < n; i++) {
        points[2 * i] = plot->x + 0.5 + i / last * (plot->width - 1);
        points[2 * i + 1] =
            plot->y + 0.5 +
            (plot->up.high - field->data[i]) / (plot->up.high - plot->up.low) * (plot->height - 1);
    }
    int clip[4] = {plot->x, plot->y, plot->width, plot->height};
    mpno_canvas_polyline(canvas, points, n, thickness, colour, clip);
}

/* piece, gap, heading */
static int entry_width(const mpno_panel_opts *opts, const char *heading) {
    return (PIECE + PIECE_GAP) * opts->text_scale + mpno_font_width(heading, opts->text_scale);
}

/* truth, three gaps, prediction */
static int legend_width(const mpno_figure *figure) {
    const mpno_panel_opts *opts = &figure->opts;
    int prediction = entry_width(opts, opts->prediction_heading);
    if (!figure->has_truth) return prediction;
    return entry_width(opts, opts->truth_heading) + 3 * PIECE_GAP * opts->text_scale + prediction;
}

/* All plots are equally wide, and no heading is wider than its plot. */
static int plot_width(const mpno_figure *figure) {
    const mpno_panel_opts *opts = &figure->opts;
    int width = opts->panel_pixels * 8 / 5;
    int needed[] = {legend_width(figure), mpno_font_width(opts->input_heading, opts->text_scale),
                    mpno_font_width(opts->error_heading, opts->text_scale)};
    for (int i = 0; i < 3; i++)
        if (needed[i] > width) width = needed[i];
    return width;
}

static void draw_headings(const mpno_figure *figure, const struct plot *plots, int y,
                          mpno_canvas *canvas) {
    const mpno_panel_opts *opts = &figure->opts;
    int scale = opts->text_scale;
    if (figure->has_input)
        mpno_figure_centred(canvas, plots[INPUT].x + plots[INPUT].width / 2, y, scale, MPNO_INK,
                            opts->input_heading);
    if (figure->has_truth)
        mpno_figure_centred(canvas, plots[ERROR].x + plots[ERROR].width / 2, y, scale, MPNO_INK,
                            opts->error_heading);

    /* The heading of the common panel is its legend: a piece of line before each name. */
    int piece = PIECE * scale, gap = PIECE_GAP * scale, middle = y + MPNO_FONT_ASCENT * scale / 2;
    int x = plots[SOLUTION].x + (plots[SOLUTION].width - legend_width(figure)) / 2;
    if (figure->has_truth) {
        mpno_canvas_fill(canvas, x, middle - (int)BROAD / 2, piece, (int)BROAD, TRUTH_COLOUR);
        mpno_canvas_text(canvas, x + piece + gap, y, scale, MPNO_INK, opts->truth_heading);
        x += entry_width(opts, opts->truth_heading) + 3 * gap;
    }
    mpno_canvas_fill(canvas, x, middle - (int)THIN / 2, piece, (int)THIN, PREDICTION_COLOUR);
    mpno_canvas_text(canvas, x + piece + gap, y, scale, MPNO_INK, opts->prediction_heading);
}

static void draw_row(const mpno_figure *figure, const mpno_figure_row *row, struct plot *plots,
                     int y, double *points, mpno_canvas *canvas) {
    int scale = figure->opts.text_scale;
    for (int c = 0; c < N_COLUMNS; c++) {
        if (!row_has_plot(row, c)) continue;
        plots[c].y = y;
        plots[c].up = axis_of(figure, row, c);
        draw_axes(canvas, &plots[c], scale, figure->opts.axis_names[0]);
    }
    if (row->input.data) draw_curve(canvas, &plots[INPUT], &row->input, points, THIN, INPUT_COLOUR);
    if (row->truth.data)
        draw_curve(canvas, &plots[SOLUTION], &row->truth, points, BROAD, TRUTH_COLOUR);
    if (row->prediction.data)
        draw_curve(canvas, &plots[SOLUTION], &row->prediction, points, THIN, PREDICTION_COLOUR);
    if (row->error.data)
        draw_curve(canvas, &plots[ERROR], &row->error, points, THIN, MPNO_PALE_INK);
    int below = figure->opts.panel_pixels + labels_height(figure);
    mpno_canvas_text(canvas, MPNO_FIGURE_MARGIN, y + below + LABEL_GAP, scale, MPNO_PALE_INK,
                     row->caption);
}

static int place_plots(const mpno_figure *figure, struct plot *plots) {
    const mpno_panel_opts *opts = &figure->opts;
    int x = MPNO_FIGURE_MARGIN, width = plot_width(figure);
    mpno_axis across;
    mpno_axis_make(opts->x_low, opts->x_high,
                   1 + width / (8 * MPNO_FONT_ADVANCE * opts->text_scale), &across);
    /* Room for the half of the last label that stands past the plot. */
    int last = figure->has_truth ? ERROR : SOLUTION;
    int past = mpno_font_width(across.label[across.n - 1], opts->text_scale) / 2;
    for (int c = 0; c < N_COLUMNS; c++) {
        if (!has_plot(figure, c)) continue;
        x += label_width(figure, c) + LABEL_GAP;
        plots[c] =
            (struct plot){.x = x, .width = width, .height = opts->panel_pixels, .across = across};
        x += width + (c < last ? MPNO_FIGURE_GROUP_GAP : past);
    }
    int text = mpno_figure_text_width(figure);
    return x + MPNO_FIGURE_MARGIN > text ? x + MPNO_FIGURE_MARGIN : text;
}

mpno_status mpno_figure_lines(mpno_ctx *ctx, const mpno_figure *figure, mpno_canvas *out) {
    struct plot plots[N_COLUMNS] = {0};
    int width = place_plots(figure, plots);
    int row_height =
        figure->opts.panel_pixels + labels_height(figure) + LABEL_GAP + figure->line_height;
    int height = 2 * MPNO_FIGURE_MARGIN + mpno_figure_title_height(figure) +
                 mpno_figure_heading_height(figure) +
                 figure->n_rows * (row_height + MPNO_FIGURE_ROW_GAP) - MPNO_FIGURE_ROW_GAP;
    int64_t longest = 0;
    for (int i = 0; i < figure->n_rows; i++) {
        const mpno_figure_row *row = &figure->rows[i];
        if (row->prediction.n1 > longest) longest = row->prediction.n1;
        if (row->input.data && row->input.n1 > longest) longest = row->input.n1;
    }
    double *points = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)longest, 2 * sizeof *points, &points));
    mpno_status status = mpno_canvas_create(ctx, width, height, out);
    if (status == MPNO_OK) {
        int y = mpno_figure_title(figure, out);
        draw_headings(figure, plots, y, out);
        y += mpno_figure_heading_height(figure);
        for (int i = 0; i < figure->n_rows; i++, y += row_height + MPNO_FIGURE_ROW_GAP)
            draw_row(figure, &figure->rows[i], plots, y, points, out);
    }
    mpno_free(ctx, points);
    return status;
}
