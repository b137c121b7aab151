/* SPDX-License-Identifier: MIT
 * Samples as rows of panels: a row for each sample, channel, time and plane (report/view.h). Lines
 * over time become maps of place and time; fields over time have a row for each of a few times, or
 * a frame for each time. Rows of one sample and channel share their scales. See plot.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "report/apng.h"
#include "report/png.h"
#include "train/plot.h"

enum {
    MOST_CHANNELS = 4,
    MOST_TIMES = 4,
    MOST_FRAMES = 400,
    MOST_ROWS = 256,
    LABEL = 128,
    DELAY = 100 /* ms */
};

/* Samples fetched and kept, since rows and frames go through them again and again. */
typedef struct kept {
    mpno_plot_sample fields;
    void *values; /* owned: copies of the fields */
} kept;

typedef struct figure {
    mpno_plot_job *job;
    mpno_ctx *ctx;
    kept samples[MPNO_PLOT_MOST_SAMPLES];
    int n_samples;
    int64_t times; /* of the outputs */
    mpno_panel_opts opts;
    char title[160], headings[4][112];
    mpno_panel_row rows[MOST_ROWS];
    char labels[MOST_ROWS][LABEL];
    mpno_panel_scales scales[MOST_ROWS];
    int n_rows;
    float *values; /* owned: behind the rows */
} figure;

/* -------- samples -------- */

static int64_t values_of(const mpno_plot_field *f) {
    int64_t values = f->view.channels * f->times;
    for (int d = 0; d < f->view.ndim; d++) values *= f->view.size[d];
    return f->view.data ? values : 0;
}

/* A copy with times first and channels last. */
static mpno_plot_field copy(const mpno_plot_field *f, double **to) {
    const mpno_view *v = &f->view;
    mpno_plot_field out = *f;
    double *at = *to;
    const int64_t points = values_of(f) / (v->channels * f->times);
    for (int64_t t = 0; t < f->times; t++)
        for (int64_t i = 0; i < points; i++) {
            int64_t from = t * f->time_stride, rest = i;
            for (int d = v->ndim - 1; d >= 0; d--) {
                from += rest % v->size[d] * v->stride[d];
                rest /= v->size[d];
            }
            for (int64_t c = 0; c < v->channels; c++) {
                const int64_t k = from + c * v->channel_stride;
                *at++ = mpno_real_at(v->format, v->data, k);
            }
        }
    int64_t stride = v->channels;
    for (int d = v->ndim - 1; d >= 0; d--) {
        out.view.stride[d] = stride;
        stride *= v->size[d];
    }
    out.view.format = MPNO_F64;
    out.view.data = *to;
    out.view.channel_stride = 1;
    out.time_stride = stride;
    *to = at;
    return out;
}

static mpno_status keep(figure *f, const mpno_plot_sample *sample) {
    kept *k = &f->samples[f->n_samples];
    const int64_t n =
        values_of(&sample->input) + values_of(&sample->truth) + values_of(&sample->prediction);
    MPNO_TRY(mpno_alloc_array(f->ctx, (size_t)n, sizeof(double), &k->values));
    f->n_samples++;
    double *to = k->values;
    if (sample->input.view.data) k->fields.input = copy(&sample->input, &to);
    if (sample->truth.view.data) k->fields.truth = copy(&sample->truth, &to);
    k->fields.prediction = copy(&sample->prediction, &to);
    return MPNO_OK;
}

static mpno_status fetch_samples(figure *f) {
    for (int i = 0; i < f->job->n_samples; i++) {
        mpno_plot_sample sample;
        MPNO_TRY(f->job->source->fetch(f->job->source, f->job->samples[i], &sample));
        MPNO_TRY(keep(f, &sample));
        f->times = sample.prediction.times;
    }
    return MPNO_OK;
}

/* -------- rows -------- */

/* The field at a time; one without times is the same at all. */
static mpno_view at_time(const mpno_plot_field *f, int64_t time) {
    mpno_view view = f->view;
    if (view.data && f->times > 1)
        view.data =
            (const double *)view.data + (time < f->times ? time : f->times - 1) * f->time_stride;
    return view;
}

/* A line over time as a map: place down, time to the right. */
static mpno_plot_field spread(const mpno_plot_field *f) {
    mpno_plot_field out = *f;
    if (!f->view.data || f->times == 1 || f->view.ndim != 1) return out;
    out.view.ndim = 2;
    out.view.size[1] = f->times;
    out.view.stride[1] = f->time_stride;
    out.times = 1;
    out.time_stride = 0;
    return out;
}

