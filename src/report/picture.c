/* SPDX-License-Identifier: MIT
 * Checks the rows, computes error fields, ranges and relative L2 errors (sums in double), and hands
 * the figure to the painter of its kind. */
#include "report/picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "core/memory.h"
#include "report/figure.h"
#include "report/font.h"
#include "report/png.h"

#define MAX_POINTS ((int64_t)1 << 28) /* per field: a gigabyte; larger is a mistake in a shape */

static mpno_range range_of(const mpno_panel_field *field) {
    mpno_range range = {INFINITY, -INFINITY, 0};
    for (int64_t i = 0; field->data && i < field->n1 * field->n2; i++) {
        double value = field->data[i];
        if (!isfinite(value)) {
            range.n_not_finite++;
            continue;
        }
        range.low = fmin(range.low, value);
        range.high = fmax(range.high, value);
    }
    return range;
}

static mpno_range joined(mpno_range a, mpno_range b) {
    return (mpno_range){fmin(a.low, b.low), fmax(a.high, b.high), a.n_not_finite + b.n_not_finite};
}

static mpno_status check_field(mpno_ctx *ctx, const mpno_panel_field *field, int row,
                               const char *name) {
    bool fits = field->n1 > 0 && field->n2 > 0 && field->n1 <= MAX_POINTS &&
                field->n2 <= MAX_POINTS / field->n1;
    MPNO_CHECK(ctx, fits, MPNO_E_SHAPE,
               "row %d: %s has shape [%" PRId64 "][%" PRId64
               "]; both must be positive and their product at most 2^28",
               row, name, field->n1, field->n2);
    return MPNO_OK;
}

static const mpno_panel_field *main_field(const mpno_panel_row *row) {
    return row->prediction.data ? &row->prediction : &row->input;
}

static mpno_status check_row(mpno_ctx *ctx, const mpno_panel_row *row, int i, bool lines) {
    const mpno_panel_field *truth = &row->truth, *prediction = &row->prediction;
    MPNO_CHECK(ctx, prediction->data || (row->input.data && !truth->data), MPNO_E_ARGUMENT,
               "row %d has no prediction; only a row of an input alone may do without", i);
    if (prediction->data) MPNO_TRY(check_field(ctx, prediction, i, "prediction"));
    if (truth->data) {
        MPNO_TRY(check_field(ctx, truth, i, "truth"));
        MPNO_CHECK(ctx, truth->n1 == prediction->n1 && truth->n2 == prediction->n2, MPNO_E_SHAPE,
                   "row %d: truth is [%" PRId64 "][%" PRId64 "] but prediction is [%" PRId64
                   "][%" PRId64 "]; bring both to one grid first",
                   i, truth->n1, truth->n2, prediction->n1, prediction->n2);
    }
    bool same = (main_field(row)->n2 == 1) == lines;
    if (row->input.data) {
        MPNO_TRY(check_field(ctx, &row->input, i, "input"));
        same = same && (row->input.n2 == 1) == lines;
    }
    MPNO_CHECK(ctx, same, MPNO_E_SHAPE,
               "row %d mixes one- and two-dimensional fields with those of row 0; draw them as "
               "separate pictures",
               i);
    return MPNO_OK;
}

static mpno_status check_opts(mpno_ctx *ctx, const mpno_panel_opts *opts) {
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_panel_opts has size %zu, expected %zu; start from MPNO_PANEL_OPTS_INIT",
               opts->size, sizeof *opts);
    MPNO_CHECK(ctx,
               opts->input_heading && opts->truth_heading && opts->prediction_heading &&
                   opts->error_heading,
               MPNO_E_ARGUMENT,
               "a heading is NULL; start from MPNO_PANEL_OPTS_INIT (\"\" leaves a heading out)");
    MPNO_CHECK(ctx, opts->panel_pixels >= 16 && opts->panel_pixels <= 4096, MPNO_E_ARGUMENT,
               "panel_pixels is %d; it must be 16 to 4096", opts->panel_pixels);
    MPNO_CHECK(ctx, opts->text_scale >= 1 && opts->text_scale <= 8, MPNO_E_ARGUMENT,
               "text_scale is %d; it must be 1 to 8", opts->text_scale);
    MPNO_CHECK(ctx, isfinite(opts->x_low) && isfinite(opts->x_high) && opts->x_low < opts->x_high,
               MPNO_E_ARGUMENT, "x_low .. x_high is %g .. %g; it must be a rising finite interval",
               opts->x_low, opts->x_high);
    for (int d = 0; d < 2; d++)
        MPNO_CHECK(ctx,
                   isfinite(opts->axis_low[d]) && isfinite(opts->axis_high[d]) &&
                       opts->axis_low[d] < opts->axis_high[d],
                   MPNO_E_ARGUMENT, "axis %d is %g .. %g; it must be a rising finite interval",
                   d + 1, opts->axis_low[d], opts->axis_high[d]);
    MPNO_CHECK(ctx, opts->joined_rows >= 1, MPNO_E_ARGUMENT,
               "joined_rows is %d; it must be 1 or more", opts->joined_rows);
    return MPNO_OK;
}

