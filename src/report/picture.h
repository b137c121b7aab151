/* SPDX-License-Identifier: MIT
 * Figures of predictions: one row per sample, columns input | truth | prediction | error.
 * Two-dimensional fields become heat maps, one-dimensional ones line plots; for 3-D and 4-D the
 * caller passes slices as rows that share their scales. */
#ifndef MPNO_REPORT_PICTURE_H
#define MPNO_REPORT_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include "core/context.h"
#include "core/text.h"
#include "report/canvas.h"

/* A scalar field [n1][n2], borrowed; axis 1 runs down, axis 2 to the right. n2 == 1: a line over
 * axis 1. */
typedef struct mpno_panel_field {
    const float *data;
    int64_t n1, n2;
} mpno_panel_field;

/* Scales that are given, such as those of all frames of an animation. */
typedef struct mpno_panel_scales {
    double input[2], solution[2]; /* low, high */
    double error;                 /* largest |error| */
} mpno_panel_scales;

typedef struct mpno_panel_row {
    const char *label; /* starts the line under the row ("sample 3"); NULL: none */
    mpno_panel_field
        input; /* data NULL: an empty panel, no column at all when no row has one; own shape */
    /* Truth and prediction: same shape, one common colour scale. Truth data NULL: the prediction
     * alone; no columns of truth and error at all when no row has a truth. Both NULL: a further
     * input. */
    mpno_panel_field truth;
    mpno_panel_field prediction;
    const mpno_panel_scales *scales; /* NULL: of the values of this row and those joined to it */
} mpno_panel_row;

typedef struct mpno_panel_opts {
    size_t size;       /* sizeof(mpno_panel_opts) */
    const char *title; /* NULL: none */
    const char *input_heading, *truth_heading, *prediction_heading, *error_heading;
    int panel_pixels; /* wanted side of a heat map (height of a line plot); a grid point is a whole
                         number of pixels, so the side is the nearest multiple; 16 .. 4096 */
    int text_scale;   /* 1 .. 8; a character is 5 x 9 of these pixels */
    double x_low, x_high; /* line plots: coordinates of the first and the last point */
    int joined_rows;      /* so many rows after one another share their scales, 1 or more */
    /* Of heat maps of inputs and of solutions; DIVERGING: symmetric about zero. */
    mpno_colormap input_colormap, colormap;
    /* Axis 1 and 2 (lines have one). Heat maps: names NULL: no axes are drawn; else ticks between
     * the edges of the panel, low at the first point. */
    const char *axis_names[2];
    double axis_low[2], axis_high[2];
} mpno_panel_opts;
#define MPNO_PANEL_OPTS_INIT                                                                 \
    {                                                                                        \
        .size = sizeof(mpno_panel_opts), .input_heading = "input", .truth_heading = "truth", \
        .prediction_heading = "prediction", .error_heading = "error", .panel_pixels = 200,   \
        .text_scale = 2, .x_high = 1.0, .joined_rows = 1,                                    \
        .input_colormap = MPNO_COLORMAP_SEQUENTIAL, .colormap = MPNO_COLORMAP_SEQUENTIAL,    \
        .axis_high[0] = 1.0, .axis_high[1] = 1.0                                             \
    }

/* error = prediction - truth on a scale symmetric about zero. Scales are those of joined rows.
 * Values that are not finite are grey (a gap in a line) and counted in the line under the row,
 * which also gives
 * ||prediction - truth|| / ||truth|| and max |error| of a row with truth. E_SHAPE when shapes
 * differ or one- and two-dimensional rows are mixed, E_ARGUMENT when the picture would be too
 * large. opts NULL: the defaults. *out is owned by the caller (mpno_canvas_destroy), empty on
 * failure. */
MPNO_WARN_UNUSED mpno_status mpno_picture_panels_draw(mpno_ctx *ctx, const mpno_panel_opts *opts,
                                                      const mpno_panel_row *rows, int n_rows,
                                                      mpno_canvas *out);
/* The same into a PNG file, atomically. */
MPNO_WARN_UNUSED mpno_status mpno_picture_panels(mpno_ctx *ctx, const mpno_panel_opts *opts,
                                                 const mpno_panel_row *rows, int n_rows,
                                                 const char *path);
/* The same as HTML for a page of report/page.h, appended to `out`. The title is left out. */
MPNO_WARN_UNUSED mpno_status mpno_picture_panels_html(mpno_ctx *ctx, const mpno_panel_opts *opts,
                                                      const mpno_panel_row *rows, int n_rows,
                                                      mpno_text *out);

#endif