static void write_label(const figure *f, int64_t sample, int64_t channel, int64_t channels,
                        int64_t time, const mpno_view *view, int plane, char *out) {
    const mpno_plot_source *source = f->job->source;
    const int fixed = mpno_view_fixed(view, plane);
    int n = snprintf(out, LABEL, "sample %lld", (long long)sample);
    if (channels > 1) n += snprintf(out + n, LABEL - (size_t)n, ", channel %d", (int)channel);
    if (time >= 0 && source->time.step > 0)
        n += snprintf(out + n, LABEL - (size_t)n, ", %s = %.4g", source->time.name,
                      source->time.low + (double)time * source->time.step);
    else if (time >= 0)
        n += snprintf(out + n, LABEL - (size_t)n, ", time %lld", (long long)time);
    if (fixed < 0) return;
    const mpno_plot_axis *axis = &source->axes[fixed];
    const int64_t middle = view->size[fixed] / 2;
    snprintf(out + n, LABEL - (size_t)n, ", plane %s = %.3g", axis->name,
             axis->step > 0 ? axis->low + (double)middle * axis->step : (double)middle);
}

/* Rows of one channel of a sample at a time (-1: there are none); `planes` of them. */
static void add_rows(figure *f, int i, int64_t channel, int64_t channels, int64_t time,
                     float **to) {
    const mpno_plot_sample *s = &f->samples[i].fields;
    const int64_t t = time < 0 ? 0 : time;
    const mpno_view input = at_time(&s->input, t), truth = at_time(&s->truth, t),
                    prediction = at_time(&s->prediction, t);
    for (int k = 0; k < mpno_view_planes(&prediction); k++) {
        mpno_panel_row *row = &f->rows[f->n_rows];
        char *label = f->labels[f->n_rows++];
        *row = (mpno_panel_row){.label = label};
        write_label(f, f->job->samples[i], channel, channels, time, &prediction, k, label);
        /* an input without times stands at the first one only */
        const bool again = time > 0 && !f->job->opts->animate && s->input.times == 1;
        if (input.data && !again && (channel < input.channels || input.channels == 1))
            row->input = mpno_view_cut(&input, k, channel < input.channels ? channel : 0, to);
        if (channel < prediction.channels) {
            row->prediction = mpno_view_cut(&prediction, k, channel, to);
            if (truth.data) row->truth = mpno_view_cut(&truth, k, channel, to);
        }
    }
}

static int64_t shown_channels(const mpno_plot_sample *s) {
    const int64_t in = s->input.view.data ? s->input.view.channels : 0;
    const int64_t all = in > s->prediction.view.channels ? in : s->prediction.view.channels;
    return all < MOST_CHANNELS ? all : MOST_CHANNELS;
}

/* All rows at `time`, or, where it is -1, at a few times. */
static void make_rows(figure *f, int64_t time) {
    float *to = f->values;
    const int n_times = time >= 0 || f->times == 1 ? 1
                        : f->times < MOST_TIMES    ? (int)f->times
                                                   : MOST_TIMES;
    f->n_rows = 0;
    for (int i = 0; i < f->n_samples; i++) {
        const int64_t channels = shown_channels(&f->samples[i].fields);
        for (int64_t c = 0; c < channels; c++)
            for (int k = 0; k < n_times; k++) {
                const int64_t few = n_times > 1 ? k * (f->times - 1) / (n_times - 1) : -1;
                add_rows(f, i, c, channels, time >= 0 ? time : few, &to);
            }
    }
}

/* Room for the panels of all rows. */
static mpno_status make_room(figure *f, bool moves) {
    int64_t values = 0, rows = 0;
    const int64_t times = moves || f->times == 1  ? 1
                          : f->times < MOST_TIMES ? f->times
                                                  : MOST_TIMES;
    for (int i = 0; i < f->n_samples; i++)
        rows += shown_channels(&f->samples[i].fields) * times *
                mpno_view_planes(&f->samples[i].fields.prediction.view);
    MPNO_CHECK(f->ctx, rows <= MOST_ROWS, MPNO_E_CONFIG,
               "a picture of %lld rows was asked for, at most %d are drawn: choose fewer samples",
               (long long)rows, MOST_ROWS);
    for (int i = 0; i < f->n_samples; i++) {
        const mpno_plot_sample *s = &f->samples[i].fields;
        const mpno_plot_field *fields[] = {&s->input, &s->truth, &s->prediction};
        for (int k = 0; k < 3; k++)
            for (int p = 0; fields[k]->view.data && p < mpno_view_planes(&fields[k]->view); p++)
                values += mpno_view_points(&fields[k]->view, p);
    }
    return mpno_alloc_array(f->ctx, (size_t)(values * MOST_CHANNELS * MOST_TIMES),
                            sizeof *f->values, &f->values);
}

/* -------- looks -------- */

typedef struct range {
    double low, high;
} range;

