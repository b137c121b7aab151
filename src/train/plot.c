/* SPDX-License-Identifier: MIT
 * mpno_plot: which samples of which file are drawn, and into what. See mpno/plot.h. */
#include "train/plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/readers.h"
#include "train/sink.h"

enum { PATH_CAPACITY = 4096 };

/* -------- data files -------- */

static mpno_status fetch(mpno_plot_source *s, int64_t sample, mpno_plot_sample *out) {
    *out = (mpno_plot_sample){.input = {.times = 1}};
    if (s->input.ctx) MPNO_TRY(mpno_plot_tensor_field(&s->input, sample, &out->input));
    MPNO_TRY(
        mpno_plot_tensor_field(&s->output, sample, s->predicted ? &out->truth : &out->prediction));
    return s->predicted ? mpno_plot_tensor_field(&s->prediction, sample, &out->prediction)
                        : MPNO_OK;
}

static void close_files(mpno_plot_source *s) {
    mpno_plot_tensor_close(&s->input);
    mpno_plot_tensor_close(&s->output);
    mpno_plot_tensor_close(&s->prediction);
}

/* "x,y" in two at the comma outside of brackets; "y" alone: no input. */
static void split_key(const char *key, char input[MPNO_PLOT_KEY], char output[MPNO_PLOT_KEY]) {
    const char *comma = NULL;
    int depth = 0;
    for (const char *at = key; *at && !comma; at++) {
        depth += (*at == '[') - (*at == ']');
        if (*at == ',' && depth == 0) comma = at;
    }
    input[0] = '\0';
    if (comma) snprintf(input, MPNO_PLOT_KEY, "%.*s", (int)(comma - key), key);
    snprintf(output, MPNO_PLOT_KEY, "%s", comma ? comma + 1 : key);
}

static bool is_drawable(const mpno_named_tensor *t) {
    return t->ndim >= 1;
}

