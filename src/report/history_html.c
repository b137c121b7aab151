/* SPDX-License-Identifier: MIT
 * A history as charts and as a table. Columns are taken as they come: a number that a later version
 * logs has its chart and its column without a line here. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "report/chart.h"
#include "report/history.h"
#include "report/human.h"
#include "report/table.h"

enum { MAX_MARKS = 16, MAX_ERRORS = 64, NAME_CAPACITY = 128 };

/* Columns whose meaning is known. */
static const struct known {
    const char *name, *title, *unit;
    double scale;
    bool logarithmic, shown;
} known[] = {{"epoch", "", "", 1, false, false},
             {"phase", "", "", 1, false, false},
             {"train_loss", "Training loss", "mean over samples", 1, true, true},
             {"learning_rate", "Learning rate", "", 1, false, true},
             {"loss_scale", "Loss scale", "", 1, true, true},
             {"skipped_steps", "Skipped steps", "so far", 1, false, true},
             {"gradient_norm", "Gradient norm", "mean over steps", 1, true, true},
             {"clipped_steps", "Clipped steps", "of this epoch", 1, false, true},
             {"seconds", "Time", "seconds per epoch", 1, false, true},
             {"bytes", "Memory held", "MiB", 1.0 / 1048576, false, true}};

static struct known known_of(const char *name) {
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0) return known[i];
    return (struct known){name, name, "", 1, false, true};
}

/* "test/16/l2", "validation/h1": errors share one chart. */
static bool is_error(const char *name) {
    return strncmp(name, "test/", 5) == 0 || strncmp(name, "validation/", 11) == 0;
}

/* "train/16": the training loss by resolution, where there are several. */
static bool is_loss(const char *name) {
    return strcmp(name, "train_loss") == 0 || strncmp(name, "train/", 6) == 0;
}

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Where a policy begins, if there is more than one. */
static size_t find_marks(const mpno_history *h, mpno_chart_mark *marks) {
    const double *epoch = mpno_history_column(h, "epoch");
    size_t n = 1;
    marks[0] = (mpno_chart_mark){epoch[0], h->policies[0]};
    for (size_t i = 1; i < h->n_epochs && n < MAX_MARKS; i++)
        if (strcmp(h->policies[i], h->policies[i - 1]) != 0)
            marks[n++] = (mpno_chart_mark){epoch[i] - 0.5, h->policies[i]};
    return n > 1 ? n : 0;
}

static bool varies(const double *values, size_t n) {
    double first = NAN;
    for (size_t i = 0; i < n; i++) {
        if (isnan(first)) first = values[i];
        if (isfinite(values[i]) && values[i] != first) return true;
    }
    return false;
}

static mpno_status draw(const mpno_history *h, const char *title, const char *unit,
                        bool logarithmic, const mpno_chart_series *series, size_t n,
                        mpno_text *out) {
    mpno_chart_mark marks[MAX_MARKS];
    const mpno_chart chart = {.title = title,
                              .x_label = "epoch",
                              .y_label = unit,
                              .log_y = logarithmic,
                              .whole_x = true,
                              .series = series,
                              .n_series = n,
                              .marks = marks,
                              .n_marks = find_marks(h, marks)};
    return mpno_chart_html(&chart, out);
}

/* One colour for each set, L2 whole and H1 dashed. */
static mpno_status errors_chart(const mpno_history *h, const double *epoch, mpno_text *out) {
    mpno_chart_series series[MAX_ERRORS];
    char names[MAX_ERRORS][NAME_CAPACITY], set[NAME_CAPACITY] = "";
    size_t n = 0;
    int colour = -1;
    for (size_t i = 0; i < h->n_columns && n < MAX_ERRORS; i++) {
        const char *name = h->names[i], *kind = strrchr(name, '/');
        const bool h1 = ends_with(name, "/h1");
        if (!is_error(name) || (!h1 && !ends_with(name, "/l2"))) continue;
        const int length = (int)(kind - name);
        if (strlen(set) != (size_t)length || strncmp(set, name, (size_t)length) != 0) colour++;
        snprintf(set, sizeof set, "%.*s", length, name);
        snprintf(names[n], NAME_CAPACITY, "%.100s %s", set, h1 ? "H1" : "L2");
        char *slash = strchr(names[n], '/');
        if (slash) *slash = ' ';
        series[n] = (mpno_chart_series){names[n],    epoch,  h->values + i * h->n_epochs,
                                        h->n_epochs, colour, h1};
        n++;
    }
    return n ? draw(h, "Relative errors", "", true, series, n, out) : MPNO_OK;
}