static void widen(range *r, const mpno_panel_field *field) {
    for (int64_t i = 0; field->data && i < field->n1 * field->n2; i++) {
        if (!isfinite(field->data[i])) continue;
        r->low = fmin(r->low, field->data[i]);
        r->high = fmax(r->high, field->data[i]);
    }
}

/* Diverging for what goes well beyond zero on both sides, as vorticity does. */
static mpno_colormap choose_map(const figure *f, const range *r) {
    const char *name = f->job->opts->colormap;
    if (strcmp(name, "diverging") == 0) return MPNO_COLORMAP_DIVERGING;
    if (strcmp(name, "sequential") == 0) return MPNO_COLORMAP_SEQUENTIAL;
    return fmin(-r->low, r->high) > 0.2 * fmax(-r->low, r->high) ? MPNO_COLORMAP_DIVERGING
                                                                 : MPNO_COLORMAP_SEQUENTIAL;
}

static void choose_maps(figure *f) {
    range input = {INFINITY, -INFINITY}, output = {INFINITY, -INFINITY};
    for (int i = 0; i < f->n_rows; i++) {
        widen(&input, &f->rows[i].input);
        widen(&output, &f->rows[i].prediction);
        widen(&output, &f->rows[i].truth);
    }
    f->opts.input_colormap = choose_map(f, &input);
    f->opts.colormap = choose_map(f, &output);
}

static void write_heading(const char *name, const char *unit, char *out, size_t capacity) {
    const bool both = *name && unit && *unit;
    snprintf(out, capacity, both ? "%.50s (%.50s)" : "%.50s%.50s", name, unit ? unit : "");
}

static void write_headings(figure *f) {
    const mpno_plot_source *source = f->job->source;
    const char *unit = f->job->opts->unit ? f->job->opts->unit : "";
    const size_t room = sizeof f->headings[0];
    snprintf(f->title, sizeof f->title, "%s", source->title);
    write_heading(source->input_name, NULL, f->headings[0], room);
    if (!source->predicted)
        write_heading(source->output_name, unit, f->headings[2], room);
    else if (!*unit)
        unit = source->output_name;
    static const char *const names[] = {"", "truth", "prediction", "error"};
    for (int k = 1; k < 4 && source->predicted; k++)
        write_heading(names[k], unit, f->headings[k], room);
    f->opts.title = f->title;
    f->opts.input_heading = f->headings[0];
    f->opts.truth_heading = f->headings[1];
    f->opts.prediction_heading = f->headings[2];
    f->opts.error_heading = f->headings[3];
}

static void set_axis(figure *f, int d, const mpno_plot_axis *axis, int64_t points) {
    const double step = axis->step > 0 ? axis->step : 1;
    f->opts.axis_names[d] = axis->name;
    f->opts.axis_low[d] = axis->low;
    f->opts.axis_high[d] = axis->low + (double)points * step;
}

/* Planes of 3-D fields have different axes and go without. */
static void set_axes(figure *f, bool map_of_times) {
    const mpno_plot_source *source = f->job->source;
    const mpno_view *view = &f->samples[0].fields.prediction.view;
    if (view->ndim > 2) return;
    set_axis(f, 0, &source->axes[0], view->size[0]);
    if (view->ndim == 2)
        set_axis(f, 1, map_of_times ? &source->time : &source->axes[1], view->size[1]);
    if (view->ndim == 1) {
        const double step = source->axes[0].step > 0 ? source->axes[0].step : 1;
        f->opts.x_low = source->axes[0].low;
        f->opts.x_high = f->opts.x_low + step * (double)(view->size[0] > 1 ? view->size[0] - 1 : 1);
    }
}

/* Small pictures may be larger on the screen: a single panel 360 pixels, many 200. */
static int panel_pixels(const figure *f) {
    return f->n_rows <= 1 ? 360 : f->n_rows <= 3 ? 280 : 200;
}

/* -------- pictures -------- */

static mpno_status still(figure *f, mpno_text *out) {
    mpno_canvas canvas;
    MPNO_TRY(mpno_picture_panels_draw(f->ctx, &f->opts, f->rows, f->n_rows, &canvas));
    f->job->width = canvas.width;
    f->job->height = canvas.height;
    mpno_status status = mpno_png_encode(f->ctx, canvas.width, canvas.height, canvas.rgb, out);
    mpno_canvas_destroy(f->ctx, &canvas);
    return status;
}