static void write_caption(mpno_figure_row *row, double error2, double truth2, double largest) {
    char text[160];
    double relative = sqrt(error2 / truth2);
    int64_t bad = row->solution_range.n_not_finite;
    if (bad > 0)
        snprintf(text, sizeof text, "%" PRId64 " values are not finite", bad);
    else if (!row->truth.data)
        text[0] = '\0';
    else if (truth2 == 0)
        snprintf(text, sizeof text, "truth is zero, largest |error| %.3g", largest);
    else
        snprintf(text, sizeof text, "relative L2 error %.4g, largest |error| %.3g", relative,
                 largest);
    snprintf(row->caption, sizeof row->caption, "%.80s%s%s", row->label ? row->label : "",
             row->label && *text ? ": " : "", text);
}

static void take_scales(mpno_figure_row *row, const mpno_panel_scales *scales) {
    row->input_range.low = scales->input[0];
    row->input_range.high = scales->input[1];
    row->solution_range.low = scales->solution[0];
    row->solution_range.high = scales->solution[1];
    row->error_range.low = -scales->error;
    row->error_range.high = scales->error;
}

static mpno_status prepare_row(mpno_ctx *ctx, const mpno_panel_row *row, mpno_figure_row *out) {
    int64_t n = row->truth.data ? row->truth.n1 * row->truth.n2 : 0;
    out->label = row->label;
    out->input = row->input;
    out->truth = row->truth;
    out->prediction = row->prediction;
    if (n > 0) {
        MPNO_TRY(mpno_alloc_array(ctx, (size_t)n, sizeof(float), &out->error_data));
        out->error = (mpno_panel_field){out->error_data, row->truth.n1, row->truth.n2};
    }
    double error2 = 0, truth2 = 0;
    for (int64_t i = 0; i < n; i++) {
        double truth = row->truth.data[i], error = row->prediction.data[i] - truth;
        /* NaN rather than infinity beyond float: a hole, not an end of the scale. */
        out->error_data[i] = fabs(error) <= 3.4e38 ? (float)error : NAN;
        error2 += error * error;
        truth2 += truth * truth;
    }
    out->input_range = range_of(&row->input);
    out->solution_range = joined(range_of(&row->truth), range_of(&row->prediction));
    out->error_range = range_of(&out->error);
    double largest = fmax(fabs(out->error_range.low), fabs(out->error_range.high));
    if (out->error_range.low > out->error_range.high) largest = 0;
    out->error_range.low = -largest;
    out->error_range.high = largest;
    write_caption(out, error2, truth2, largest);
    if (row->scales) take_scales(out, row->scales);
    return MPNO_OK;
}

int mpno_figure_text_width(const mpno_figure *figure) {
    int scale = figure->opts.text_scale;
    int width = figure->opts.title ? mpno_font_width(figure->opts.title, scale) : 0;
    for (int i = 0; i < figure->n_rows; i++) {
        int needed = mpno_font_width(figure->rows[i].caption, scale);
        if (needed > width) width = needed;
    }
    return width + 2 * MPNO_FIGURE_MARGIN;
}

int mpno_figure_title_height(const mpno_figure *figure) {
    return figure->opts.title ? figure->line_height + MPNO_FIGURE_GAP : 0;
}

int mpno_figure_heading_height(const mpno_figure *figure) {
    return figure->line_height + 6;
}

int mpno_figure_title(const mpno_figure *figure, mpno_canvas *canvas) {
    if (figure->opts.title)
        mpno_canvas_text(canvas, MPNO_FIGURE_MARGIN, MPNO_FIGURE_MARGIN, figure->opts.text_scale,
                         MPNO_INK, figure->opts.title);
    return MPNO_FIGURE_MARGIN + mpno_figure_title_height(figure);
}

void mpno_figure_centred(mpno_canvas *canvas, int x, int y, int scale, mpno_rgb colour,
                         const char *text) {
    mpno_canvas_text(canvas, x - mpno_font_width(text, scale) / 2, y, scale, colour, text);
}