/* x and y, PDEBench's nu and tensor, or the only tensor; of predictions y. */
static mpno_status find_keys(mpno_ctx *ctx, const char *path, const mpno_tensor_file *list,
                             char input[MPNO_PLOT_KEY], char output[MPNO_PLOT_KEY]) {
    static const char *const pairs[][2] = {{"x", "y"}, {"nu", "tensor"}};
    char names[400] = "";
    size_t n = 0, only = 0;
    input[0] = '\0';
    for (int i = 0; i < 2; i++) {
        if (!mpno_tensor_file_find(list, pairs[i][1])) continue;
        snprintf(output, MPNO_PLOT_KEY, "%s", pairs[i][1]);
        if (mpno_tensor_file_find(list, pairs[i][0]))
            snprintf(input, MPNO_PLOT_KEY, "%s", pairs[i][0]);
        return MPNO_OK;
    }
    for (size_t i = 0; i < list->n; i++) {
        const size_t used = strlen(names);
        if (!is_drawable(&list->tensors[i])) continue;
        only = i;
        if (n++ < 8)
            snprintf(names + used, sizeof names - used, "%s%.40s", used ? ", " : "",
                     list->tensors[i].name);
    }
    MPNO_CHECK(ctx, n > 0, MPNO_E_FORMAT, "%s holds no field to draw", path);
    MPNO_CHECK(ctx, n == 1, MPNO_E_CONFIG,
               "%s holds no tensors 'x', 'y': choose one of %s%s with --key", path, names,
               n > 8 ? ", .." : "");
    snprintf(output, MPNO_PLOT_KEY, "%s", list->tensors[only].name);
    return MPNO_OK;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static mpno_status open_prediction(mpno_plot_source *s, const mpno_plot_opts *opts) {
    char input[MPNO_PLOT_KEY], output[MPNO_PLOT_KEY];
    mpno_tensor_file *list;
    const mpno_plot_tensor_opts how = {
        .axes = opts->axes, .animate = opts->animate, .input = s->input.ctx ? &s->input : NULL};
    MPNO_TRY(mpno_tensor_file_list(s->ctx, opts->prediction, NULL, &list));
    mpno_status status = find_keys(s->ctx, opts->prediction, list, input, output);
    if (status == MPNO_OK)
        status =
            mpno_plot_tensor_open(s->ctx, opts->prediction, list, output, &how, &s->prediction);
    mpno_tensor_file_destroy(s->ctx, &list);
    return status;
}

/* Fields of the first sample: a prediction is of the truth's shape. */
static mpno_status check_prediction(mpno_plot_source *s, const char *path, const char *prediction) {
    mpno_plot_sample sample;
    char shapes[2][200];
    MPNO_TRY(fetch(s, 0, &sample));
    const mpno_plot_field *a = &sample.truth, *b = &sample.prediction;
    bool same = s->output.n <= s->prediction.n && a->view.ndim == b->view.ndim &&
                a->times == b->times && a->view.channels == b->view.channels;
    for (int d = 0; d < a->view.ndim && same; d++) same = a->view.size[d] == b->view.size[d];
    if (same) return MPNO_OK;
    return mpno_fail(
        s->ctx, MPNO_E_SHAPE,
        "'%s' of %s has shape %s and '%s' of %s has shape %s: a prediction has as many samples, "
        "channels and points as the truth",
        s->output.key, path,
        mpno_shape_text((int)strlen(s->output.letters), s->output.shape, shapes[0], 200),
        s->prediction.key, prediction,
        mpno_shape_text((int)strlen(s->prediction.letters), s->prediction.shape, shapes[1], 200));
}

/* An input of axes known by their number has the grid of the output, with channels or without. */
static mpno_status match_input(mpno_plot_source *s, const char *path,
                               const mpno_tensor_file *list) {
    char axes[8] = "n", key[MPNO_PLOT_KEY], grid[4] = "";
    int n_grid = 0;
    for (const char *letter = "xyz"; *letter; letter++)
        if (strchr(s->output.letters, *letter)) grid[n_grid++] = *letter;
    const int n_axes = (int)strlen(s->input.letters);
    if (s->input.named || n_grid == 0 || (n_axes != n_grid + 1 && n_axes != n_grid + 2))
        return MPNO_OK;
    if (n_axes == n_grid + 2) strcat(axes, "c");
    strcat(axes, grid);
    snprintf(key, sizeof key, "%s", s->input.key);
    const mpno_plot_tensor_opts how = {.axes = axes};
    mpno_plot_tensor_close(&s->input);
    return mpno_plot_tensor_open(s->ctx, path, list, key, &how, &s->input);
}

static mpno_status open_tensors(mpno_plot_source *s, const char *path, const mpno_tensor_file *list,
                                const mpno_plot_opts *opts) {
    char input[MPNO_PLOT_KEY], output[MPNO_PLOT_KEY];
    mpno_plot_tensor_opts how = {.axes = opts->axes, .animate = opts->animate};
    if (opts->key)
        split_key(opts->key, input, output);
    else
        MPNO_TRY(find_keys(s->ctx, path, list, input, output));
    if (*input) { /* axes that are given are those of the output; the input may have no times */
        const mpno_plot_tensor_opts plain = {.axes = NULL};
        MPNO_TRY(mpno_plot_tensor_open(s->ctx, path, list, input, &plain, &s->input));
        how.input = &s->input;
    }
    MPNO_TRY(mpno_plot_tensor_open(s->ctx, path, list, output, &how, &s->output));
    if (*input) MPNO_TRY(match_input(s, path, list));
    s->n = s->output.n;
    MPNO_CHECK(s->ctx, !*input || s->input.n >= s->n, MPNO_E_SHAPE,
               "%s: '%s' has %lld samples and '%s' has %lld", path, input, (long long)s->input.n,
               output, (long long)s->n);
    if (!opts->prediction) return MPNO_OK;
    s->predicted = true;
    MPNO_TRY(open_prediction(s, opts));
    return check_prediction(s, path, opts->prediction);
}

static mpno_status open_files(mpno_ctx *ctx, const char *path, const mpno_plot_opts *opts,
                              mpno_plot_source *out) {
    mpno_tensor_file *list;
    *out = (mpno_plot_source){.ctx = ctx, .fetch = fetch, .close = close_files};
    MPNO_TRY(mpno_tensor_file_list(ctx, path, NULL, &list));
    mpno_status status = open_tensors(out, path, list, opts);
    mpno_tensor_file_destroy(ctx, &list);
    if (status != MPNO_OK) {
        close_files(out);
        return status;
    }
    snprintf(out->title, sizeof out->title, "%.120s", base_name(path));
    if (out->input.ctx)
        snprintf(out->input_name, sizeof out->input_name, "%.90s",
                 *out->input.key ? out->input.key : "input");
    snprintf(out->output_name, sizeof out->output_name, "%.90s",
             out->predicted     ? ""
             : *out->output.key ? out->output.key
                                : "field");
    memcpy(out->axes, out->output.axes, sizeof out->axes);
    out->time = out->output.time;
    if (!*out->time.name) snprintf(out->time.name, sizeof out->time.name, "t");
    return MPNO_OK;
}

/* -------- requests -------- */

static mpno_status fail_samples(const mpno_plot_job *job, const char *text) {
    return mpno_fail(
        job->source->ctx, MPNO_E_CONFIG,
        "the samples '%s' are not numbers from 0 to %lld such as 0,3,7 or 2:5, at most "
        "%d of them",
        text, (long long)job->source->n - 1, MPNO_PLOT_MOST_SAMPLES);
}

/* "0,3,7", "2:5" (5 excluded) into the job. */
static mpno_status read_samples(mpno_plot_job *job, const char *text) {
    const char *at = text;
    for (;;) {
        char *end;
        const long long first = strtoll(at, &end, 10);
        long long stop = first + 1;
        if (end == at || first < 0) return fail_samples(job, text);
        at = end;
        if (*at == ':') {
            stop = strtoll(at + 1, &end, 10);
            if (end == at + 1) return fail_samples(job, text);
            at = end;
        }
        if (stop <= first || stop > job->source->n) return fail_samples(job, text);
        for (long long i = first; i < stop; i++) {
            if (job->n_samples == MPNO_PLOT_MOST_SAMPLES) return fail_samples(job, text);
            job->samples[job->n_samples++] = i;
        }
        if (*at == '\0') return MPNO_OK;
        if (*at++ != ',') return fail_samples(job, text);
    }
}

/* FILE's name with .png, in the current folder. */
static void default_output(const char *file, char *out, size_t capacity) {
    char name[PATH_CAPACITY];
    snprintf(name, sizeof name, "%s", file);
    size_t n = strlen(name);
    while (n > 1 && name[n - 1] == '/') name[--n] = '\0';
    const char *base = base_name(name), *dot = strrchr(base, '.');
    const size_t length = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    snprintf(out, capacity, "%.*s.png", (int)length, base);
}

static mpno_status check(mpno_ctx *ctx, const mpno_plot_opts *opts, const char *output) {
    const size_t n = strlen(output);
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_plot_opts has size %zu, expected %zu; start from MPNO_PLOT_OPTS_INIT",
               opts->size, sizeof *opts);
    MPNO_CHECK(ctx, n > 4 && strcmp(output + n - 4, ".png") == 0, MPNO_E_CONFIG,
               "the output %s would be a PNG picture under another name; let it end in .png",
               output);
    const char *map = opts->colormap ? opts->colormap : "";
    MPNO_CHECK(ctx, !strcmp(map, "auto") || !strcmp(map, "sequential") || !strcmp(map, "diverging"),
               MPNO_E_CONFIG, "there is no colour map '%s': choose auto, sequential or diverging",
               map);
    MPNO_CHECK(ctx, opts->rollout >= 0 || opts->rollout == MPNO_EVAL_WHOLE, MPNO_E_CONFIG,
               "a roll-out has 1 step or more, not %lld", (long long)opts->rollout);
    MPNO_CHECK(ctx, !opts->spectrum || !opts->animate, MPNO_E_CONFIG,
               "spectra are not animated: give one of --spectrum and --animate");
    return MPNO_OK;
}

