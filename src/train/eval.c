/* SPDX-License-Identifier: MIT
 * mpno_eval: errors of a trained model on test data. See mpno/run.h. */
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "mpno/run.h"
#include "train/published.h"
#include "train/restore.h"
#include "train/forecast.h"
#include "train/scores_report.h"
#include "train/tolerance.h"
#include "train/sink.h"
#include "train/trainer.h"

/* One evaluation: a score for each test file. */
typedef struct job {
    mpno_ctx *ctx;
    const mpno_restored *restored;
    const mpno_eval_opts *opts;
    const mpno_sink *sink;
    mpno_sets sets;           /* none of a roll-out */
    mpno_scores *scores;      /* owned: [n] */
    mpno_named_scores *named; /* owned: the same with names */
    char (*names)[64];        /* owned: [n], of roll-outs */
    size_t n;
    mpno_table *table;
    mpno_value *map;
} job;

/* Of predictions with several steps in their channels, each step has scores of its own. */
static mpno_status open_scores(const job *j, const mpno_dataset *data, int64_t steps,
                               mpno_scores *out) {
    const mpno_predictor_opts opts = mpno_restored_opts(j->restored);
    mpno_scores_shape shape = {.format = data->format,
                               .ndim = data->ndim,
                               .planes = data->planes,
                               .channels = mpno_trajectory_channels(data),
                               .n_steps = steps};
    for (int d = 0; d < data->ndim; d++) shape.grid[d] = data->out_grid[d];
    return mpno_scores_create(j->ctx, &shape, &opts.norms, out);
}

/* -------- test sets -------- */

/* The fields of step `step` of predictions and truths [n][points][channels], into rooms for them.
 */
static void take_step(const mpno_dataset *data, int64_t n, int64_t step, const void *from,
                      void *to) {
    const size_t bytes = mpno_format_bytes(data->format);
    const size_t row = (size_t)data->out_channels * bytes,
                 fields = (size_t)mpno_trajectory_channels(data) * bytes;
    for (int64_t i = 0; i < n * data->out_points; i++)
        memcpy((char *)to + (size_t)i * fields,
               (const char *)from + (size_t)i * row + (size_t)step * fields, fields);
}

static mpno_status add_batch(const job *j, const mpno_dataset *data, int64_t n,
                             const void *prediction, const void *truth, mpno_scores *scores) {
    if (data->out_steps == 1) return mpno_scores_add(scores, 0, n, prediction, truth);
    const size_t bytes = (size_t)(n * data->out_points * mpno_trajectory_channels(data)) *
                         mpno_format_bytes(data->format);
    void *parts[2] = {NULL, NULL};
    mpno_status status = mpno_alloc_raw(j->ctx, bytes, &parts[0]);
    if (status == MPNO_OK) status = mpno_alloc_raw(j->ctx, bytes, &parts[1]);
    for (int64_t t = 0; t < data->out_steps && status == MPNO_OK; t++) {
        take_step(data, n, t, prediction, parts[0]);
        take_step(data, n, t, truth, parts[1]);
        status = mpno_scores_add(scores, t, n, parts[0], parts[1]);
    }
    mpno_free(j->ctx, parts[0]);
    mpno_free(j->ctx, parts[1]);
    return status;
}

static mpno_status score(const job *j, const mpno_set *set, mpno_scores *scores) {
    const mpno_dataset *data = set->data;
    const mpno_predictor_opts opts = mpno_restored_opts(j->restored);
    const int64_t values = data->out_points * data->out_channels;
    mpno_predictor predictor;
    MPNO_TRY(open_scores(j, data, data->out_steps, scores));
    MPNO_TRY(mpno_predictor_create(j->restored->model, j->ctx, data, set->n, &opts, &predictor));
    mpno_status status = MPNO_OK;
    for (int64_t i = 0; i < set->n && status == MPNO_OK; i += predictor.opts.batch) {
        const int64_t left = set->n - i;
        const int64_t batch = left < predictor.opts.batch ? left : predictor.opts.batch;
        status = mpno_predictor_run(&predictor, set->first + i, batch);
        if (status != MPNO_OK) break;
        status = add_batch(j, data, batch, predictor.y,
                           mpno_sample(data->y, data->format, values, set->first + i), scores);
    }
    mpno_predictor_destroy(&predictor);
    return status;
}

static mpno_status score_sets(job *j) {
    const mpno_checkpoint *c = j->restored->checkpoint;
    MPNO_TRY(mpno_sets_read_tests(j->ctx, &c->settings, &c->state, &j->sets));
    for (size_t i = 0; i < j->n; i++) {
        j->named[i] = (mpno_named_scores){j->sets.tests[i].key, &j->scores[i]};
        MPNO_TRY(score(j, &j->sets.tests[i], &j->scores[i]));
    }
    return MPNO_OK;
}

/* -------- roll-outs -------- */

static mpno_status add_step(void *user, int64_t step, int64_t batch, const void *prediction,
                            const void *truth) {
    return mpno_scores_add(user, step, batch, prediction, truth);
}

