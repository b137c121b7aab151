/* SPDX-License-Identifier: MIT
 * mpno_eval: errors of a trained model on test data. See mpno/run.h. */
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "mpno/run.h"
#include "train/published.h"
#include "train/restore.h"
#include "train/scores_report.h"
#include "train/sink.h"
#include "train/trainer.h"

/* One evaluation. */
typedef struct job {
    mpno_ctx *ctx;
    const mpno_restored *restored;
    const mpno_eval_opts *opts;
    const mpno_sink *sink;
    mpno_sets sets;
    mpno_scores *scores;      /* owned: [sets.n_tests] */
    mpno_named_scores *named; /* owned: the same with names */
    mpno_table *table;
    mpno_value *map;
} job;

static mpno_status score(const job *j, const mpno_set *set, mpno_scores *scores) {
    const mpno_dataset *data = set->data;
    const mpno_predictor_opts opts = mpno_restored_opts(j->restored);
    const int64_t values = data->out_points * data->out_channels;
    mpno_predictor predictor;
    mpno_scores_shape shape = {.format = data->format,
                               .ndim = data->ndim,
                               .planes = data->planes,
                               .channels = data->out_channels,
                               .n_steps = 1};
    for (int d = 0; d < data->ndim; d++) shape.grid[d] = data->out_grid[d];
    MPNO_TRY(mpno_scores_create(j->ctx, &shape, &opts.norms, scores));
    MPNO_TRY(mpno_predictor_create(j->restored->model, j->ctx, data, set->n, &opts, &predictor));
    mpno_status status = MPNO_OK;
    for (int64_t i = 0; i < set->n && status == MPNO_OK; i += predictor.opts.batch) {
        const int64_t left = set->n - i;
        const int64_t batch = left < predictor.opts.batch ? left : predictor.opts.batch;
        status = mpno_predictor_run(&predictor, set->first + i, batch);
        if (status != MPNO_OK) break;
        status = mpno_scores_add(scores, 0, batch, predictor.y,
                                 mpno_sample(data->y, data->format, values, set->first + i));
    }
    mpno_predictor_destroy(&predictor);
    return status;
}

static mpno_status score_all(job *j) {
    const size_t n = j->sets.n_tests;
    MPNO_TRY(mpno_alloc_array(j->ctx, n, sizeof *j->scores, &j->scores));
    MPNO_TRY(mpno_alloc_array(j->ctx, n, sizeof *j->named, &j->named));
    for (size_t i = 0; i < n; i++) {
        j->named[i] = (mpno_named_scores){j->sets.tests[i].key, &j->scores[i]};
        MPNO_TRY(score(j, &j->sets.tests[i], &j->scores[i]));
    }
    return MPNO_OK;
}

/* A row for each test set: what is looked at first. */
static mpno_status short_table(const job *j) {
    MPNO_TRY(mpno_table_column(j->table, "test", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(j->table, "samples", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(j->table, "relative L2", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(j->table, "relative H1", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(j->table, "mean square", MPNO_RIGHT));
    for (size_t i = 0; i < j->sets.n_tests; i++) {
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
    mpno_status status = add(&text, j->named, j->sets.n_tests);
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

static mpno_status report(const job *j) {
    const mpno_restored *r = j->restored;
    mpno_value *tests = NULL;
    MPNO_TRY(mpno_value_set_map(j->ctx, j->map, "test", &tests));
    for (size_t i = 0; i < j->sets.n_tests; i++)
        MPNO_TRY(mpno_scores_put(j->ctx, tests, &j->named[i]));
    MPNO_TRY(mpno_restored_report(j->ctx, r, j->map));
    const bool averages = mpno_settings_use_ema(&r->checkpoint->settings);
    mpno_say(j->sink, "%s, epoch %lld, policy %s%s\n", r->checkpoint->path,
             (long long)r->checkpoint->state.epoch, r->policy,
             averages ? ", averaged weights" : "");
    MPNO_TRY(j->opts->table ? mpno_scores_table(j->table, j->named, j->sets.n_tests)
                            : short_table(j));
    MPNO_TRY(mpno_say_table(j->ctx, j->sink, j->table));
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
    mpno_status status = mpno_sets_read_tests(ctx, &c->settings, &c->state, &j->sets);
    if (status == MPNO_OK) status = score_all(j);
    if (status == MPNO_OK) status = mpno_table_create(ctx, &j->table);
    if (status == MPNO_OK) status = mpno_value_map(ctx, &j->map);
    if (status == MPNO_OK) status = report(j);
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, j->map, false, json);
    mpno_value_destroy(ctx, &j->map);
    mpno_table_destroy(&j->table);
    for (size_t i = 0; j->scores && i < j->sets.n_tests; i++) mpno_scores_destroy(&j->scores[i]);
    mpno_free(ctx, j->scores);
    mpno_free(ctx, j->named);
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
    mpno_status status = mpno_restore(ctx, checkpoint, overrides, &restored);
    if (status == MPNO_OK) {
        job j = {.ctx = ctx, .restored = &restored, .opts = opts, .sink = sink};
        status = eval(&j, json);
        mpno_restored_clear(ctx, &restored);
    }
    ctx->n_threads = n_threads;
    return status;
}
