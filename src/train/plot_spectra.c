/* SPDX-License-Identifier: MIT
 * Mean radial spectra of samples as a chart. See plot.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "report/chart.h"
#include "report/png.h"
#include "train/plot.h"
#include "train/spectrum.h"

enum { MOST_LINES = 5 };

/* One line: a field, or a time of one. */
typedef struct line {
    char name[48];
    double *power; /* [n_shells], owned */
} line;

typedef struct spectra {
    mpno_ctx *ctx;
    mpno_spectrum spectrum;
    double *values, *error; /* owned: one field [grid..][channels] */
    double *shells;         /* owned: [n_shells][channels] */
    double *wave;           /* owned: [n_shells] */
    line lines[MOST_LINES];
    int n_lines;
} spectra;

static int64_t points_of(const mpno_view *v) {
    int64_t points = 1;
    for (int d = 0; d < v->ndim; d++) points *= v->size[d];
    return points;
}

static bool same_grid(const mpno_view *a, const mpno_view *b) {
    return a->ndim == b->ndim && a->channels == b->channels &&
           memcmp(a->size, b->size, (size_t)a->ndim * sizeof *a->size) == 0;
}

/* One time of a field as [grid..][channels]. */
static void gather(const mpno_plot_field *f, int64_t time, double *out) {
    const mpno_view *v = &f->view;
    const int64_t points = points_of(v);
    for (int64_t i = 0; i < points; i++) {
        int64_t at = time * f->time_stride, rest = i;
        for (int d = v->ndim - 1; d >= 0; d--) {
            at += rest % v->size[d] * v->stride[d];
            rest /= v->size[d];
        }
        for (int64_t c = 0; c < v->channels; c++) {
            const int64_t k = at + c * v->channel_stride;
            out[i * v->channels + c] = mpno_real_at(v->format, v->data, k);
        }
    }
}

/* Adds `weight` times the mean over the channels of what stands in `values`. */
static void add_power(const spectra *s, const double *values, double weight, double *power) {
    const size_t n = s->spectrum.n_shells, channels = (size_t)s->spectrum.channels;
    memset(s->shells, 0, n * channels * sizeof *s->shells);
    mpno_spectrum_transform(&s->spectrum, MPNO_F64, values);
    mpno_spectrum_add(&s->spectrum, s->shells);
    for (size_t k = 0; k < n; k++)
        for (size_t c = 0; c < channels; c++)
            power[k] += weight * s->shells[k * channels + c] / (double)channels;
}

static int64_t time_of(const mpno_plot_field *f, int k, int n_lines) {
    return n_lines > 1 ? k * (f->times - 1) / (n_lines - 1) : 0;
}

/* Truth, prediction and error, means over the times too. */
static void add_predicted(const spectra *s, const mpno_plot_sample *sample, double weight) {
    const int64_t values = points_of(&sample->truth.view) * sample->truth.view.channels;
    const int64_t times = sample->truth.times;
    for (int64_t t = 0; t < times; t++) {
        gather(&sample->truth, t, s->error);
        add_power(s, s->error, weight / (double)times, s->lines[0].power);
        gather(&sample->prediction, t, s->values);
        add_power(s, s->values, weight / (double)times, s->lines[1].power);
        for (int64_t i = 0; i < values; i++) s->error[i] = s->values[i] - s->error[i];
        add_power(s, s->error, weight / (double)times, s->lines[2].power);
    }
}

/* The output, at some of its times where it has them, and an input on the same grid. */
static void add_plain(const spectra *s, const mpno_plot_sample *sample, double weight) {
    const mpno_plot_field *f = &sample->prediction;
    const int n = f->times > 1 ? s->n_lines : 1;
    for (int k = 0; k < n; k++) {
        gather(f, time_of(f, k, n), s->values);
        add_power(s, s->values, weight, s->lines[k].power);
    }
    if (s->n_lines == n) return;
    gather(&sample->input, 0, s->values);
    add_power(s, s->values, weight, s->lines[n].power);
}

static void name_lines(spectra *s, const mpno_plot_source *source, const mpno_plot_sample *sample) {
    static const char *const predicted[] = {"truth", "prediction", "error"};
    const mpno_plot_field *f = &sample->prediction;
    const size_t room = sizeof s->lines[0].name;
    if (source->predicted) {
        for (int k = 0; k < 3; k++) snprintf(s->lines[k].name, room, "%s", predicted[k]);
        s->n_lines = 3;
    } else if (f->times > 1) {
        s->n_lines = f->times < 4 ? (int)f->times : 4;
        for (int k = 0; k < s->n_lines; k++) {
            const int64_t t = time_of(f, k, s->n_lines);
            if (source->time.step > 0)
                snprintf(s->lines[k].name, room, "t = %.4g",
                         source->time.low + (double)t * source->time.step);
            else
                snprintf(s->lines[k].name, room, "time %lld", (long long)t);
        }
    } else {
        snprintf(s->lines[s->n_lines++].name, room, "%.40s", source->output_name);
        if (sample->input.view.data && sample->input.times == 1 &&
            same_grid(&sample->input.view, &f->view))
            snprintf(s->lines[s->n_lines++].name, room, "%.40s", source->input_name);
    }
}

