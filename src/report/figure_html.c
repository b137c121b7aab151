/* SPDX-License-Identifier: MIT
 * A figure as HTML. A heat map is a PNG of one pixel for each grid point, enlarged by the browser,
 * over a bar whose colours are those of the class `sequential` or `diverging` of report/page.h; a
 * line plot is a chart. */
#include "report/figure.h"

#include "core/memory.h"
#include "report/chart.h"
#include "report/page.h"
#include "report/png.h"

enum { MOST_PIXELS = 384 };

static mpno_status add_image(mpno_ctx *ctx, const mpno_panel_field *field, mpno_colormap map,
                             const mpno_axis *axis, mpno_text *out) {
    const int64_t longest = field->n1 > field->n2 ? field->n1 : field->n2;
    const int64_t shrink = (longest + MOST_PIXELS - 1) / MOST_PIXELS;
    mpno_canvas canvas;
    mpno_text png = {.ctx = ctx};
    MPNO_TRY(mpno_canvas_create(ctx, (int)((field->n2 + shrink - 1) / shrink),
                                (int)((field->n1 + shrink - 1) / shrink), &canvas));
    mpno_figure_field(&canvas, field, shrink, 1, 0, 0, map, axis);
    mpno_status status = mpno_png_encode(ctx, canvas.width, canvas.height, canvas.rgb, &png);
    if (status == MPNO_OK) status = mpno_page_image(out, png.data, png.size);
    mpno_text_discard(&png);
    mpno_canvas_destroy(ctx, &canvas);
    return status;
}

static mpno_status add_bar(mpno_colormap map, const mpno_axis *axis, mpno_text *out) {
    MPNO_TRY(mpno_text_add(out, "<div class=\"bar %s\"></div><div class=\"ticks\">",
                           map == MPNO_COLORMAP_DIVERGING ? "diverging" : "sequential"));
    for (int k = 0; k < axis->n; k++) {
        MPNO_TRY(mpno_text_add(out, "<span style=\"left:"));
        MPNO_TRY(mpno_text_add_coordinate(out, 100 * mpno_axis_place(axis, axis->at[k])));
        MPNO_TRY(mpno_text_add(out, "%%\">%s</span>", axis->label[k]));
    }
    return mpno_text_add(out, "</div>");
}

static mpno_status add_map(mpno_ctx *ctx, const char *heading, const mpno_panel_field *field,
                           const mpno_range *range, mpno_colormap map, mpno_text *out) {
    if (!field->data) return MPNO_OK;
    mpno_axis axis;
    mpno_axis_make(range->low, range->high, 4, &axis);
    MPNO_TRY(mpno_text_add(out, "<figure class=\"map\"><figcaption>"));
    MPNO_TRY(mpno_text_add_html(out, heading));
    MPNO_TRY(mpno_text_add(out, "</figcaption>"));
    MPNO_TRY(add_image(ctx, field, map, &axis, out));
    MPNO_TRY(add_bar(map, &axis, out));
    return mpno_text_add(out, "</figure>\n");
}

static mpno_status add_maps(mpno_ctx *ctx, const mpno_panel_opts *opts, const mpno_figure_row *row,
                            mpno_text *out) {
    const mpno_colormap one = MPNO_COLORMAP_SEQUENTIAL, two = MPNO_COLORMAP_DIVERGING;
    MPNO_TRY(add_map(ctx, opts->input_heading, &row->input, &row->input_range, one, out));
    MPNO_TRY(add_map(ctx, opts->truth_heading, &row->truth, &row->solution_range, one, out));
    MPNO_TRY(
        add_map(ctx, opts->prediction_heading, &row->prediction, &row->solution_range, one, out));
    return add_map(ctx, opts->error_heading, &row->error, &row->error_range, two, out);
}

struct curve {
    const char *name;
    const mpno_panel_field *field;
};

static mpno_status add_chart(mpno_ctx *ctx, const mpno_panel_opts *opts, const char *title,
                             const struct curve *curves, int n_curves, mpno_text *out) {
    mpno_chart_series series[2] = {{0}};
    const int64_t n = curves[0].field->n1;
    const double step = n > 1 ? (opts->x_high - opts->x_low) / (double)(n - 1) : 0;
    double *values = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(3 * n), sizeof *values, &values));
    for (int64_t i = 0; i < n; i++) values[i] = opts->x_low + (double)i * step;
    for (int k = 0; k < n_curves; k++) {
        double *y = values + (k + 1) * n;
        for (int64_t i = 0; i < n; i++) y[i] = curves[k].field->data[i];
        series[k] = (mpno_chart_series){curves[k].name, values, y, (size_t)n, k, k > 0};
    }
    const mpno_chart chart = {.title = title,
                              .x_label = "x",
                              .y_label = "",
                              .series = series,
                              .n_series = (size_t)n_curves};
    mpno_status status = mpno_chart_html(&chart, out);
    mpno_free(ctx, values);
    return status;
}

static mpno_status add_charts(mpno_ctx *ctx, const mpno_panel_opts *opts,
                              const mpno_figure_row *row, mpno_text *out) {
    struct curve both[2];
    int n = 0;
    if (row->truth.data) both[n++] = (struct curve){opts->truth_heading, &row->truth};
    if (row->prediction.data)
        both[n++] = (struct curve){opts->prediction_heading, &row->prediction};
    const struct curve input = {opts->input_heading, &row->input};
    const struct curve error = {opts->error_heading, &row->error};
    if (row->input.data) MPNO_TRY(add_chart(ctx, opts, input.name, &input, 1, out));
    if (n > 0) MPNO_TRY(add_chart(ctx, opts, n > 1 ? "" : both[0].name, both, n, out));
    return row->error.data ? add_chart(ctx, opts, error.name, &error, 1, out) : MPNO_OK;
}

mpno_status mpno_figure_html(mpno_ctx *ctx, const mpno_figure *figure, mpno_text *out) {
    for (int i = 0; i < figure->n_rows; i++) {
        const mpno_figure_row *row = &figure->rows[i];
        const mpno_panel_field *field = row->prediction.data ? &row->prediction : &row->input;
        const bool lines = field->n2 == 1;
        MPNO_TRY(mpno_text_add(out, "<div class=\"sample\"><p>"));
        MPNO_TRY(mpno_text_add_html(out, row->caption));
        MPNO_TRY(mpno_text_add(out, "</p><div class=\"%s\">\n", lines ? "charts" : "maps"));
        MPNO_TRY(lines ? add_charts(ctx, &figure->opts, row, out)
                       : add_maps(ctx, &figure->opts, row, out));
        MPNO_TRY(mpno_text_add(out, "</div></div>\n"));
    }
    return MPNO_OK;
}
