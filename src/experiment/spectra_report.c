/* SPDX-License-Identifier: MIT
 * Precision errors by frequency in a report: see results.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "experiment/results.h"
#include "report/chart.h"
#include "report/png.h"
#include "report/table.h"

enum { PATH = 4096, MOST_POINTS = 4096, MOST_LINES = 12 };
/* The part of the mean by which errors may change over the kept modes and still be called white. */
static const double white = 0.2;

/* Root mean squares of the shells of a layer: [shell] of one seed. */
static const mpno_value *profile(const mpno_campaign *c, const mpno_row *row, int64_t seed,
                                 const char *layer, const char *what) {
    const mpno_value *result = *mpno_campaign_result(c, row->cell, seed, row->equal_time);
    const mpno_value *of = mpno_value_get(mpno_value_get(result, "spectra"), row->evaluation);
    return mpno_value_get(mpno_value_get(of, layer), what);
}

/* Mean over the shells but 0, which has one mode, real in real data. */
static double mean_of_shells(const mpno_value *noise) {
    double mean = 0;
    for (size_t k = 1; k < noise->n; k++) mean += noise->items[k]->real / (double)(noise->n - 1);
    return mean;
}

/* Points of one profile in parts of its mean, behind the n that are there. */
static size_t add_points(const mpno_value *noise, double *x, double *y, size_t n) {
    for (size_t k = 1; noise != NULL && k < noise->n && n < MOST_POINTS; k++, n++) {
        x[n] = (double)k;
        y[n] = noise->items[k]->real / mean_of_shells(noise);
    }
    return n;
}

/* All seeds together. */
static mpno_trend trend_of(const mpno_campaign *c, const mpno_row *row, const char *layer) {
    double x[MOST_POINTS], y[MOST_POINTS];
    size_t n = 0;
    for (int64_t s = 0; s < c->design->n_seeds; s++)
        n = add_points(profile(c, row, s, layer, "noise"), x, y, n);
    return mpno_trend_of(x, y, n);
}

static mpno_status trend_cell(mpno_table *table, mpno_trend trend) {
    const char *verdict = fabs(trend.change) + trend.half_width <= white ? "white"
                          : trend.change + trend.half_width < 0          ? "falls"
                          : trend.change - trend.half_width > 0          ? "grows"
                                                                         : "unclear";
    return mpno_table_cell(table, "%+.1f %% +- %.1f %%, %s", 100 * trend.change,
                           100 * trend.half_width, verdict);
}

/* Of shell 1 or of the last one: mean over the seeds that have it. */
static double mean_of(const mpno_campaign *c, const mpno_row *row, const char *layer,
                      const char *what, bool last) {
    double values[MPNO_MAX_SEEDS];
    size_t n = 0;
    for (int64_t s = 0; s < c->design->n_seeds; s++) {
        const mpno_value *of = profile(c, row, s, layer, what);
        if (of != NULL && of->n > 1) values[n++] = of->items[last ? of->n - 1 : 1]->real;
    }
    return mpno_spread_of(values, n).mean;
}

static mpno_status fill_row(const mpno_campaign *c, const mpno_row *row, const char *layer,
                            mpno_table *table) {
    for (int a = 0; a < c->design->n_axes; a++)
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_design_label(c->design, row->cell, a)));
    MPNO_TRY(mpno_table_cell(table, "%s", row->evaluation));
    MPNO_TRY(mpno_table_cell(table, "%s", layer));
    for (int last = 0; last < 2; last++)
        MPNO_TRY(mpno_table_cell(table, "%.3g", mean_of(c, row, layer, "noise", last)));
    for (int last = 0; last < 2; last++)
        MPNO_TRY(mpno_table_cell(
            table, "%.3g",
            mean_of(c, row, layer, "noise", last) / mean_of(c, row, layer, "signal", last)));
    return trend_cell(table, trend_of(c, row, layer));
}

/* Rows of one layer after the other, as its results have them. */
static mpno_status fill_table(const mpno_campaign *c, const mpno_row *rows, size_t n_rows,
                              mpno_table *table) {
    static const char *const headings[] = {"first error", "last error", "first relative",
                                           "last relative", "change over the modes, 99 %"};
    for (int a = 0; a < c->design->n_axes; a++)
        MPNO_TRY(mpno_table_column(table, c->design->axes->keys[a], MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "evaluated", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "layer", MPNO_LEFT));
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
        MPNO_TRY(mpno_table_column(table, headings[i], MPNO_RIGHT));
    for (size_t i = 0; i < n_rows; i++) {
        const mpno_value *result = *mpno_campaign_result(c, rows[i].cell, 0, rows[i].equal_time);
        const mpno_value *layers =
            mpno_value_get(mpno_value_get(result, "spectra"), rows[i].evaluation);
        for (size_t k = 0; layers != NULL && k < layers->n; k++)
            MPNO_TRY(fill_row(c, &rows[i], layers->keys[k], table));
    }
    return MPNO_OK;
}

