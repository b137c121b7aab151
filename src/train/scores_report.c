/* SPDX-License-Identifier: MIT
 * See scores_report.h. */
#include "train/scores_report.h"

#include <math.h>
#include <stdio.h>

#include "core/memory.h"
#include "report/chart.h"
#include "report/png.h"

enum {
    MOST_CHANNELS = 8, /* columns of a set in a table */
    MOST_STEPS = 25,   /* rows of a table */
    MOST_SETS = 6      /* lines of a picture */
};

static const char *const field_names[MPNO_N_SCORE_FIELDS] = {"truth", "prediction", "error"};

/* -------- JSON -------- */

static mpno_status put_values(mpno_ctx *ctx, const mpno_scores *s, int64_t step, int64_t channel,
                              mpno_value *map) {
    for (int m = 0; m < MPNO_N_METRICS; m++) {
        const mpno_metric metric = (mpno_metric)m;
        MPNO_TRY(mpno_value_set_real(ctx, map, mpno_metric_name(metric),
                                     mpno_scores_value(s, step, channel, metric)));
    }
    return MPNO_OK;
}

static mpno_status append_map(mpno_ctx *ctx, mpno_value *list, mpno_value **out) {
    MPNO_TRY(mpno_value_map(ctx, out));
    return mpno_value_append(ctx, list, *out);
}

static mpno_status put_spectrum(mpno_ctx *ctx, const mpno_scores *s, int64_t channel,
                                mpno_value *map) {
    mpno_value *spectrum, *list;
    const size_t n = s->spectrum.n_shells;
    MPNO_TRY(mpno_value_set_map(ctx, map, "spectrum", &spectrum));
    MPNO_TRY(mpno_value_set_list(ctx, spectrum, "wave_number", &list));
    for (size_t k = 0; k < n; k++) MPNO_TRY(mpno_value_append_int(ctx, list, (int64_t)k));
    for (int f = 0; f < MPNO_N_SCORE_FIELDS; f++) {
        MPNO_TRY(mpno_value_set_list(ctx, spectrum, field_names[f], &list));
        for (size_t k = 0; k < n; k++)
            MPNO_TRY(mpno_value_append_real(
                ctx, list, mpno_scores_power(s, (mpno_score_field)f, MPNO_SCORES_ALL, channel, k)));
    }
    return MPNO_OK;
}

static mpno_status put_channels(mpno_ctx *ctx, const mpno_scores *s, int64_t step, bool spectra,
                                mpno_value *map) {
    mpno_value *list, *entry;
    if (s->shape.channels == 1) return MPNO_OK;
    MPNO_TRY(mpno_value_set_list(ctx, map, "channels", &list));
    for (int64_t c = 0; c < s->shape.channels; c++) {
        MPNO_TRY(append_map(ctx, list, &entry));
        MPNO_TRY(put_values(ctx, s, step, c, entry));
        if (spectra) MPNO_TRY(put_spectrum(ctx, s, c, entry));
    }
    return MPNO_OK;
}

mpno_status mpno_scores_put(mpno_ctx *ctx, mpno_value *map, const mpno_named_scores *of) {
    const mpno_scores *s = of->scores;
    mpno_value *entry, *list, *step;
    MPNO_TRY(mpno_value_set_map(ctx, map, of->name, &entry));
    MPNO_TRY(mpno_value_set_int(ctx, entry, "samples", s->count[0]));
    MPNO_TRY(put_values(ctx, s, MPNO_SCORES_ALL, MPNO_SCORES_ALL, entry));
    MPNO_TRY(put_channels(ctx, s, MPNO_SCORES_ALL, true, entry));
    if (s->shape.n_steps > 1) {
        MPNO_TRY(mpno_value_set_list(ctx, entry, "steps", &list));
        for (int64_t t = 0; t < s->shape.n_steps; t++) {
            MPNO_TRY(append_map(ctx, list, &step));
            MPNO_TRY(put_values(ctx, s, t, MPNO_SCORES_ALL, step));
            MPNO_TRY(put_channels(ctx, s, t, false, step));
        }
    }
    return put_spectrum(ctx, s, MPNO_SCORES_ALL, entry);
}

/* -------- tables -------- */

static mpno_status add_cell(mpno_table *table, double value) {
    if (!isnan(value)) return mpno_table_cell(table, "%.4g", value);
    return mpno_table_cell(table, "-");
}

