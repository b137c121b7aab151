/* SPDX-License-Identifier: MIT
 * mpno_report: the page of a run, from the files in its folder alone. Data or a checkpoint that are
 * gone leave their part out, with the reason; files that are damaged are errors. */
#include "train/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/files.h"
#include "core/memory.h"
#include "report/history.h"
#include "report/human.h"
#include "report/page.h"
#include "train/gallery.h"
#include "train/report_costs.h"
#include "train/report_precision.h"
#include "train/sink.h"

/* One report in the making. */
typedef struct job {
    mpno_ctx *ctx;
    const char *run;
    mpno_config *config;
    mpno_history history;
    mpno_value *summary; /* NULL: the run has not ended */
    mpno_value *plan;    /* NULL: it cannot be made */
    mpno_tensorboard *board;
    mpno_report_result *result;
    mpno_text page;
} job;

static mpno_status read_text(mpno_ctx *ctx, const char *path, mpno_text *out) {
    mpno_mapping file;
    MPNO_TRY(mpno_map_open(ctx, path, &file));
    mpno_status status = mpno_text_add_bytes(out, (const char *)file.data, file.size);
    mpno_map_close(&file);
    return status;
}

/* The first file of the list that is not there any more, NULL: none. */
static const char *missing(const mpno_text_list *files) {
    for (size_t i = 0; i < files->n; i++)
        if (!mpno_path_exists(files->v[i])) return files->v[i];
    return NULL;
}

/* What a run would cost; without its data nobody can say. */
static mpno_status make_plan(job *j) {
    const mpno_settings *s = &j->config->settings;
    char *json = NULL;
    if (s->data.train.n == 0 || missing(&s->data.train) || missing(&s->data.test)) return MPNO_OK;
    mpno_status status = mpno_plan(j->ctx, j->config, NULL, NULL, &json);
    if (status == MPNO_OK) {
        status = mpno_json_parse(j->ctx, "plan", json, strlen(json), &j->plan);
    }
    mpno_free(j->ctx, json);
    return status;
}

static mpno_status read_run(job *j) {
    char log[4096], config[4096], summary[4096];
    MPNO_TRY(mpno_path_join(j->ctx, j->run, "log.jsonl", log, sizeof log));
    MPNO_TRY(mpno_path_join(j->ctx, j->run, "config.yaml", config, sizeof config));
    MPNO_TRY(mpno_path_join(j->ctx, j->run, "summary.json", summary, sizeof summary));
    MPNO_CHECK(j->ctx, mpno_path_exists(log) && mpno_path_exists(config), MPNO_E_IO,
               "%s is not the folder of a run (it holds no config.yaml and log.jsonl): give the "
               "folder that mpno train wrote",
               j->run);
    MPNO_TRY(mpno_config_load(j->ctx, config, &j->config));
    MPNO_TRY(mpno_config_resolve(j->config, NULL));
    MPNO_TRY(mpno_history_read(j->ctx, log, &j->history));
    if (mpno_path_exists(summary)) MPNO_TRY(mpno_json_read(j->ctx, summary, &j->summary));
    return make_plan(j);
}

/* The last part of the folder's path: what the user calls the run. */
static void write_title(const char *folder, char *out, size_t capacity) {
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && folder[begin - 1] != '/') begin--;
    snprintf(out, capacity, "Run %.*s", (int)(end - begin), folder + begin);
}

static mpno_status add_head(job *j) {
    const mpno_settings *s = &j->config->settings;
    const double *epochs = mpno_history_column(&j->history, "epoch");
    char title[256], policy[32], line[512], extra[80] = "";
    write_title(strcmp(j->run, ".") == 0 ? s->output : j->run, title, sizeof title);
    mpno_settings_choice(s, "precision.policy", policy, sizeof policy);
    j->result->epochs = epochs ? (int64_t)epochs[j->history.n_epochs - 1] : 0;
    const mpno_value *failed = mpno_history_last(&j->history, "failed");
    if (strcmp(policy, "full") != 0 && strcmp(policy, "f64") != 0) {
        snprintf(extra, sizeof extra, " with %s", mpno_format_get(mpno_settings_half(s))->name);
    }
    snprintf(line, sizeof line, "%lld of %lld epochs, policy %s%s, seed %lld%s%.200s",
             (long long)j->result->epochs, (long long)s->opt.n_epochs, policy, extra,
             (long long)s->seed, failed ? "; it failed: " : "",
             failed ? mpno_value_get_string(failed, "reason", "?") : "");
    return mpno_page_begin(&j->page, title, line);
}

/* The last number of a column that is one. */
static double last_of(const job *j, const char *name) {
    const double *values = mpno_history_column(&j->history, name);
    size_t i = j->history.n_epochs;
    while (values && i > 0 && isnan(values[i - 1])) i--;
    return values && i > 0 ? values[i - 1] : NAN;
}