/* Signal (once) and errors of the first block of a cell, of the first seed, from shell 1 on. */
static size_t collect(const mpno_campaign *c, const mpno_row *rows, size_t n_rows, int cell,
                      double *values, mpno_chart_series *series) {
    size_t n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        if (rows[i].cell != cell || rows[i].equal_time) continue;
        for (int signal = n == 0; signal >= 0 && n < MOST_LINES; signal--) {
            const mpno_value *of = profile(c, &rows[i], 0, "block 0", signal ? "signal" : "noise");
            double *x = values + 2 * n * MOST_POINTS, *y = x + MOST_POINTS;
            if (of == NULL || of->n > MOST_POINTS) continue;
            for (size_t k = 1; k < of->n; k++) x[k - 1] = (double)k, y[k - 1] = of->items[k]->real;
            series[n] = (mpno_chart_series){.name = signal ? "signal" : rows[i].evaluation,
                                            .x = x,
                                            .y = y,
                                            .n = of->n - 1,
                                            .colour = (int)n,
                                            .dashed = signal};
            n++;
        }
    }
    return n;
}

static mpno_status draw(const mpno_campaign *c, const mpno_row *rows, size_t n_rows, int cell,
                        const char *name) {
    mpno_chart_series series[MOST_LINES];
    double *values;
    char title[200], path[PATH];
    mpno_canvas canvas = {0};
    MPNO_TRY(
        mpno_alloc_array(c->ctx, (size_t)2 * MOST_LINES * MOST_POINTS, sizeof *values, &values));
    mpno_design_cell_text(c->design, cell, title, sizeof title);
    const mpno_chart chart = {.title = title,
                              .x_label = "wave number",
                              .y_label = "root mean square of a mode before the first weights",
                              .log_y = true,
                              .whole_x = true,
                              .series = series,
                              .n_series = collect(c, rows, n_rows, cell, values, series)};
    mpno_status status = mpno_path_join(c->ctx, c->folder, name, path, sizeof path);
    if (status == MPNO_OK) status = mpno_chart_draw(c->ctx, &chart, &canvas);
    if (status == MPNO_OK)
        status = mpno_png_write(c->ctx, path, canvas.width, canvas.height, canvas.rgb);
    mpno_canvas_destroy(c->ctx, &canvas);
    mpno_free(c->ctx, values);
    return status;
}

/* Rounding of the test set's solutions, of the first seed of each cell: all seeds have the same. */
static mpno_status fill_rounding(const mpno_campaign *c, mpno_table *table) {
    for (int a = 0; a < c->design->n_axes; a++)
        MPNO_TRY(mpno_table_column(table, c->design->axes->keys[a], MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "format", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "mean error", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "over the expected floor", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "change over the modes, 99 %", MPNO_RIGHT));
    for (int cell = 0; cell < c->design->n_cells; cell++) {
        const mpno_value *rounding =
            mpno_value_get(*mpno_campaign_result(c, cell, 0, false), "rounding");
        for (size_t f = 0; rounding != NULL && f < rounding->n; f++) {
            const mpno_value *noise = mpno_value_get(rounding->items[f], "noise");
            const double mean = mean_of_shells(noise),
                         expected = mpno_value_get(rounding->items[f], "floor")->real;
            double x[MOST_POINTS], y[MOST_POINTS];
            const size_t n = add_points(noise, x, y, 0);
            for (int a = 0; a < c->design->n_axes; a++)
                MPNO_TRY(mpno_table_cell(table, "%s", mpno_design_label(c->design, cell, a)));
            MPNO_TRY(mpno_table_cell(table, "%s", rounding->keys[f]));
            MPNO_TRY(mpno_table_cell(table, "%.3g", mean));
            MPNO_TRY(mpno_table_cell(table, "%.2f", mean / expected));
            MPNO_TRY(trend_cell(table, mpno_trend_of(x, y, n)));
        }
    }
    return MPNO_OK;
}

static mpno_status add_rounding(const mpno_campaign *c, mpno_text *page) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_text_add(
        page,
        "\n## Rounding alone, by frequency\n\nSolutions of the test set are rounded to a "
        "format and transformed exactly: the root mean square of what rounding adds to a "
        "mode, over what is expected of every mode (docs/design/modes.md), and its change "
        "over all wave numbers of the grid.\n\n"));
    MPNO_TRY(mpno_table_create(c->ctx, &table));
    mpno_status status = fill_rounding(c, table);
    if (status == MPNO_OK) status = mpno_table_text(table, MPNO_TABLE_MARKDOWN, page);
    mpno_table_destroy(&table);
    return status;
}

mpno_status mpno_spectra_report(const mpno_campaign *c, const mpno_row *rows, size_t n_rows,
                                mpno_text *page) {
    mpno_table *table = NULL;
    MPNO_TRY(add_rounding(c, page));
    MPNO_TRY(mpno_text_add(
        page,
        "\n## Precision errors by frequency\n\nThe spectra that the weights of each block "
        "multiply, against those under full: root mean square of the difference of a value in the "
        "first and in the last shell of wave numbers, the same in parts of the signal, and the "
        "change that a straight line through all shells and seeds has over the kept modes, with "
        "its 99 %% interval. White: within %.0f %%.\n\n",
        100 * white));
    MPNO_TRY(mpno_table_create(c->ctx, &table));
    mpno_status status = fill_table(c, rows, n_rows, table);
    if (status == MPNO_OK) status = mpno_table_text(table, MPNO_TABLE_MARKDOWN, page);
    mpno_table_destroy(&table);
    for (int cell = 0; cell < c->design->n_cells && status == MPNO_OK; cell++) {
        char name[40];
        snprintf(name, sizeof name, "frequency_%d.png", cell);
        status = draw(c, rows, n_rows, cell, name);
        if (status == MPNO_OK)
            status = mpno_text_add(page, "\n![Errors by wave number](%s)\n", name);
    }
    return status;
}
