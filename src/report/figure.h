/* SPDX-License-Identifier: MIT
 * Inside of picture.c: what both kinds of figure (heat maps, lines) share. */
#ifndef MPNO_REPORT_FIGURE_H
#define MPNO_REPORT_FIGURE_H

#include "report/axis.h"
#include "report/picture.h"

typedef struct mpno_range {
    double low, high; /* of the finite values; low > high when there are none */
    int64_t n_not_finite;
} mpno_range;

typedef struct mpno_figure_row {
    const char *label;
    mpno_panel_field input, truth, prediction, error;    /* a row without truth has no error */
    float *error_data;                                   /* of that field; owned by the figure */
    mpno_range input_range, solution_range, error_range; /* error_range is symmetric */
    char caption[256];
} mpno_figure_row;

typedef struct mpno_figure {
    mpno_panel_opts opts;
    bool has_input, has_truth; /* does any row have one? */
    int n_rows;
    mpno_figure_row *rows; /* owned */
    int line_height;       /* of text, with the space to the next line */
} mpno_figure;

/* Pixels. */
#define MPNO_FIGURE_MARGIN 24
#define MPNO_FIGURE_GAP 14 /* between panels of one scale */
#define MPNO_FIGURE_GROUP_GAP 34
#define MPNO_FIGURE_ROW_GAP 22

#define MPNO_INK ((mpno_rgb){34, 34, 34})
#define MPNO_PALE_INK ((mpno_rgb){96, 96, 96})
#define MPNO_FRAME ((mpno_rgb){150, 150, 150})
#define MPNO_GRID ((mpno_rgb){228, 228, 228})

MPNO_WARN_UNUSED mpno_status mpno_figure_heat(mpno_ctx *ctx, const mpno_figure *figure,
                                              mpno_canvas *out);
MPNO_WARN_UNUSED mpno_status mpno_figure_lines(mpno_ctx *ctx, const mpno_figure *figure,
                                               mpno_canvas *out);

/* HTML: every row a block of panels, texts as texts. */
MPNO_WARN_UNUSED mpno_status mpno_figure_html(mpno_ctx *ctx, const mpno_figure *figure,
                                              mpno_text *out);

/* A field in squares of zoom pixels, one for each shrink x shrink points, its upper left corner at
 * (x, y). */
void mpno_figure_field(mpno_canvas *canvas, const mpno_panel_field *field, int64_t shrink, int zoom,
                       int x, int y, mpno_colormap map, const mpno_axis *axis);
/* Width that title and captions need, margins included. */
int mpno_figure_text_width(const mpno_figure *figure);
/* Draws the title and gives the y below it. */
int mpno_figure_title(const mpno_figure *figure, mpno_canvas *canvas);
/* Height of the title with its gap, 0 when there is none. */
int mpno_figure_title_height(const mpno_figure *figure);
/* Height of the column headings with their gap. */
int mpno_figure_heading_height(const mpno_figure *figure);
/* Text centred at x. */
void mpno_figure_centred(mpno_canvas *canvas, int x, int y, int scale, mpno_rgb colour,
                         const char *text);

#endif