/* Gives rows that are joined the range of all of them; symmetric ones stay symmetric. */
static void join_scales(mpno_figure *figure) {
    for (int first = 0; first < figure->n_rows; first += figure->opts.joined_rows) {
        mpno_figure_row all = figure->rows[first];
        int end = first + 1;
        for (; end < figure->n_rows && end - first < figure->opts.joined_rows; end++) {
            const mpno_figure_row *row = &figure->rows[end];
            all.input_range = joined(all.input_range, row->input_range);
            all.solution_range = joined(all.solution_range, row->solution_range);
            all.error_range = joined(all.error_range, row->error_range);
        }
        for (int i = first; i < end; i++) {
            figure->rows[i].input_range = all.input_range;
            figure->rows[i].solution_range = all.solution_range;
            figure->rows[i].error_range = all.error_range;
        }
    }
}

static void make_symmetric(mpno_range *range) {
    const double largest = fmax(fabs(range->low), fabs(range->high));
    if (range->low > range->high) return;
    range->low = -largest;
    range->high = largest;
}

static void destroy_figure(mpno_ctx *ctx, mpno_figure *figure) {
    for (int i = 0; figure->rows && i < figure->n_rows; i++)
        mpno_free(ctx, figure->rows[i].error_data);
    mpno_free(ctx, figure->rows);
}

/* One way to show a prepared figure. */
typedef mpno_status (*painter)(mpno_ctx *ctx, const mpno_figure *figure, void *to);

static mpno_status paint_pixels(mpno_ctx *ctx, const mpno_figure *figure, void *to) {
    const mpno_figure_row *row = &figure->rows[0];
    const mpno_panel_field *field = row->prediction.data ? &row->prediction : &row->input;
    return field->n2 == 1 ? mpno_figure_lines(ctx, figure, to) : mpno_figure_heat(ctx, figure, to);
}

static mpno_status paint_html(mpno_ctx *ctx, const mpno_figure *figure, void *to) {
    return mpno_figure_html(ctx, figure, to);
}

static mpno_status paint_rows(mpno_ctx *ctx, mpno_figure *figure, const mpno_panel_row *rows,
                              painter paint, void *to) {
    for (int i = 0; i < figure->n_rows; i++) {
        MPNO_TRY(prepare_row(ctx, &rows[i], &figure->rows[i]));
        if (rows[i].input.data) figure->has_input = true;
        if (rows[i].truth.data) figure->has_truth = true;
    }
    join_scales(figure);
    for (int i = 0; i < figure->n_rows; i++) {
        if (figure->opts.input_colormap == MPNO_COLORMAP_DIVERGING)
            make_symmetric(&figure->rows[i].input_range);
        if (figure->opts.colormap == MPNO_COLORMAP_DIVERGING)
            make_symmetric(&figure->rows[i].solution_range);
    }
    return paint(ctx, figure, to);
}

static mpno_status paint_panels(mpno_ctx *ctx, const mpno_panel_opts *opts,
                                const mpno_panel_row *rows, int n_rows, painter paint, void *to) {
    mpno_figure figure = {.opts = MPNO_PANEL_OPTS_INIT, .n_rows = n_rows};
    if (opts) figure.opts = *opts;
    MPNO_TRY(check_opts(ctx, &figure.opts));
    MPNO_CHECK(ctx, rows != NULL && n_rows > 0 && n_rows <= 1024, MPNO_E_ARGUMENT,
               "a picture of %d rows was asked for; give 1 to 1024 samples", n_rows);
    const bool lines = main_field(&rows[0])->n2 == 1;
    for (int i = 0; i < n_rows; i++) MPNO_TRY(check_row(ctx, &rows[i], i, lines));
    figure.line_height = (MPNO_FONT_ROWS + 1) * figure.opts.text_scale;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)n_rows, sizeof *figure.rows, &figure.rows));
    mpno_status status = paint_rows(ctx, &figure, rows, paint, to);
    destroy_figure(ctx, &figure);
    return status;
}

mpno_status mpno_picture_panels_draw(mpno_ctx *ctx, const mpno_panel_opts *opts,
                                     const mpno_panel_row *rows, int n_rows, mpno_canvas *out) {
    *out = (mpno_canvas){0};
    return paint_panels(ctx, opts, rows, n_rows, paint_pixels, out);
}

mpno_status mpno_picture_panels_html(mpno_ctx *ctx, const mpno_panel_opts *opts,
                                     const mpno_panel_row *rows, int n_rows, mpno_text *out) {
    return paint_panels(ctx, opts, rows, n_rows, paint_html, out);
}

mpno_status mpno_picture_panels(mpno_ctx *ctx, const mpno_panel_opts *opts,
                                const mpno_panel_row *rows, int n_rows, const char *path) {
    mpno_canvas canvas;
    MPNO_TRY(mpno_picture_panels_draw(ctx, opts, rows, n_rows, &canvas));
    mpno_status status = mpno_png_write(ctx, path, canvas.width, canvas.height, canvas.rgb);
    mpno_canvas_destroy(ctx, &canvas);
    return status;
}
