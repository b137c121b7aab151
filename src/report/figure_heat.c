/* SPDX-License-Identifier: MIT
 * Heat maps with colour bars. A grid point is a square of `zoom` pixels, so that no pixel mixes two
 * grid points; a field of more than twice the wanted side is drawn in means of shrink x shrink
 * points instead. Ticks of the axis that runs down stand left of the first panel of a row. */
#include "report/figure.h"

#include <math.h>

#include "report/font.h"

enum { INPUT, TRUTH, PREDICTION, ERROR, N_COLUMNS };

#define BAR_GAP 8
#define BAR_WIDTH 14
#define LABEL_GAP 8
#define TICK 5

struct column {
    int x, width; /* of the panels */
    int bar_x;    /* -1: no colour bar, the next column shares this scale */
};

struct size {
    int64_t shrink;
    int zoom, width, height;
};

static struct size size_of(const mpno_panel_field *field, int wanted) {
    struct size size = {1, 1, 0, 0};
    if (!field->data) return size;
    int64_t n = field->n1 > field->n2 ? field->n1 : field->n2;
    size.shrink = (n + 2 * wanted - 1) / (2 * wanted);
    if (n < wanted) size.zoom = (int)lround((double)wanted / (double)n);
    size.width = (int)((field->n2 + size.shrink - 1) / size.shrink) * size.zoom;
    size.height = (int)((field->n1 + size.shrink - 1) / size.shrink) * size.zoom;
    return size;
}

static bool has_column(const mpno_figure *figure, int column) {
    if (column == PREDICTION) return true;
    return column == INPUT ? figure->has_input : figure->has_truth;
}

static const mpno_panel_field *field_of(const mpno_figure_row *row, int column) {
    const mpno_panel_field *fields[N_COLUMNS] = {&row->input, &row->truth, &row->prediction,
                                                 &row->error};
    return fields[column];
}

static const mpno_range *range_of(const mpno_figure_row *row, int column) {
    return column == INPUT   ? &row->input_range
           : column == ERROR ? &row->error_range
                             : &row->solution_range;
}

static mpno_axis axis_of(const mpno_figure *figure, const mpno_figure_row *row, int column) {
    int height = size_of(field_of(row, column), figure->opts.panel_pixels).height;
    const mpno_range *range = range_of(row, column);
    mpno_axis axis;
    mpno_axis_make(range->low, range->high, 1 + height * 2 / (figure->line_height * 3), &axis);
    return axis;
}

static const char *heading_of(const mpno_figure *figure, int column) {
    const mpno_panel_opts *opts = &figure->opts;
    const char *headings[N_COLUMNS] = {opts->input_heading, opts->truth_heading,
                                       opts->prediction_heading, opts->error_heading};
    return headings[column];
}

static int row_height(const mpno_figure *figure, const mpno_figure_row *row) {
    int height = 0;
    for (int c = 0; c < N_COLUMNS; c++) {
        struct size size = size_of(field_of(row, c), figure->opts.panel_pixels);
        if (size.height > height) height = size.height;
    }
    return height;
}

static int label_width(const mpno_figure *figure, int column) {
    int width = 0;
    for (int i = 0; i < figure->n_rows; i++) {
        if (!field_of(&figure->rows[i], column)->data) continue;
        mpno_axis axis = axis_of(figure, &figure->rows[i], column);
        for (int k = 0; k < axis.n; k++) {
            int needed = mpno_font_width(axis.label[k], figure->opts.text_scale);
            if (needed > width) width = needed;
        }
    }
    return width;
}

static bool has_axes(const mpno_figure *figure) {
    return figure->opts.axis_names[0] && figure->opts.axis_names[1];
}

/* The axis d (0: down, 1: across) along `pixels`. */
static mpno_axis place_axis(const mpno_figure *figure, int d, int pixels) {
    const int scale = figure->opts.text_scale;
    const int room = d == 0 ? 2 * figure->line_height : 6 * MPNO_FONT_ADVANCE * scale;
    mpno_axis axis;
    mpno_axis_make(figure->opts.axis_low[d], figure->opts.axis_high[d], 1 + pixels / room, &axis);
    return axis;
}

/* Room left of the panels for the name of the axis, its labels and ticks. */
static int axis_width(const mpno_figure *figure) {
    int width = 0;
    if (!has_axes(figure)) return 0;
    for (int i = 0; i < figure->n_rows; i++) {
        const mpno_axis axis = place_axis(figure, 0, row_height(figure, &figure->rows[i]));
        for (int k = 0; k < axis.n; k++) {
            const int needed = mpno_font_width(axis.label[k], figure->opts.text_scale);
            if (needed > width) width = needed;
        }
    }
    return width + 2 * LABEL_GAP + TICK +
           mpno_font_width(figure->opts.axis_names[0], figure->opts.text_scale);
}