static mpno_status open_source(mpno_ctx *ctx, const char *file, const mpno_config *overrides,
                               const mpno_plot_opts *opts, mpno_plot_source *out) {
    bool model;
    MPNO_TRY(mpno_plot_is_model(ctx, file, &model));
    if (model) {
        const bool asked = opts->prediction || opts->key || opts->axes;
        MPNO_CHECK(ctx, !asked, MPNO_E_CONFIG,
                   "%s is a trained model: its test data are named by data.test, data.x_key and "
                   "data.y_key, not by a second file, --key or --axes",
                   file);
        MPNO_CHECK(ctx, !opts->animate || opts->rollout != 0, MPNO_E_CONFIG,
                   "%s is a trained model: what moves are the steps of a roll-out; give --rollout",
                   file);
        return mpno_plot_open_model(ctx, file, overrides, opts->rollout, out);
    }
    MPNO_CHECK(ctx, opts->rollout == 0, MPNO_E_CONFIG,
               "%s is a data file: a roll-out needs a trained model", file);
    for (int i = 0; overrides && i < mpno_config_n_keys(); i++)
        MPNO_CHECK(ctx,
                   !mpno_config_touched(overrides, mpno_config_key(i).name) ||
                       strcmp(mpno_config_key(i).name, "n_threads") == 0,
                   MPNO_E_CONFIG, "%s is a data file: the key %s has no meaning for its picture",
                   file, mpno_config_key(i).name);
    return open_files(ctx, file, opts, out);
}