/* 191,881 */
static void write_thousands(long value, char *out, size_t capacity) {
    const long millions = value / 1000000, thousands = value / 1000 % 1000;
    if (millions > 0)
        snprintf(out, capacity, "%ld,%03ld,%03ld", millions, thousands, value % 1000);
    else
        snprintf(out, capacity, "%ld,%03ld", thousands, value % 1000);
}

static mpno_status tile(job *j, const char *name, double value, const char *format) {
    char text[48];
    if (isnan(value)) return MPNO_OK;
    if (strcmp(format, "bytes") == 0)
        mpno_human_bytes((uint64_t)value, text);
    else if (strcmp(format, "seconds") == 0)
        mpno_human_seconds(value, text);
    else if (strcmp(format, "count") == 0 && value >= 1000 && value < 1e9)
        write_thousands((long)value, text, sizeof text);
    else
        snprintf(text, sizeof text, "%.4g", value);
    return mpno_page_tile(&j->page, name, text);
}

static mpno_status add_tiles(job *j) {
    const mpno_value *start = mpno_history_last(&j->history, "start");
    MPNO_TRY(mpno_page_tiles(&j->page));
    for (size_t i = 0; i < j->history.n_columns; i++) {
        const char *name = j->history.names[i], *kind = strrchr(name, '/');
        char label[128];
        if (strncmp(name, "test/", 5) != 0 || !kind || kind < name + 5) continue;
        if (strcmp(kind, "/l2") != 0 && strcmp(kind, "/h1") != 0) continue;
        snprintf(label, sizeof label, "%s error at %.*s", kind[1] == 'l' ? "L2" : "H1",
                 (int)(kind - name - 5), name + 5);
        MPNO_TRY(tile(j, label, last_of(j, name), "error"));
    }
    MPNO_TRY(tile(j, "validation L2 error", last_of(j, "validation/l2"), "error"));
    MPNO_TRY(tile(j, "training loss", last_of(j, "train_loss"), "error"));
    MPNO_TRY(tile(j, "best epoch", mpno_value_get_real(j->summary, "best_epoch"), "count"));
    MPNO_TRY(tile(j, "parameters", mpno_value_get_real(start, "parameters"), "count"));
    MPNO_TRY(tile(j, "an epoch", mpno_value_get_real(j->summary, "seconds_per_epoch"), "seconds"));
    MPNO_TRY(tile(j, "peak memory", mpno_value_get_real(j->summary, "peak_bytes"), "bytes"));
    return mpno_page_tiles_end(&j->page);
}

static double wall_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The data are those that config.yaml names: who moves them corrects it there. */
static mpno_status show_sets(job *j, const mpno_restored *restored) {
    const mpno_settings *s = &j->config->settings;
    mpno_sets sets = {0};
    mpno_status status = mpno_sets_read_tests(j->ctx, s, &restored->checkpoint->state, &sets);
    for (size_t i = 0; i < sets.n_tests && status == MPNO_OK; i++) {
        status = mpno_gallery(j->ctx, restored, s, &sets.tests[i], j->board, j->result->epochs,
                              wall_time(), &j->page);
    }
    mpno_sets_clear(j->ctx, &sets);
    return status;
}

static mpno_status add_predictions(job *j) {
    char path[4096];
    mpno_restored restored;
    mpno_report_result *result = j->result;
    const mpno_settings *s = &j->config->settings;
    const char *gone = missing(&s->data.test);
    MPNO_TRY(mpno_path_join(j->ctx, j->run, "last.safetensors", path, sizeof path));
    result->predictions = mpno_path_exists(path) && s->data.test.n > 0 && !gone;
    if (result->predictions) {
        MPNO_TRY(mpno_restore(j->ctx, path, NULL, &restored));
        mpno_status status = show_sets(j, &restored);
        mpno_restored_clear(j->ctx, &restored);
        return status;
    }
    if (!mpno_path_exists(path))
        snprintf(result->reason, sizeof result->reason, "there is no checkpoint %.1000s", path);
    else if (gone)
        snprintf(result->reason, sizeof result->reason, "the test data %.1000s are gone", gone);
    else
        snprintf(result->reason, sizeof result->reason, "the run has no test data");
    MPNO_TRY(mpno_page_section(&j->page, "Samples"));
    snprintf(path, sizeof path, "Left out: %s.", result->reason);
    return mpno_page_paragraph(&j->page, path);
}

static mpno_status add_facts(job *j, mpno_table *table) {
    const mpno_value *start = mpno_history_last(&j->history, "resume");
    if (!start) start = mpno_history_last(&j->history, "start");
    MPNO_TRY(mpno_table_column(table, "", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "the run (last start)", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "this report", MPNO_LEFT));
    MPNO_TRY(mpno_table_cell(table, "version"));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_value_get_string(start, "version", "?")));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_version()));
    MPNO_TRY(mpno_table_cell(table, "kernels"));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_value_get_string(start, "isa", "?")));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_ctx_isa(j->ctx)));
    MPNO_TRY(mpno_table_cell(table, "threads"));
    MPNO_TRY(mpno_table_cell(table, "%.0f", mpno_value_get_real(start, "threads")));
    return mpno_table_cell(table, "%d", mpno_ctx_n_threads(j->ctx));
}