/* Room below the panels for labels and the name. */
static int axis_height(const mpno_figure *figure) {
    return has_axes(figure) ? TICK + LABEL_GAP / 2 + 2 * figure->line_height : 0;
}

/* Places the columns and gives the width of the picture. */
static int place_columns(const mpno_figure *figure, struct column *columns) {
    int x = MPNO_FIGURE_MARGIN + axis_width(figure), end = x;
    for (int c = 0; c < N_COLUMNS; c++) {
        if (!has_column(figure, c)) continue;
        int width = mpno_font_width(heading_of(figure, c), figure->opts.text_scale);
        for (int i = 0; i < figure->n_rows; i++) {
            struct size size = size_of(field_of(&figure->rows[i], c), figure->opts.panel_pixels);
            if (size.width > width) width = size.width;
        }
        columns[c] = (struct column){x, width, -1};
        end = x + width;
        /* with axes room for half a label of either panel */
        x = end + (has_axes(figure) ? MPNO_FIGURE_GROUP_GAP : MPNO_FIGURE_GAP);
        if (c == TRUTH) continue;
        columns[c].bar_x = end + BAR_GAP;
        end += BAR_GAP + BAR_WIDTH + LABEL_GAP + label_width(figure, c);
        x = end + MPNO_FIGURE_GROUP_GAP;
    }
    int text = mpno_figure_text_width(figure);
    return end + MPNO_FIGURE_MARGIN > text ? end + MPNO_FIGURE_MARGIN : text;
}

static double block_mean(const mpno_panel_field *field, int64_t shrink, int64_t i, int64_t j) {
    double sum = 0;
    int64_t n = 0;
    for (int64_t p = i * shrink; p < (i + 1) * shrink && p < field->n1; p++)
        for (int64_t q = j * shrink; q < (j + 1) * shrink && q < field->n2; q++, n++)
            sum += field->data[p * field->n2 + q];
    return sum / (double)n;
}

void mpno_figure_field(mpno_canvas *canvas, const mpno_panel_field *field, int64_t shrink, int zoom,
                       int x, int y, mpno_colormap map, const mpno_axis *axis) {
    for (int64_t j = 0; j * shrink < field->n1; j++)
        for (int64_t i = 0; i * shrink < field->n2; i++) {
            double value = block_mean(field, shrink, j, i);
            mpno_rgb colour = mpno_colormap_colour(map, value, axis->low, axis->high);
            mpno_canvas_fill(canvas, x + (int)i * zoom, y + (int)j * zoom, zoom, zoom, colour);
        }
}

static void draw_bar(mpno_canvas *canvas, int x, int y, int height, mpno_colormap map,
                     const mpno_axis *axis, int scale) {
    double width = axis->high - axis->low;
    for (int j = 0; j < height; j++) {
        double value = axis->high - (j + 0.5) / height * width;
        mpno_canvas_fill(canvas, x, y + j, BAR_WIDTH, 1,
                         mpno_colormap_colour(map, value, axis->low, axis->high));
    }
    mpno_canvas_frame(canvas, x, y, BAR_WIDTH, height, MPNO_FRAME);
    for (int k = 0; k < axis->n; k++) {
        int at = y + (int)lround((axis->high - axis->at[k]) / width * (height - 1));
        mpno_canvas_fill(canvas, x + BAR_WIDTH, at, 4, 1, MPNO_PALE_INK);
        mpno_canvas_text(canvas, x + BAR_WIDTH + LABEL_GAP, at - MPNO_FONT_ASCENT * scale / 2,
                         scale, MPNO_INK, axis->label[k]);
    }
}

/* name_x: where the name of the axis begins. */
static void draw_down(const mpno_figure *figure, const mpno_axis *axis, int name_x, int x, int y,
                      int height, mpno_canvas *canvas) {
    const int scale = figure->opts.text_scale;
    const char *name = figure->opts.axis_names[0];
    for (int k = 0; k < axis->n; k++) {
        const int at = y + (int)lround(mpno_axis_place(axis, axis->at[k]) * (height - 1));
        const int width = mpno_font_width(axis->label[k], scale);
        mpno_canvas_fill(canvas, x - 1 - TICK, at, TICK, 1, MPNO_PALE_INK);
        mpno_canvas_text(canvas, x - TICK - LABEL_GAP - width, at - MPNO_FONT_ASCENT * scale / 2,
                         scale, MPNO_INK, axis->label[k]);
    }
    mpno_canvas_text(canvas, name_x, y + (height - MPNO_FONT_ASCENT * scale) / 2, scale,
                     MPNO_PALE_INK, name);
}

