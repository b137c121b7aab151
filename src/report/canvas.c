/* SPDX-License-Identifier: MIT
 * Drawing on RGB pixels. Smooth edges: a pixel whose centre is at distance d from a segment of
 * thickness w is covered by clamp(w / 2 + 1/2 - d, 0, 1). */
#include "report/canvas.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "report/font.h"

#define MAX_SIDE 65535

mpno_status mpno_canvas_create(mpno_ctx *ctx, int width, int height, mpno_canvas *out) {
    *out = (mpno_canvas){0};
    MPNO_CHECK(ctx, width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE,
               MPNO_E_ARGUMENT,
               "a picture of %d x %d pixels cannot be drawn (a side must be 1 to %d); draw fewer "
               "or smaller panels",
               width, height, MAX_SIDE);
    size_t bytes = (size_t)width * (size_t)height * 3;
    MPNO_TRY(mpno_alloc_raw(ctx, bytes, &out->rgb));
    memset(out->rgb, 255, bytes);
    out->width = width;
    out->height = height;
    return MPNO_OK;
}

void mpno_canvas_destroy(mpno_ctx *ctx, mpno_canvas *canvas) {
    if (!canvas) return;
    mpno_free(ctx, canvas->rgb);
    *canvas = (mpno_canvas){0};
}

static int at_least(int a, int b) {
    return a > b ? a : b;
}
static int at_most(int a, int b) {
    return a < b ? a : b;
}

static unsigned char *pixel(mpno_canvas *canvas, int x, int y) {
    return canvas->rgb + ((size_t)y * (size_t)canvas->width + (size_t)x) * 3;
}

static void mix(unsigned char *p, mpno_rgb colour, double cover) {
    p[0] = (unsigned char)(p[0] + cover * (colour.r - p[0]) + 0.5);
    p[1] = (unsigned char)(p[1] + cover * (colour.g - p[1]) + 0.5);
    p[2] = (unsigned char)(p[2] + cover * (colour.b - p[2]) + 0.5);
}

void mpno_canvas_fill(mpno_canvas *canvas, int x, int y, int width, int height, mpno_rgb colour) {
    int x1 = at_most(x + width, canvas->width), y1 = at_most(y + height, canvas->height);
    for (int j = at_least(y, 0); j < y1; j++)
        for (int i = at_least(x, 0); i < x1; i++) memcpy(pixel(canvas, i, j), &colour, 3);
}

void mpno_canvas_frame(mpno_canvas *canvas, int x, int y, int width, int height, mpno_rgb colour) {
    mpno_canvas_fill(canvas, x - 1, y - 1, width + 2, 1, colour);
    mpno_canvas_fill(canvas, x - 1, y + height, width + 2, 1, colour);
    mpno_canvas_fill(canvas, x - 1, y, 1, height, colour);
    mpno_canvas_fill(canvas, x + width, y, 1, height, colour);
}

void mpno_canvas_text(mpno_canvas *canvas, int x, int y, int scale, mpno_rgb colour,
                      const char *text) {
    for (; *text; text++, x += MPNO_FONT_ADVANCE * scale)
        for (int j = 0; j < MPNO_FONT_ROWS * scale; j++)
            for (int i = 0; i < MPNO_FONT_COLUMNS * scale; i++)
                if (mpno_font_ink(*text, i, j, scale))
                    mpno_canvas_fill(canvas, x + i, y + j, 1, 1, colour);
}

static double distance_to_segment(double px, double py, const double *a, const double *b) {
    double dx = b[0] - a[0], dy = b[1] - a[1], length2 = dx * dx + dy * dy;
    double t = length2 > 0 ? ((px - a[0]) * dx + (py - a[1]) * dy) / length2 : 0;
    t = fmin(fmax(t, 0), 1);
    return hypot(px - a[0] - t * dx, py - a[1] - t * dy);
}

static void segment(mpno_canvas *canvas, const double *a, const double *b, double thickness,
                    mpno_rgb colour, const int clip[4]) {
    double reach = 0.5 * thickness + 1;
    /* Clipped as reals: a coordinate far outside does not fit an int. */
    int x0 = (int)fmin(fmax(floor(fmin(a[0], b[0]) - reach), clip[0]), clip[0] + clip[2]);
    int x1 = (int)fmin(fmax(ceil(fmax(a[0], b[0]) + reach), clip[0]), clip[0] + clip[2]);
    int y0 = (int)fmin(fmax(floor(fmin(a[1], b[1]) - reach), clip[1]), clip[1] + clip[3]);
    int y1 = (int)fmin(fmax(ceil(fmax(a[1], b[1]) + reach), clip[1]), clip[1] + clip[3]);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            double cover = 0.5 * thickness + 0.5 - distance_to_segment(x + 0.5, y + 0.5, a, b);
            if (cover > 0) mix(pixel(canvas, x, y), colour, fmin(cover, 1));
        }
}

void mpno_canvas_polyline(mpno_canvas *canvas, const double *points, int n, double thickness,
                          mpno_rgb colour, const int clip[4]) {
    int left = at_least(clip[0], 0), top = at_least(clip[1], 0);
    int inside[4] = {left, top, at_most(clip[0] + clip[2], canvas->width) - left,
                     at_most(clip[1] + clip[3], canvas->height) - top};
    for (int i = 0; i + 1 < n; i++) {
        const double *a = points + 2 * i, *b = a + 2;
        if (isfinite(a[0]) && isfinite(a[1]) && isfinite(b[0]) && isfinite(b[1]))
            segment(canvas, a, b, thickness, colour, inside);
    }
}