static mpno_status add_environment(job *j) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_page_section(&j->page, "Environment"));
    MPNO_TRY(mpno_table_create(j->ctx, &table));
    mpno_status status = add_facts(j, table);
    if (status == MPNO_OK) status = mpno_page_table(&j->page, table);
    mpno_table_destroy(&table);
    return status;
}

static mpno_status add_config(job *j) {
    char path[4096];
    mpno_text yaml = {.ctx = j->ctx};
    MPNO_TRY(mpno_path_join(j->ctx, j->run, "config.yaml", path, sizeof path));
    mpno_status status = read_text(j->ctx, path, &yaml);
    if (status == MPNO_OK) status = mpno_page_fold(&j->page, "Resolved configuration", false);
    if (status == MPNO_OK) status = mpno_page_verbatim(&j->page, yaml.data);
    if (status == MPNO_OK) status = mpno_page_fold_end(&j->page);
    mpno_text_discard(&yaml);
    return status;
}

static mpno_status build(job *j) {
    MPNO_TRY(read_run(j));
    MPNO_TRY(add_head(j));
    MPNO_TRY(add_tiles(j));
    MPNO_TRY(mpno_page_section(&j->page, "Training"));
    MPNO_TRY(mpno_history_charts(&j->history, &j->page));
    MPNO_TRY(add_predictions(j));
    MPNO_TRY(mpno_page_section(&j->page, "Memory and time"));
    MPNO_TRY(mpno_report_costs(j->ctx, &j->history, j->plan, j->summary, &j->page));
    MPNO_TRY(mpno_report_precision(j->ctx, &j->history, &j->page));
    MPNO_TRY(add_environment(j));
    MPNO_TRY(mpno_page_section(&j->page, "Details"));
    MPNO_TRY(mpno_page_fold(&j->page, "Every epoch", j->history.n_epochs <= 30));
    MPNO_TRY(mpno_history_table(&j->history, &j->page));
    MPNO_TRY(mpno_page_fold_end(&j->page));
    MPNO_TRY(add_config(j));
    return mpno_page_end(&j->page);
}

mpno_status mpno_report_write(mpno_ctx *ctx, const char *run, const char *output,
                              mpno_tensorboard *board, mpno_report_result *result) {
    *result = (mpno_report_result){0};
    MPNO_TRY(mpno_path_join(ctx, run, "report.html", result->path, sizeof result->path));
    if (output) snprintf(result->path, sizeof result->path, "%s", output);
    const size_t n = strlen(result->path);
    MPNO_CHECK(ctx, n >= 5 && strcmp(result->path + n - 5, ".html") == 0, MPNO_E_CONFIG,
               "the output %s would be an HTML document under another name; let it end in .html",
               result->path);
    job j = {.ctx = ctx,
             .run = run,
             .board = board,
             .result = result,
             .page = {.ctx = ctx},
             .history = {.ctx = ctx}};
    mpno_status status = build(&j);
    if (status == MPNO_OK) {
        result->bytes = j.page.size;
        status = mpno_file_write_atomic(ctx, result->path, j.page.data, j.page.size);
    }
    mpno_text_discard(&j.page);
    mpno_history_clear(&j.history);
    mpno_value_destroy(ctx, &j.summary);
    mpno_value_destroy(ctx, &j.plan);
    mpno_config_destroy(&j.config);
    return status;
}

static mpno_status say(mpno_ctx *ctx, const mpno_report_result *r, const mpno_sink *sink,
                       char **json) {
    char bytes[MPNO_HUMAN_CAPACITY];
    mpno_value *map = NULL;
    mpno_say(sink, "%s: %lld epochs, %s\n", r->path, (long long)r->epochs,
             mpno_human_bytes(r->bytes, bytes));
    if (!r->predictions) mpno_say(sink, "samples are left out: %s\n", r->reason);
    MPNO_TRY(mpno_value_map(ctx, &map));
    mpno_status status = mpno_value_set_string(ctx, map, "output", r->path);
    if (status == MPNO_OK) status = mpno_value_set_int(ctx, map, "epochs", r->epochs);
    if (status == MPNO_OK) status = mpno_value_set_int(ctx, map, "bytes", (int64_t)r->bytes);
    if (status == MPNO_OK) status = mpno_value_set_bool(ctx, map, "samples", r->predictions);
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    return status;
}

mpno_status mpno_report(mpno_ctx *ctx, const char *run, const char *output, const mpno_sink *sink,
                        char **json) {
    mpno_report_result result;
    if (json) *json = NULL;
    MPNO_TRY(mpno_report_write(ctx, run, output, NULL, &result));
    return say(ctx, &result, sink, json);
}