static mpno_status roll_out(const job *j, const char *path, size_t i) {
    mpno_forecast r;
    const int64_t steps = j->opts->rollout == MPNO_EVAL_WHOLE ? 0 : j->opts->rollout;
    MPNO_TRY(mpno_forecast_open(j->ctx, j->restored, path, steps, &r));
    size_t same = 1;
    for (size_t k = 0; k < i; k++) {
        const size_t n = strlen(r.key);
        same += !strncmp(j->names[k], r.key, n) && (!j->names[k][n] || j->names[k][n] == '#');
    }
    if (same > 1)
        snprintf(j->names[i], sizeof j->names[i], "%.40s#%zu", r.key, same);
    else
        snprintf(j->names[i], sizeof j->names[i], "%s", r.key);
    j->named[i] = (mpno_named_scores){j->names[i], &j->scores[i]};
    mpno_status status = open_scores(j, r.data, r.steps, &j->scores[i]);
    if (status == MPNO_OK) status = mpno_forecast_run_all(&r, add_step, &j->scores[i]);
    mpno_forecast_close(&r);
    return status;
}

static mpno_status score_all(job *j) {
    const mpno_text_list *files = &j->restored->checkpoint->settings.data.test;
    j->n = files->n;
    MPNO_TRY(mpno_alloc_array(j->ctx, j->n, sizeof *j->scores, &j->scores));
    MPNO_TRY(mpno_alloc_array(j->ctx, j->n, sizeof *j->named, &j->named));
    MPNO_TRY(mpno_alloc_array(j->ctx, j->n, sizeof *j->names, &j->names));
    if (j->opts->rollout == 0) return score_sets(j);
    for (size_t i = 0; i < j->n; i++) MPNO_TRY(roll_out(j, files->v[i], i));
    return MPNO_OK;
}

/* -------- what is shown -------- */

