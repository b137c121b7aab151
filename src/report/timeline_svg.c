/* SPDX-License-Identifier: MIT
 * The plan of memory as a picture: see timeline.h. Colours follow light and dark mode. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/human.h"
#include "report/svg.h"
#include "report/timeline.h"

enum {
    WIDTH = 1200,
    LEFT = 78,
    RIGHT = 20,
    TOP = 74,
    HEIGHT = 460, /* of the arena */
    TIMES = 70,   /* of the bars of time below it */
    BOTTOM = 46
};

static const char *const classes[MPNO_BLOCK_KINDS] = {"kept", "passing", "gradient", "scratch"};
static const char *const names[MPNO_BLOCK_KINDS] = {"kept for the backward pass", "other tensors",
                                                    "gradients", "scratch"};

static const char style[] =
    "<style>text{font:12px system-ui,sans-serif;fill:#1d2329}.ground{fill:#fff}.pale{fill:#5b6670}"
    ".title{font-size:15px;font-weight:600}.small{font-size:10.5px}.block{stroke:#fff;stroke-width:"
    ".6}"
    ".kept{fill:#0072b2}.passing{fill:#56b4e9}.gradient{fill:#e69f00}.scratch{fill:#b4bcc3}"
    ".on.kept{fill:#fff}.on{fill:#1d2329}.line{stroke:#c9ced3}.strong{stroke:#1d2329}"
    ".peak{fill:#d55e00}.band{fill:#d55e00;fill-opacity:.16}.time{fill:#009e73}\n"
    "@media(prefers-color-scheme:dark){text{fill:#e8ebed}.ground{fill:#14181c}.pale{fill:#a3adb5}"
    ".block{stroke:#14181c}.line{stroke:#3a434b}.strong{stroke:#e8ebed}.on{fill:#14181c}"
    ".peak{fill:#ff9a52}.band{fill:#ff9a52;fill-opacity:.2}}</style>\n";

typedef struct frame {
    const mpno_timeline *t;
    mpno_text *out;
    double step_width, top_bytes; /* bytes at the upper end of the axis */
} frame;

static double x_of(const frame *f, double step) {
    return LEFT + step * f->step_width;
}

static double y_of(const frame *f, double bytes) {
    return TOP + HEIGHT * (1 - bytes / f->top_bytes);
}

static mpno_status rectangle(mpno_text *out, const char *class, double x, double y, double width,
                             double height) {
    MPNO_TRY(mpno_text_add(out, "<rect class=\"%s\"", class));
    MPNO_TRY(mpno_svg_attribute(out, "x", x));
    MPNO_TRY(mpno_svg_attribute(out, "y", y));
    MPNO_TRY(mpno_svg_attribute(out, "width", width));
    return mpno_svg_attribute(out, "height", height);
}

/* anchor: start, middle, end */
static mpno_status words(mpno_text *out, const char *class, const char *anchor, double x, double y,
                         const char *text) {
    MPNO_TRY(mpno_text_add(out, "<text class=\"%s\" text-anchor=\"%s\"", class, anchor));
    MPNO_TRY(mpno_svg_attribute(out, "x", x));
    MPNO_TRY(mpno_svg_attribute(out, "y", y));
    MPNO_TRY(mpno_text_add(out, ">"));
    MPNO_TRY(mpno_text_add_html(out, text));
    return mpno_text_add(out, "</text>\n");
}

/* A round number of bytes, so that four to eight of them fill the axis. */
static double tick_bytes(double bytes) {
    double tick = 1;
    while (bytes / tick > 8) tick *= 2;
    return tick;
}