/* Of all samples and, in other colours, of each resolution. */
static mpno_status loss_chart(const mpno_history *h, const double *epoch, mpno_text *out) {
    const struct known k = known_of("train_loss");
    const double *all = mpno_history_column(h, "train_loss");
    mpno_chart_series series[MAX_ERRORS];
    size_t n = 0;
    if (!all) return MPNO_OK;
    series[n++] = (mpno_chart_series){k.title, epoch, all, h->n_epochs, 0, false};
    for (size_t i = 0; i < h->n_columns && n < MAX_ERRORS; i++) {
        const char *name = h->names[i];
        if (!is_loss(name) || strcmp(name, "train_loss") == 0) continue;
        series[n] = (mpno_chart_series){name + strlen("train/"),
                                        epoch,
                                        h->values + i * h->n_epochs,
                                        h->n_epochs,
                                        (int)n,
                                        false};
        n++;
    }
    return draw(h, k.title, k.unit, k.logarithmic, series, n, out);
}

static mpno_status column_chart(const mpno_history *h, const double *epoch, const char *name,
                                mpno_text *out) {
    const struct known k = known_of(name);
    const double *values = mpno_history_column(h, name);
    double *scaled = NULL;
    MPNO_TRY(mpno_alloc_array(h->ctx, h->n_epochs, sizeof *scaled, &scaled));
    for (size_t i = 0; i < h->n_epochs; i++) scaled[i] = values[i] * k.scale;
    const mpno_chart_series series = {k.title, epoch, scaled, h->n_epochs, 0, false};
    mpno_status status = draw(h, k.title, k.unit, k.logarithmic, &series, 1, out);
    mpno_free(h->ctx, scaled);
    return status;
}

mpno_status mpno_history_charts(const mpno_history *h, mpno_text *out) {
    const double *epoch = mpno_history_column(h, "epoch");
    MPNO_CHECK(h->ctx, epoch != NULL, MPNO_E_FORMAT,
               "the epochs of the run's log have no number; is it a log of this program?");
    MPNO_TRY(mpno_text_add(out, "<div class=\"charts\">\n"));
    MPNO_TRY(loss_chart(h, epoch, out));
    MPNO_TRY(errors_chart(h, epoch, out));
    for (size_t i = 0; i < h->n_columns; i++) {
        const char *name = h->names[i];
        if (!known_of(name).shown || is_error(name) || is_loss(name)) continue;
        if (!varies(h->values + i * h->n_epochs, h->n_epochs)) continue;
        MPNO_TRY(column_chart(h, epoch, name, out));
    }
    return mpno_text_add(out, "</div>\n");
}

static mpno_status add_cell(mpno_table *table, const char *name, double value) {
    char human[MPNO_HUMAN_CAPACITY];
    if (isnan(value)) return mpno_table_cell(table, "%s", "");
    if (strcmp(name, "bytes") == 0)
        return mpno_table_cell(table, "%s", mpno_human_bytes((uint64_t)fmax(value, 0), human));
    if (strcmp(name, "seconds") == 0)
        return mpno_table_cell(table, "%s", mpno_human_seconds(value, human));
    if (value == floor(value) && fabs(value) < 1e9) return mpno_table_cell(table, "%.0f", value);
    return mpno_table_cell(table, "%.4g", value);
}

/* The epoch, the policy, then all other columns. */
static mpno_status fill_table(const mpno_history *h, mpno_table *table) {
    const size_t first = 1; /* the epoch is the first number of an epoch's event */
    MPNO_TRY(mpno_table_column(table, h->names[0], MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "policy", MPNO_LEFT));
    for (size_t c = first; c < h->n_columns; c++) {
        char heading[NAME_CAPACITY];
        snprintf(heading, sizeof heading, "%s", h->names[c]);
        for (char *p = heading; *p; p++)
            if (*p == '/' || *p == '_') *p = ' ';
        MPNO_TRY(mpno_table_column(table, heading, MPNO_RIGHT));
    }
    for (size_t e = 0; e < h->n_epochs; e++) {
        MPNO_TRY(add_cell(table, h->names[0], h->values[e]));
        MPNO_TRY(mpno_table_cell(table, "%s", h->policies[e]));
        for (size_t c = first; c < h->n_columns; c++)
            MPNO_TRY(add_cell(table, h->names[c], h->values[c * h->n_epochs + e]));
    }
    return MPNO_OK;
}

mpno_status mpno_history_table(const mpno_history *h, mpno_text *out) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(h->ctx, &table));
    mpno_status status = fill_table(h, table);
    if (status == MPNO_OK) status = mpno_table_text(table, MPNO_TABLE_HTML, out);
    mpno_table_destroy(&table);
    return status;
}