/* Scales of all frames together. */
static void common_scales(figure *f, int64_t stride) {
    for (int i = 0; i < MOST_ROWS; i++)
        f->scales[i] = (mpno_panel_scales){{INFINITY, -INFINITY}, {INFINITY, -INFINITY}, 0};
    for (int64_t t = 0; t < f->times; t += stride) {
        make_rows(f, t);
        for (int i = 0; i < f->n_rows; i++) {
            const mpno_panel_row *row = &f->rows[i];
            mpno_panel_scales *s = &f->scales[i];
            range input = {s->input[0], s->input[1]}, output = {s->solution[0], s->solution[1]};
            widen(&input, &row->input);
            widen(&output, &row->prediction);
            widen(&output, &row->truth);
            s->input[0] = input.low, s->input[1] = input.high;
            s->solution[0] = output.low, s->solution[1] = output.high;
            for (int64_t k = 0; row->truth.data && k < row->truth.n1 * row->truth.n2; k++) {
                const double e = fabs((double)row->prediction.data[k] - row->truth.data[k]);
                if (isfinite(e)) s->error = fmax(s->error, e);
            }
        }
    }
    const int joined = f->opts.joined_rows; /* planes */
    for (int first = 0; first < f->n_rows; first += joined)
        for (int i = first + 1; i < first + joined && i < f->n_rows; i++) {
            mpno_panel_scales *a = &f->scales[first], *b = &f->scales[i];
            a->input[0] = fmin(a->input[0], b->input[0]);
            a->input[1] = fmax(a->input[1], b->input[1]);
            a->solution[0] = fmin(a->solution[0], b->solution[0]);
            a->solution[1] = fmax(a->solution[1], b->solution[1]);
            a->error = fmax(a->error, b->error);
        }
    for (int i = 0; i < f->n_rows; i++) f->scales[i] = f->scales[i - i % joined];
}

static void use_scales(figure *f) {
    for (int i = 0; i < f->n_rows; i++) f->rows[i].scales = &f->scales[i];
}

static mpno_status animate(figure *f, mpno_text *out) {
    const int64_t stride = (f->times + MOST_FRAMES - 1) / MOST_FRAMES;
    mpno_apng apng;
    f->job->frames = (int)((f->times + stride - 1) / stride);
    common_scales(f, stride);
    MPNO_TRY(mpno_apng_begin(f->ctx, f->job->frames, DELAY, out, &apng));
    mpno_status status = MPNO_OK;
    for (int64_t t = 0; t < f->times && status == MPNO_OK; t += stride) {
        mpno_canvas canvas;
        make_rows(f, t);
        use_scales(f);
        status = mpno_picture_panels_draw(f->ctx, &f->opts, f->rows, f->n_rows, &canvas);
        if (status != MPNO_OK) break;
        f->job->width = canvas.width;
        f->job->height = canvas.height;
        status = mpno_apng_add(&apng, &canvas);
        mpno_canvas_destroy(f->ctx, &canvas);
    }
    if (status == MPNO_OK) status = mpno_apng_end(&apng);
    mpno_apng_destroy(&apng);
    return status;
}

static mpno_status draw(figure *f, mpno_text *out) {
    const bool moves = f->job->opts->animate;
    MPNO_TRY(fetch_samples(f));
    const mpno_view *view = &f->samples[0].fields.prediction.view;
    const bool map_of_times = !moves && f->times > 1 && view->ndim == 1;
    MPNO_CHECK(f->ctx, !moves || f->times > 1, MPNO_E_CONFIG,
               "%s has no axis of time to animate: name the axes, with t among them (--axes)",
               f->job->source->title);
    for (int i = 0; i < f->n_samples && map_of_times; i++) {
        mpno_plot_sample *s = &f->samples[i].fields;
        s->truth = spread(&s->truth);
        s->prediction = spread(&s->prediction);
        s->input = spread(&s->input);
    }
    if (map_of_times) f->times = 1;
    for (int i = 0; i < f->n_samples; i++) { /* a line and a map are not drawn together */
        mpno_plot_sample *s = &f->samples[i].fields;
        if ((s->input.view.ndim == 1) != (s->prediction.view.ndim == 1)) s->input.view.data = NULL;
    }
    MPNO_TRY(make_room(f, moves));
    write_headings(f);
    set_axes(f, map_of_times);
    make_rows(f, moves ? 0 : -1);
    choose_maps(f);
    f->opts.panel_pixels = panel_pixels(f);
    const int planes = mpno_view_planes(view);
    f->opts.joined_rows = moves || f->times == 1  ? planes
                          : f->times < MOST_TIMES ? planes * (int)f->times
                                                  : planes * MOST_TIMES;
    f->job->frames = 1;
    return moves ? animate(f, out) : still(f, out);
}

mpno_status mpno_plot_fields(mpno_plot_job *job, mpno_text *out) {
    figure f = {.job = job, .ctx = job->source->ctx, .times = 1, .opts = MPNO_PANEL_OPTS_INIT};
    mpno_status status = draw(&f, out);
    for (int i = 0; i < MPNO_PLOT_MOST_SAMPLES; i++) mpno_free(f.ctx, f.samples[i].values);
    mpno_free(f.ctx, f.values);
    return status;
}