static mpno_status draw_axes(const frame *f) {
    char text[MPNO_HUMAN_CAPACITY];
    const double right = WIDTH - RIGHT, tick = tick_bytes(f->top_bytes);
    for (double b = 0; b <= f->top_bytes; b += tick) {
        MPNO_TRY(mpno_svg_line(f->out, "line", LEFT - 4, y_of(f, b), right, y_of(f, b)));
        MPNO_TRY(words(f->out, "pale", "end", LEFT - 8, y_of(f, b) + 4,
                       mpno_human_bytes((uint64_t)b, text)));
    }
    const int every = (int)ceil(34 / f->step_width);
    for (int s = 0; s < f->t->n_steps; s += every) {
        snprintf(text, sizeof text, "%d", s + 1);
        MPNO_TRY(words(f->out, "pale small", "middle", x_of(f, s + 0.5), TOP + HEIGHT + 14, text));
    }
    return MPNO_OK;
}

/* What the pointer sees when it rests there. */
static mpno_status add_hint(mpno_text *out, const mpno_block *b) {
    char bytes[MPNO_HUMAN_CAPACITY];
    MPNO_TRY(mpno_text_add(out, "><title>"));
    MPNO_TRY(mpno_text_add_html(out, b->name));
    MPNO_TRY(mpno_text_add(out, ", %s%s%s, steps %d to %d", mpno_human_bytes(b->bytes, bytes),
                           b->format ? " " : "", b->format ? b->format : "", b->first + 1,
                           b->last + 1));
    return mpno_text_add(out, "</title></rect>\n");
}

/* The name where there is room, cut to it. */
static mpno_status label(const frame *f, const mpno_block *b, double width, double height) {
    char text[sizeof b->name];
    const int letters = (int)(width / 6.2) - 1;
    if (letters < 6 || height < 13) return MPNO_OK;
    snprintf(text, sizeof text, "%.*s", letters, b->name);
    const double middle =
        0.5 * (y_of(f, (double)b->offset) + y_of(f, (double)(b->offset + b->bytes)));
    MPNO_TRY(mpno_text_add(f->out, "<text class=\"small on%s\"",
                           b->kind == MPNO_BLOCK_KEPT ? " kept" : ""));
    MPNO_TRY(mpno_svg_attribute(f->out, "x", x_of(f, b->first) + 5));
    MPNO_TRY(mpno_svg_attribute(f->out, "y", middle + 4));
    MPNO_TRY(mpno_text_add(f->out, ">"));
    MPNO_TRY(mpno_text_add_html(f->out, text));
    return mpno_text_add(f->out, "</text>\n");
}

static mpno_status draw_block(const frame *f, const mpno_block *b) {
    char class[32];
    const double x = x_of(f, b->first), width = x_of(f, b->last + 1) - x;
    const double y = y_of(f, (double)(b->offset + b->bytes));
    const double height = y_of(f, (double)b->offset) - y;
    if (height < 0.3) return MPNO_OK; /* nothing to be seen */
    snprintf(class, sizeof class, "block %s", classes[b->kind]);
    MPNO_TRY(rectangle(f->out, class, x, y, width, height));
    MPNO_TRY(add_hint(f->out, b));
    return label(f, b, width, height);
}

static mpno_status draw_peak(const frame *f) {
    const int peak = mpno_timeline_peak(f->t);
    char bytes[MPNO_HUMAN_CAPACITY], text[96];
    if (peak < 0) return MPNO_OK;
    const size_t most = f->t->steps[peak].live_bytes;
    snprintf(text, sizeof text, "peak %s, step %d", mpno_human_bytes(most, bytes), peak + 1);
    MPNO_TRY(rectangle(f->out, "band", x_of(f, peak), TOP - 6, f->step_width, HEIGHT + 6));
    MPNO_TRY(mpno_text_add(f->out, "/>\n"));
    const bool late = 2 * peak > f->t->n_steps;
    return words(f->out, "peak", late ? "end" : "start", x_of(f, peak + (late ? 1 : 0)), TOP - 10,
                 text);
}

