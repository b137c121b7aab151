/* SPDX-License-Identifier: MIT
 * Bars with whiskers: see bars.h. */
#include "report/bars.h"

#include <math.h>
#include <stdio.h>

#include "report/chart.h"
#include "report/figure.h"
#include "report/font.h"

enum {
    SCALE = 2,
    LINE = (MPNO_FONT_ROWS + 1) * SCALE,
    GAP = 8,
    WIDTH = 460, /* of the longest bar */
    THICK = 18,
    STEP = THICK + 8
};

typedef struct place {
    int x, y; /* upper left corner of the plot */
    mpno_axis axis;
} place;

static int along(const place *p, double value) {
    const double at = mpno_axis_place(&p->axis, value);
    return p->x + (int)lround((at < 0 ? 0 : at > 1 ? 1 : at) * WIDTH);
}

static void draw_grid(const mpno_bars *b, const place *p, mpno_canvas *canvas) {
    const int height = (int)b->n * STEP;
    for (int k = 0; k < p->axis.n; k++) {
        const int x = along(p, p->axis.at[k]);
        mpno_canvas_fill(canvas, x, p->y, 1, height, MPNO_GRID);
        mpno_figure_centred(canvas, x, p->y + height + GAP, SCALE, MPNO_PALE_INK, p->axis.label[k]);
    }
    mpno_figure_centred(canvas, p->x + WIDTH / 2, p->y + height + GAP + LINE, SCALE, MPNO_PALE_INK,
                        b->unit);
}

static void value_text(const mpno_bar *bar, char *out, size_t capacity) {
    if (isfinite(bar->value) && bar->deviation > 0)
        snprintf(out, capacity, "%.4g (sd %.2g)", bar->value, bar->deviation);
    else if (isfinite(bar->value))
        snprintf(out, capacity, "%.4g", bar->value);
    else
        snprintf(out, capacity, "%s", bar->note != NULL ? bar->note : "none");
}

static void draw_bar(const mpno_bar *bar, const place *p, int y, mpno_canvas *canvas) {
    char text[64];
    const int top = y + (STEP - THICK) / 2, middle = y + STEP / 2;
    const int letters = middle - MPNO_FONT_ASCENT * SCALE / 2;
    int end = p->x;
    mpno_canvas_text(canvas, p->x - GAP - mpno_font_width(bar->name, SCALE), letters, SCALE,
                     MPNO_INK, bar->name);
    if (isfinite(bar->value)) {
        end = along(p, bar->value + bar->deviation);
        mpno_canvas_fill(canvas, p->x, top, along(p, bar->value) - p->x, THICK,
                         mpno_chart_colour(bar->colour));
        if (bar->deviation > 0) {
            const int low = along(p, bar->value - bar->deviation);
            mpno_canvas_fill(canvas, low, middle - 1, end - low, 2, MPNO_INK);
            mpno_canvas_fill(canvas, low, middle - 5, 2, 10, MPNO_INK);
            mpno_canvas_fill(canvas, end, middle - 5, 2, 10, MPNO_INK);
        }
    }
    value_text(bar, text, sizeof text);
    mpno_canvas_text(canvas, end + 2 * GAP, letters, SCALE, MPNO_INK, text);
}

mpno_status mpno_bars_draw(mpno_ctx *ctx, const mpno_bars *b, mpno_canvas *out) {
    place p = {.y = MPNO_FIGURE_MARGIN + LINE + GAP};
    int names = 0, values = 0;
    double most = 0;
    *out = (mpno_canvas){0};
    for (size_t i = 0; i < b->n; i++) {
        char text[64];
        const int name = mpno_font_width(b->bars[i].name, SCALE);
        value_text(&b->bars[i], text, sizeof text);
        const int value = mpno_font_width(text, SCALE);
        if (name > names) names = name;
        if (value > values) values = value;
        if (b->bars[i].value + b->bars[i].deviation > most)
            most = b->bars[i].value + b->bars[i].deviation;
    }
    mpno_axis_make(0, most > 0 ? most : 1, 6, &p.axis);
    p.x = MPNO_FIGURE_MARGIN + names + GAP;
    const int title = MPNO_FIGURE_MARGIN + mpno_font_width(b->title, SCALE),
              content = p.x + WIDTH + 3 * GAP + values;
    MPNO_TRY(mpno_canvas_create(ctx, (title > content ? title : content) + MPNO_FIGURE_MARGIN,
                                p.y + (int)b->n * STEP + GAP + 2 * LINE + MPNO_FIGURE_MARGIN, out));
    mpno_canvas_text(out, MPNO_FIGURE_MARGIN, MPNO_FIGURE_MARGIN, SCALE, MPNO_INK, b->title);
    draw_grid(b, &p, out);
    for (size_t i = 0; i < b->n; i++) draw_bar(&b->bars[i], &p, p.y + (int)i * STEP, out);
    mpno_canvas_fill(out, p.x, p.y, 1, (int)b->n * STEP, MPNO_FRAME);
    return MPNO_OK;
}