/* A row for each test set: what is looked at first. */
static mpno_status short_table(const job *j) {
    MPNO_TRY(mpno_table_column(j->table, "test", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(j->table, "samples", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(j->table, "relative L2", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(j->table, "relative H1", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(j->table, "mean square", MPNO_RIGHT));
    for (size_t i = 0; i < j->n; i++) {
        const mpno_scores *s = &j->scores[i];
        const int64_t all = MPNO_SCORES_ALL;
        MPNO_TRY(mpno_table_cell(j->table, "%s", j->named[i].name));
        MPNO_TRY(mpno_table_cell(j->table, "%lld", (long long)s->count[0]));
        MPNO_TRY(mpno_table_cell(j->table, "%.5f", mpno_scores_value(s, all, all, MPNO_METRIC_L2)));
        MPNO_TRY(mpno_table_cell(j->table, "%.5f", mpno_scores_value(s, all, all, MPNO_METRIC_H1)));
        MPNO_TRY(
            mpno_table_cell(j->table, "%.4g", mpno_scores_value(s, all, all, MPNO_METRIC_MSE)));
    }
    return MPNO_OK;
}

static mpno_status write_csv(const job *j, const char *path,
                             mpno_status (*add)(mpno_text *, const mpno_named_scores *, size_t)) {
    mpno_text text = {.ctx = j->ctx};
    mpno_status status = add(&text, j->named, j->n);
    if (status == MPNO_OK) status = mpno_file_write_atomic(j->ctx, path, text.data, text.size);
    mpno_text_discard(&text);
    return status;
}

/* errors.csv, and errors_spectra.csv beside it. */
static mpno_status write_files(const job *j) {
    char path[4096];
    const char *csv = j->opts->csv;
    const int stem = (int)strlen(csv) - 4;
    snprintf(path, sizeof path, "%.*s_spectra.csv", stem, csv);
    MPNO_TRY(write_csv(j, csv, mpno_scores_csv));
    MPNO_TRY(write_csv(j, path, mpno_spectra_csv));
    mpno_say(j->sink, "errors in %s, spectra in %s\n", csv, path);
    MPNO_TRY(mpno_value_set_string(j->ctx, j->map, "csv", csv));
    return mpno_value_set_string(j->ctx, j->map, "spectra_csv", path);
}

/* Errors of the steps of a roll-out. */
static mpno_status say_steps(const job *j, size_t i) {
    mpno_table *table;
    MPNO_TRY(mpno_table_create(j->ctx, &table));
    mpno_say(j->sink, "%s, step by step:\n", j->named[i].name);
    mpno_status status = mpno_scores_steps_table(table, j->named[i].scores);
    if (status == MPNO_OK) status = mpno_say_table(j->ctx, j->sink, table);
    mpno_table_destroy(&table);
    return status;
}

static mpno_status draw_steps(const job *j) {
    mpno_text png = {.ctx = j->ctx};
    mpno_status status = mpno_scores_picture(j->ctx, j->named, j->n, &png);
    if (status == MPNO_OK)
        status = mpno_file_write_atomic(j->ctx, j->opts->picture, png.data, png.size);
    mpno_text_discard(&png);
    MPNO_TRY(status);
    mpno_say(j->sink, "errors over the steps in %s\n", j->opts->picture);
    return mpno_value_set_string(j->ctx, j->map, "picture", j->opts->picture);
}

static mpno_status report(const job *j) {
    const mpno_restored *r = j->restored;
    mpno_value *tests = NULL;
    MPNO_TRY(mpno_value_set_map(j->ctx, j->map, "test", &tests));
    if (j->opts->rollout != 0)
        MPNO_TRY(mpno_value_set_int(j->ctx, j->map, "rollout", j->scores[0].shape.n_steps));
    for (size_t i = 0; i < j->n; i++) MPNO_TRY(mpno_scores_put(j->ctx, tests, &j->named[i]));
    MPNO_TRY(mpno_restored_report(j->ctx, r, j->map));
    const bool averages = mpno_settings_use_ema(&r->checkpoint->settings);
    mpno_say(j->sink, "%s, epoch %lld, policy %s%s\n", r->checkpoint->path,
             (long long)r->checkpoint->state.epoch, r->policy,
             averages ? ", averaged weights" : "");
    MPNO_TRY(j->opts->table ? mpno_scores_table(j->table, j->named, j->n) : short_table(j));
    MPNO_TRY(mpno_say_table(j->ctx, j->sink, j->table));
    for (size_t i = 0; i < j->n && j->opts->rollout != 0; i++) MPNO_TRY(say_steps(j, i));
    if (j->opts->picture) MPNO_TRY(draw_steps(j));
    const mpno_text_list *files = &r->checkpoint->settings.data.test;
    for (size_t i = 0; i < files->n; i++) {
        mpno_value *entry = tests->items[i]; /* one for each file, in their order */
        MPNO_TRY(mpno_published(j->ctx, files->v[i], j->sink, entry));
    }
    return j->opts->csv ? write_files(j) : MPNO_OK;
}

static mpno_status eval(job *j, char **json) {
    mpno_ctx *ctx = j->ctx;
    const mpno_checkpoint *c = j->restored->checkpoint;
    MPNO_CHECK(ctx, c->settings.data.test.n > 0, MPNO_E_CONFIG,
               "%s names no test data: give data.test=FILE", c->path);
    mpno_status status = score_all(j);
    if (status == MPNO_OK) status = mpno_table_create(ctx, &j->table);
    if (status == MPNO_OK) status = mpno_value_map(ctx, &j->map);
    if (status == MPNO_OK) status = report(j);
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, j->map, false, json);
    mpno_value_destroy(ctx, &j->map);
    mpno_table_destroy(&j->table);
    for (size_t i = 0; j->scores && i < j->n; i++) mpno_scores_destroy(&j->scores[i]);
    mpno_free(ctx, j->scores);
    mpno_free(ctx, j->named);
    mpno_free(ctx, j->names);
    mpno_sets_clear(ctx, &j->sets);
    return status;
}

static mpno_status check_opts(mpno_ctx *ctx, const mpno_eval_opts *opts) {
    MPNO_CHECK(ctx, opts->size == sizeof *opts, MPNO_E_ARGUMENT,
               "mpno_eval_opts has size %zu, expected %zu; start from MPNO_EVAL_OPTS_INIT",
               opts->size, sizeof *opts);
    const size_t n = opts->csv ? strlen(opts->csv) : 5;
    MPNO_CHECK(ctx, n > 4 && n < 4000 && (!opts->csv || !strcmp(opts->csv + n - 4, ".csv")),
               MPNO_E_CONFIG, "the table %s would be CSV under another name; let it end in .csv",
               opts->csv);
    const size_t length = opts->picture ? strlen(opts->picture) : 5;
    MPNO_CHECK(ctx, length > 4 && (!opts->picture || !strcmp(opts->picture + length - 4, ".png")),
               MPNO_E_CONFIG, "the picture %s would be PNG under another name; let it end in .png",
               opts->picture);
    MPNO_CHECK(ctx, !opts->picture || opts->rollout != 0, MPNO_E_CONFIG,
               "the picture %s shows errors over the steps of a roll-out: give --rollout too",
               opts->picture);
    MPNO_CHECK(ctx, opts->rollout >= 0 || opts->rollout == MPNO_EVAL_WHOLE, MPNO_E_CONFIG,
               "a roll-out has 1 step or more, not %lld", (long long)opts->rollout);
    return MPNO_OK;
}

mpno_status mpno_eval(mpno_ctx *ctx, const char *checkpoint, mpno_config *overrides,
                      const mpno_eval_opts *opts, const mpno_sink *sink, char **json) {
    static const mpno_eval_opts defaults = MPNO_EVAL_OPTS_INIT;
    const int n_threads = ctx->n_threads;
    mpno_restored restored;
    if (json) *json = NULL;
    if (!opts) opts = &defaults;
    MPNO_TRY(check_opts(ctx, opts));
    mpno_override_threads(ctx, overrides);
    mpno_status status = mpno_restore_planned(ctx, checkpoint, overrides, NULL, sink, &restored);
    if (status == MPNO_OK) {
        job j = {.ctx = ctx, .restored = &restored, .opts = opts, .sink = sink};
        status = eval(&j, json);
        mpno_restored_clear(ctx, &restored);
    }
    ctx->n_threads = n_threads;
    return status;
}