/* Estimated time of each step. */
static mpno_status draw_times(const frame *f) {
    const double base = TOP + HEIGHT + 30 + TIMES;
    char text[MPNO_HUMAN_CAPACITY];
    double most = 0;
    for (int s = 0; s < f->t->n_steps; s++) most = fmax(most, f->t->steps[s].seconds);
    if (!(most > 0)) return MPNO_OK;
    for (int s = 0; s < f->t->n_steps; s++) {
        const double height = TIMES * f->t->steps[s].seconds / most;
        MPNO_TRY(rectangle(f->out, "time", x_of(f, s + 0.1), base - height, 0.8 * f->step_width,
                           height));
        MPNO_TRY(mpno_text_add(f->out, "><title>step %d, ", s + 1));
        MPNO_TRY(mpno_text_add_html(f->out, f->t->steps[s].layer));
        MPNO_TRY(mpno_text_add(f->out, ": "));
        MPNO_TRY(mpno_text_add_html(f->out, f->t->steps[s].ops));
        MPNO_TRY(mpno_text_add(f->out, ", %s</title></rect>\n",
                               mpno_human_seconds(f->t->steps[s].seconds, text)));
    }
    MPNO_TRY(mpno_svg_line(f->out, "line", LEFT, base, WIDTH - RIGHT, base));
    MPNO_TRY(
        words(f->out, "pale", "end", LEFT - 8, base - TIMES + 9, mpno_human_seconds(most, text)));
    return words(f->out, "pale", "end", LEFT - 8, base, "time");
}

/* Where the backward pass begins. */
static mpno_status draw_passes(const frame *f) {
    int first = 0;
    while (first < f->t->n_steps && !f->t->steps[first].backward) first++;
    const double low = TOP + HEIGHT;
    MPNO_TRY(words(f->out, "pale", "start", LEFT, low + 28, "steps: forward"));
    if (first == f->t->n_steps) return MPNO_OK;
    MPNO_TRY(
        mpno_svg_line(f->out, "strong", x_of(f, first), TOP - 6, x_of(f, first), low + 30 + TIMES));
    return words(f->out, "pale", "start", x_of(f, first) + 6, low + 28, "backward");
}

static mpno_status draw_heading(const frame *f) {
    char text[200], arena[MPNO_HUMAN_CAPACITY], bound[MPNO_HUMAN_CAPACITY];
    double x = LEFT;
    snprintf(text, sizeof text, "%.100s: %s (no placement could take less than %s)", f->t->title,
             mpno_human_bytes(f->t->arena_bytes, arena),
             mpno_human_bytes(f->t->bound_bytes, bound));
    MPNO_TRY(words(f->out, "title", "start", LEFT, 24, text));
    for (int kind = 0; kind < MPNO_BLOCK_KINDS; kind++) {
        MPNO_TRY(rectangle(f->out, classes[kind], x, 37, 12, 12));
        MPNO_TRY(mpno_text_add(f->out, "/>\n"));
        MPNO_TRY(words(f->out, "", "start", x + 18, 47, names[kind]));
        x += 36 + 6.6 * (double)strlen(names[kind]);
    }
    return MPNO_OK;
}

mpno_status mpno_timeline_svg(const mpno_timeline *t, mpno_text *out) {
    const int height = TOP + HEIGHT + 30 + TIMES + BOTTOM;
    const frame f = {
        .t = t,
        .out = out,
        .step_width = (double)(WIDTH - LEFT - RIGHT) / (t->n_steps > 0 ? t->n_steps : 1),
        .top_bytes = t->arena_bytes > 0 ? 1.02 * (double)t->arena_bytes : 1};
    MPNO_TRY(mpno_text_add(out,
                           "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                           "width=\"%d\" height=\"%d\">\n",
                           WIDTH, height, WIDTH, height));
    MPNO_TRY(mpno_text_add_bytes(out, style, sizeof style - 1));
    MPNO_TRY(
        mpno_text_add(out, "<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", WIDTH, height));
    MPNO_TRY(draw_heading(&f));
    MPNO_TRY(draw_axes(&f));
    for (int i = 0; i < t->n_blocks; i++) MPNO_TRY(draw_block(&f, &t->blocks[i]));
    MPNO_TRY(draw_passes(&f));
    MPNO_TRY(draw_times(&f));
    MPNO_TRY(draw_peak(&f));
    return mpno_text_add(out, "</svg>\n");
}