static mpno_status open_spectra(spectra *s, const mpno_plot_sample *sample) {
    const mpno_view *v = &sample->prediction.view;
    const size_t channels = (size_t)v->channels, values = (size_t)points_of(v) * channels;
    MPNO_TRY(mpno_spectrum_create(s->ctx, v->ndim, v->size, 1, v->channels, &s->spectrum));
    const size_t n = s->spectrum.n_shells;
    MPNO_TRY(mpno_alloc_array(s->ctx, values, sizeof *s->values, &s->values));
    MPNO_TRY(mpno_alloc_array(s->ctx, values, sizeof *s->error, &s->error));
    MPNO_TRY(mpno_alloc_array(s->ctx, n * channels, sizeof *s->shells, &s->shells));
    MPNO_TRY(mpno_alloc_array(s->ctx, n, sizeof *s->wave, &s->wave));
    for (size_t k = 0; k < n; k++) s->wave[k] = (double)k;
    for (int k = 0; k < s->n_lines; k++)
        MPNO_TRY(mpno_alloc_array(s->ctx, n, sizeof(double), &s->lines[k].power));
    return MPNO_OK;
}

static void close_spectra(spectra *s) {
    mpno_spectrum_destroy(&s->spectrum);
    mpno_free(s->ctx, s->values);
    mpno_free(s->ctx, s->error);
    mpno_free(s->ctx, s->shells);
    mpno_free(s->ctx, s->wave);
    for (int k = 0; k < MOST_LINES; k++) mpno_free(s->ctx, s->lines[k].power);
}

static mpno_status add_samples(spectra *s, const mpno_plot_job *job) {
    const int64_t n = job->n_samples > 0 ? job->n_samples : job->source->n;
    for (int64_t i = 0; i < n; i++) {
        mpno_plot_sample sample;
        MPNO_TRY(
            job->source->fetch(job->source, job->n_samples > 0 ? job->samples[i] : i, &sample));
        if (i == 0) {
            name_lines(s, job->source, &sample);
            MPNO_TRY(open_spectra(s, &sample));
        }
        if (job->source->predicted)
            add_predicted(s, &sample, 1 / (double)n);
        else
            add_plain(s, &sample, 1 / (double)n);
    }
    return MPNO_OK;
}

/* Leaves out what is nothing but rounding of f32 data: below 1e-16 of the largest power. */
static void cut_noise(spectra *s) {
    double largest = 0;
    for (int k = 0; k < s->n_lines; k++)
        for (size_t i = 0; i < s->spectrum.n_shells; i++)
            largest = fmax(largest, s->lines[k].power[i]);
    for (int k = 0; k < s->n_lines; k++)
        for (size_t i = 0; i < s->spectrum.n_shells; i++)
            if (s->lines[k].power[i] < 1e-16 * largest) s->lines[k].power[i] = NAN;
}

static mpno_status draw(const spectra *s, mpno_plot_job *job, mpno_text *out) {
    char title[256];
    const int64_t n = job->n_samples > 0 ? job->n_samples : job->source->n;
    const size_t shells = s->spectrum.n_shells;
    mpno_chart_series series[MOST_LINES];
    mpno_canvas canvas;
    snprintf(title, sizeof title, "Radial spectrum, %.120s, %lld sample%s", job->source->title,
             (long long)n, n == 1 ? "" : "s");
    for (int k = 0; k < s->n_lines; k++)
        series[k] =
            (mpno_chart_series){s->lines[k].name, s->wave + 1, s->lines[k].power + 1,
                                shells - 1,       k,           job->source->predicted && k == 1};
    const mpno_chart chart = {.title = title,
                              .x_label = "wave number |k|",
                              .y_label = "mean square of the waves in a shell",
                              .log_x = true,
                              .log_y = true,
                              .series = series,
                              .n_series = (size_t)s->n_lines};
    MPNO_TRY(mpno_chart_draw(s->ctx, &chart, &canvas));
    job->width = canvas.width;
    job->height = canvas.height;
    mpno_status status = mpno_png_encode(s->ctx, canvas.width, canvas.height, canvas.rgb, out);
    mpno_canvas_destroy(s->ctx, &canvas);
    return status;
}

mpno_status mpno_plot_spectra(mpno_plot_job *job, mpno_text *out) {
    spectra s = {.ctx = job->source->ctx, .spectrum = {.ctx = job->source->ctx}};
    mpno_status status = add_samples(&s, job);
    job->frames = 1;
    if (status == MPNO_OK) {
        cut_noise(&s);
        status = draw(&s, job, out);
    }
    close_spectra(&s);
    return status;
}