static int64_t shown_channels(const mpno_scores *s) {
    const int64_t n = s->shape.channels;
    return n == 1 ? 0 : n < MOST_CHANNELS ? n : MOST_CHANNELS;
}

mpno_status mpno_scores_table(mpno_table *table, const mpno_named_scores *sets, size_t n) {
    char heading[96];
    MPNO_TRY(mpno_table_column(table, "error", MPNO_LEFT));
    for (size_t i = 0; i < n; i++) {
        MPNO_TRY(mpno_table_column(table, sets[i].name, MPNO_RIGHT));
        for (int64_t c = 0; c < shown_channels(sets[i].scores); c++) {
            snprintf(heading, sizeof heading, "channel %d", (int)c);
            MPNO_TRY(mpno_table_column(table, heading, MPNO_RIGHT));
        }
    }
    for (int m = 0; m < MPNO_N_METRICS; m++) {
        const mpno_metric metric = (mpno_metric)m;
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_metric_heading(metric)));
        for (size_t i = 0; i < n; i++) {
            const mpno_scores *s = sets[i].scores;
            for (int64_t c = MPNO_SCORES_ALL; c < shown_channels(s); c++)
                MPNO_TRY(add_cell(table, mpno_scores_value(s, MPNO_SCORES_ALL, c, metric)));
        }
    }
    return MPNO_OK;
}

mpno_status mpno_scores_steps_table(mpno_table *table, const mpno_scores *s) {
    static const mpno_metric shown[] = {MPNO_METRIC_L2,    MPNO_METRIC_H1,  MPNO_METRIC_RMSE,
                                        MPNO_METRIC_NRMSE, MPNO_METRIC_MAX, MPNO_METRIC_CRMSE};
    enum { N_SHOWN = sizeof shown / sizeof *shown };
    MPNO_TRY(mpno_table_column(table, "step", MPNO_RIGHT));
    for (int m = 0; m < N_SHOWN; m++)
        MPNO_TRY(mpno_table_column(table, mpno_metric_heading(shown[m]), MPNO_RIGHT));
    const int64_t n = s->shape.n_steps, rows = n < MOST_STEPS ? n : MOST_STEPS;
    for (int64_t row = 0; row < rows; row++) {
        const int64_t t = rows > 1 ? row * (n - 1) / (rows - 1) : 0;
        MPNO_TRY(mpno_table_cell(table, "%lld", (long long)t + 1));
        for (int m = 0; m < N_SHOWN; m++)
            MPNO_TRY(add_cell(table, mpno_scores_value(s, t, MPNO_SCORES_ALL, shown[m])));
    }
    return MPNO_OK;
}

/* -------- a picture -------- */

/* Of set i the line of one metric; x and y have room for its steps. */
static mpno_chart_series series_of(const mpno_named_scores *of, size_t i, bool slopes, char *name,
                                   size_t capacity, double *x, double *y) {
    const int64_t steps = of->scores->shape.n_steps;
    const mpno_metric metric = slopes ? MPNO_METRIC_H1 : MPNO_METRIC_L2;
    snprintf(name, capacity, "%s at %.40s", mpno_metric_heading(metric), of->name);
    for (int64_t t = 0; t < steps; t++) {
        x[t] = (double)t + 1;
        y[t] = mpno_scores_value(of->scores, t, MPNO_SCORES_ALL, metric);
    }
    return (mpno_chart_series){name, x, y, (size_t)steps, (int)i, slopes};
}

static mpno_status draw(mpno_ctx *ctx, const mpno_named_scores *sets, size_t n, double *values,
                        mpno_text *out) {
    char names[2 * MOST_SETS][80];
    mpno_chart_series series[2 * MOST_SETS];
    size_t n_series = 0;
    for (size_t i = 0; i < n; i++)
        for (int slopes = 0; slopes < 2; slopes++) {
            const int64_t steps = sets[i].scores->shape.n_steps;
            series[n_series] = series_of(&sets[i], i, slopes, names[n_series], sizeof names[0],
                                         values, values + steps);
            values += 2 * steps;
            n_series++;
        }
    const mpno_chart chart = {.title = "Errors of a roll-out",
                              .x_label = "step",
                              .y_label = "relative error, mean over trajectories and channels",
                              .log_y = true,
                              .whole_x = true,
                              .series = series,
                              .n_series = n_series};
    mpno_canvas canvas;
    MPNO_TRY(mpno_chart_draw(ctx, &chart, &canvas));
    mpno_status status = mpno_png_encode(ctx, canvas.width, canvas.height, canvas.rgb, out);
    mpno_canvas_destroy(ctx, &canvas);
    return status;
}

