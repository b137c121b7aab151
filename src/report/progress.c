/* SPDX-License-Identifier: MIT
 * A line is a list of parts in order of importance; parts that do not fit the width are left out
 * whole, and the bar takes the columns that remain. The last column stays free: many terminals wrap
 * when it is written. */
#include "report/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/human.h"

#define MAX_WIDTH 240
#define MAX_BYTES (MAX_WIDTH * 3 + 64) /* a block character takes three bytes */
#define LEAST_BAR 8
#define MOST_BAR 30

struct line {
    char text[MAX_BYTES];
    size_t n;
    int columns, limit;
};

/* Adds a part of ASCII text, two spaces before it, when it fits. */
static void add_part(struct line *line, const char *part) {
    int gap = line->n ? 2 : 0, columns = (int)strlen(part);
    if (columns == 0 || line->columns + gap + columns > line->limit) return;
    line->n +=
        (size_t)snprintf(line->text + line->n, sizeof line->text - line->n, "%*s%s", gap, "", part);
    line->columns += gap + columns;
}

static void add_numbers(struct line *line, const mpno_progress_state *state, bool running) {
    char part[96], human[MPNO_HUMAN_CAPACITY];
    snprintf(part, sizeof part, "loss %.4g", state->loss);
    add_part(line, part);
    if (running && state->eta_seconds >= 0) {
        snprintf(part, sizeof part, "%s left", mpno_human_seconds(state->eta_seconds, human));
        add_part(line, part);
    }
    if (state->samples_per_second > 0) {
        snprintf(part, sizeof part, /* never with an exponent */
                 state->samples_per_second < 1000 ? "%.4g samples/s" : "%.0f samples/s",
                 state->samples_per_second);
        add_part(line, part);
    }
    if (state->bytes > 0) add_part(line, mpno_human_bytes(state->bytes, human));
    if (state->policy) {
        snprintf(part, sizeof part, "%.60s", state->policy);
        add_part(line, part);
    }
    if (state->loss_scale > 1) {
        snprintf(part, sizeof part, "scale %.6g", state->loss_scale);
        add_part(line, part);
    }
}

static void bar(double done, int columns, bool unicode, char *out, size_t capacity) {
    static const char *const eighths[] = {" ",      "\u258f", "\u258e", "\u258d",
                                          "\u258c", "\u258b", "\u258a", "\u2589"};
    int parts = unicode ? 8 : 1;
    int filled = (int)(done * columns * parts);
    size_t n = 0;
    for (int i = 0; i < columns; i++) {
        int here = filled - i * parts;
        const char *cell = here >= parts ? unicode ? "\u2588" : "#"
                           : here > 0    ? eighths[here]
                           : unicode     ? " "
                                         : "-";
        n += (size_t)snprintf(out + n, capacity - n, "%s", cell);
    }
}

static double share(int64_t part, int64_t whole) {
    double t = whole > 0 ? (double)part / (double)whole : 0;
    return fmin(fmax(t, 0), 1);
}

static int digits_of(int64_t n) {
    return snprintf(NULL, 0, "%lld", (long long)n);
}

static void epoch_name(const mpno_progress_state *state, char *out, size_t capacity) {
    snprintf(out, capacity, "epoch %*lld/%lld", digits_of(state->n_epochs),
             (long long)state->epoch + 1, (long long)state->n_epochs);
}

static void running_line(const mpno_progress *progress, const mpno_progress_state *state,
                         struct line *line) {
    char head[64], percent[8], cells[MOST_BAR * 3 + 1];
    double done = share(state->step, state->n_steps);
    epoch_name(state, head, sizeof head);
    snprintf(percent, sizeof percent, "%3d%%", (int)(100 * done));
    add_part(line, head);
    add_part(line, percent);
    struct line numbers = {.limit = line->limit - line->columns - 2};
    add_numbers(&numbers, state, true);
    int columns = numbers.limit - numbers.columns - 3; /* a space and two brackets */
    if (columns > MOST_BAR) columns = MOST_BAR;
    if (columns >= LEAST_BAR) {
        bar(done, columns, progress->unicode, cells, sizeof cells);
        line->n +=
            (size_t)snprintf(line->text + line->n, sizeof line->text - line->n, " |%s|", cells);
        line->columns += columns + 3;
    }
    add_part(line, numbers.text);
}

mpno_progress mpno_progress_make(void (*write)(void *user, const char *text), void *user,
                                 bool terminal, bool unicode, int width) {
    return (mpno_progress){.write = write,
                           .user = user,
                           .terminal = terminal,
                           .unicode = unicode,
                           .width = width > 0 ? width : 80,
                           .last_time = -INFINITY};
}

static int line_limit(const mpno_progress *progress) {
    return progress->terminal && progress->width <= MAX_WIDTH ? progress->width - 1 : MAX_WIDTH - 1;
}

/* Rewrites the line: what the old one had more is painted over with spaces. */
static void show(mpno_progress *progress, const struct line *line, const char *end) {
    char text[MAX_BYTES + MAX_WIDTH + 8];
    int over = progress->shown > line->columns ? progress->shown - line->columns : 0;
    snprintf(text, sizeof text, "%s%s%*s%s", progress->terminal ? "\r" : "", line->text, over, "",
             end);
    progress->write(progress->user, text);
    progress->shown = line->columns;
}

void mpno_progress_step(mpno_progress *progress, const mpno_progress_state *state, double now) {
    if (!progress->terminal || now < progress->last_time + MPNO_PROGRESS_INTERVAL) return;
    progress->last_time = now;
    struct line line = {.limit = line_limit(progress)};
    running_line(progress, state, &line);
    show(progress, &line, "");
}

void mpno_progress_epoch(mpno_progress *progress, const mpno_progress_state *state,
                         const char *extra) {
    char head[64];
    struct line line = {.limit = line_limit(progress)};
    epoch_name(state, head, sizeof head);
    add_part(&line, head);
    if (extra) add_part(&line, extra);
    add_numbers(&line, state, false);
    show(progress, &line, "\n");
    progress->shown = 0;
}

void mpno_progress_clear(mpno_progress *progress) {
    if (!progress->terminal || progress->shown == 0) return;
    char text[MAX_WIDTH + 4];
    snprintf(text, sizeof text, "\r%*s\r", progress->shown, "");
    progress->write(progress->user, text);
    progress->shown = 0;
}
