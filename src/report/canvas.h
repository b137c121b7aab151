/* SPDX-License-Identifier: MIT
 * A canvas of RGB pixels and what is drawn on it: rectangles, text, smooth lines. Drawing is
 * clipped at the edges. One thread at a time per canvas. */
#ifndef MPNO_REPORT_CANVAS_H
#define MPNO_REPORT_CANVAS_H

#include "core/context.h"
#include "report/colormap.h"

typedef struct mpno_canvas {
    int width, height;
    unsigned char *rgb; /* [height][width][3], owned */
} mpno_canvas;

/* White. E_ARGUMENT when a side is not 1 to 65535. */
MPNO_WARN_UNUSED mpno_status mpno_canvas_create(mpno_ctx *ctx, int width, int height,
                                                mpno_canvas *out);
void mpno_canvas_destroy(mpno_ctx *ctx, mpno_canvas *canvas);

void mpno_canvas_fill(mpno_canvas *canvas, int x, int y, int width, int height, mpno_rgb colour);
/* A frame of one pixel just outside the rectangle. */
void mpno_canvas_frame(mpno_canvas *canvas, int x, int y, int width, int height, mpno_rgb colour);
/* Upper left corner of the first character at (x, y); one line. */
void mpno_canvas_text(mpno_canvas *canvas, int x, int y, int scale, mpno_rgb colour,
                      const char *text);
/* A polyline through n points [n][2] of (x, y) in pixels, pixel centres at +0.5, with smooth edges
 * and round joints; painted only inside the rectangle clip = {x, y, width, height}. Points that are
 * not finite leave a gap. */
void mpno_canvas_polyline(mpno_canvas *canvas, const double *points, int n, double thickness,
                          mpno_rgb colour, const int clip[4]);

#endif