mpno_status mpno_scores_picture(mpno_ctx *ctx, const mpno_named_scores *sets, size_t n,
                                mpno_text *out) {
    int64_t steps = 0;
    double *values;
    if (n > MOST_SETS) n = MOST_SETS;
    for (size_t i = 0; i < n; i++) steps += sets[i].scores->shape.n_steps;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(4 * steps), sizeof *values, &values));
    mpno_status status = draw(ctx, sets, n, values, out);
    mpno_free(ctx, values);
    return status;
}

/* -------- CSV -------- */

static mpno_status add_number(mpno_text *out, double value) {
    char text[MPNO_REAL_TEXT];
    if (!isfinite(value)) return mpno_text_add(out, ",");
    mpno_real_text(value, text);
    return mpno_text_add(out, ",%s", text);
}

/* "16,all,0": steps count from 1, as in tables, channels from 0, as in data files. */
static mpno_status add_place(mpno_text *out, const char *name, int64_t step, int64_t channel) {
    MPNO_TRY(mpno_text_add(out, "%s,", name));
    MPNO_TRY(step == MPNO_SCORES_ALL ? mpno_text_add(out, "all,")
                                     : mpno_text_add(out, "%lld,", (long long)step + 1));
    return channel == MPNO_SCORES_ALL ? mpno_text_add(out, "all")
                                      : mpno_text_add(out, "%lld", (long long)channel);
}

/* What is said of each step and channel of a set. */
typedef mpno_status (*line_writer)(mpno_text *out, const mpno_named_scores *of, int64_t step,
                                   int64_t channel);

static mpno_status add_values(mpno_text *out, const mpno_named_scores *of, int64_t step,
                              int64_t channel) {
    MPNO_TRY(add_place(out, of->name, step, channel));
    MPNO_TRY(mpno_text_add(out, ",%lld", (long long)of->scores->count[0]));
    for (int m = 0; m < MPNO_N_METRICS; m++)
        MPNO_TRY(add_number(out, mpno_scores_value(of->scores, step, channel, (mpno_metric)m)));
    return mpno_text_add(out, "\n");
}

static mpno_status add_shells(mpno_text *out, const mpno_named_scores *of, int64_t step,
                              int64_t channel) {
    for (size_t k = 0; k < of->scores->spectrum.n_shells; k++) {
        MPNO_TRY(add_place(out, of->name, step, channel));
        MPNO_TRY(mpno_text_add(out, ",%zu", k));
        for (int f = 0; f < MPNO_N_SCORE_FIELDS; f++)
            MPNO_TRY(add_number(
                out, mpno_scores_power(of->scores, (mpno_score_field)f, step, channel, k)));
        MPNO_TRY(mpno_text_add(out, "\n"));
    }
    return MPNO_OK;
}

static mpno_status add_places(mpno_text *out, const mpno_named_scores *sets, size_t n,
                              line_writer add) {
    for (size_t i = 0; i < n; i++) {
        const mpno_scores_shape *shape = &sets[i].scores->shape;
        const int64_t steps = shape->n_steps > 1 ? shape->n_steps : 0;
        const int64_t channels = shape->channels > 1 ? shape->channels : 0;
        for (int64_t t = MPNO_SCORES_ALL; t < steps; t++)
            for (int64_t c = MPNO_SCORES_ALL; c < channels; c++) MPNO_TRY(add(out, &sets[i], t, c));
    }
    return MPNO_OK;
}

mpno_status mpno_scores_csv(mpno_text *out, const mpno_named_scores *sets, size_t n) {
    MPNO_TRY(mpno_text_add(out, "test,step,channel,samples"));
    for (int m = 0; m < MPNO_N_METRICS; m++)
        MPNO_TRY(mpno_text_add(out, ",%s", mpno_metric_name((mpno_metric)m)));
    MPNO_TRY(mpno_text_add(out, "\n"));
    return add_places(out, sets, n, add_values);
}

mpno_status mpno_spectra_csv(mpno_text *out, const mpno_named_scores *sets, size_t n) {
    MPNO_TRY(mpno_text_add(out, "test,step,channel,wave_number,truth,prediction,error\n"));
    return add_places(out, sets, n, add_shells);
}