static void draw_across(const mpno_figure *figure, const mpno_axis *axis, int x, int y, int width,
                        mpno_canvas *canvas) {
    const int scale = figure->opts.text_scale;
    for (int k = 0; k < axis->n; k++) {
        const int at = x + (int)lround(mpno_axis_place(axis, axis->at[k]) * (width - 1));
        mpno_canvas_fill(canvas, at, y + 1, 1, TICK, MPNO_PALE_INK);
        mpno_figure_centred(canvas, at, y + TICK + LABEL_GAP / 2, scale, MPNO_INK, axis->label[k]);
    }
    mpno_figure_centred(canvas, x + width / 2, y + TICK + LABEL_GAP / 2 + figure->line_height,
                        scale, MPNO_PALE_INK, figure->opts.axis_names[1]);
}

static void draw_row(const mpno_figure *figure, const mpno_figure_row *row,
                     const struct column *columns, int y, mpno_canvas *canvas) {
    int scale = figure->opts.text_scale, height = row_height(figure, row);
    bool leftmost = true;
    for (int c = 0; c < N_COLUMNS; c++) {
        const mpno_panel_field *field = field_of(row, c);
        if (!field->data) continue;
        struct size size = size_of(field, figure->opts.panel_pixels);
        mpno_axis axis = axis_of(figure, row, c);
        mpno_colormap map = c == ERROR   ? MPNO_COLORMAP_DIVERGING
                            : c == INPUT ? figure->opts.input_colormap
                                         : figure->opts.colormap;
        int top = y + (height - size.height) / 2;
        const int left = columns[c].x + (columns[c].width - size.width) / 2;
        mpno_figure_field(canvas, field, size.shrink, size.zoom, left, top, map, &axis);
        mpno_canvas_frame(canvas, left, top, size.width, size.height, MPNO_FRAME);
        if (has_axes(figure)) {
            const mpno_axis down = place_axis(figure, 0, size.height),
                            across = place_axis(figure, 1, size.width);
            const int name_x = columns[c].x - axis_width(figure);
            if (leftmost) draw_down(figure, &down, name_x, left, top, size.height, canvas);
            draw_across(figure, &across, left, top + size.height, size.width, canvas);
            leftmost = false;
        }
        if (columns[c].bar_x >= 0)
            draw_bar(canvas, columns[c].bar_x, top, size.height, map, &axis, scale);
    }
    mpno_canvas_text(canvas, MPNO_FIGURE_MARGIN, y + height + axis_height(figure) + MPNO_FIGURE_GAP,
                     scale, MPNO_PALE_INK, row->caption);
}

mpno_status mpno_figure_heat(mpno_ctx *ctx, const mpno_figure *figure, mpno_canvas *out) {
    struct column columns[N_COLUMNS] = {0};
    int width = place_columns(figure, columns), scale = figure->opts.text_scale;
    int below = axis_height(figure) + MPNO_FIGURE_GAP + figure->line_height; /* the caption */
    int64_t height = 2 * MPNO_FIGURE_MARGIN + mpno_figure_title_height(figure) +
                     mpno_figure_heading_height(figure);
    for (int i = 0; i < figure->n_rows; i++)
        height += row_height(figure, &figure->rows[i]) + below + (i ? MPNO_FIGURE_ROW_GAP : 0);
    MPNO_TRY(mpno_canvas_create(ctx, width, (int)(height < INT32_MAX ? height : INT32_MAX), out));

    int y = mpno_figure_title(figure, out);
    for (int c = 0; c < N_COLUMNS; c++) {
        if (!has_column(figure, c)) continue;
        mpno_figure_centred(out, columns[c].x + columns[c].width / 2, y, scale, MPNO_INK,
                            heading_of(figure, c));
    }
    y += mpno_figure_heading_height(figure);
    for (int i = 0; i < figure->n_rows; i++) {
        draw_row(figure, &figure->rows[i], columns, y, out);
        y += row_height(figure, &figure->rows[i]) + below + MPNO_FIGURE_ROW_GAP;
    }
    return MPNO_OK;
}