/* -------- the picture -------- */

static mpno_status put_report(const mpno_plot_job *job, const char *output, mpno_value *map) {
    mpno_ctx *ctx = job->source->ctx;
    mpno_value *list;
    MPNO_TRY(mpno_value_set_string(ctx, map, "output", output));
    MPNO_TRY(mpno_value_set_int(ctx, map, "width", job->width));
    MPNO_TRY(mpno_value_set_int(ctx, map, "height", job->height));
    MPNO_TRY(mpno_value_set_int(ctx, map, "frames", job->frames));
    MPNO_TRY(mpno_value_set_list(ctx, map, "samples", &list));
    for (int i = 0; i < job->n_samples; i++)
        MPNO_TRY(mpno_value_append_int(ctx, list, job->samples[i]));
    return MPNO_OK;
}

static mpno_status draw(mpno_plot_job *job, const char *output, const mpno_sink *sink,
                        char **json) {
    mpno_ctx *ctx = job->source->ctx;
    const mpno_plot_opts *opts = job->opts;
    mpno_text png = {.ctx = ctx};
    mpno_value *map = NULL;
    if (opts->samples)
        MPNO_TRY(read_samples(job, opts->samples));
    else if (!opts->spectrum)
        job->n_samples = 1; /* the first */
    mpno_status status =
        opts->spectrum ? mpno_plot_spectra(job, &png) : mpno_plot_fields(job, &png);
    if (status == MPNO_OK) status = mpno_file_write_atomic(ctx, output, png.data, png.size);
    if (status == MPNO_OK) status = mpno_value_map(ctx, &map);
    if (status == MPNO_OK) status = put_report(job, output, map);
    if (status == MPNO_OK) {
        mpno_say(sink, "%s: %d x %d pixels", output, job->width, job->height);
        mpno_say(sink, job->frames > 1 ? ", %d frames\n" : "\n", job->frames);
    }
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    mpno_text_discard(&png);
    return status;
}

mpno_status mpno_plot(mpno_ctx *ctx, const char *file, const char *output, mpno_config *overrides,
                      const mpno_plot_opts *opts, const mpno_sink *sink, char **json) {
    static const mpno_plot_opts defaults = MPNO_PLOT_OPTS_INIT;
    static const size_t most = PATH_CAPACITY - 8;
    char path[PATH_CAPACITY];
    mpno_plot_source source;
    if (json) *json = NULL;
    if (!opts) opts = &defaults;
    MPNO_CHECK(ctx, strlen(file) < most && (!output || strlen(output) < most), MPNO_E_ARGUMENT,
               "the path is too long");
    default_output(file, path, sizeof path);
    if (output) snprintf(path, sizeof path, "%s", output);
    MPNO_TRY(check(ctx, opts, path));
    const int n_threads = ctx->n_threads;
    mpno_override_threads(ctx, overrides);
    mpno_status status = open_source(ctx, file, overrides, opts, &source);
    if (status == MPNO_OK) {
        mpno_plot_job job = {.source = &source, .opts = opts};
        status = draw(&job, path, sink, json);
        source.close(&source);
    }
    ctx->n_threads = n_threads;
    return status;
}
