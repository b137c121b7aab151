/* SPDX-License-Identifier: MIT
 * Lines are appended by mpno_file_append; truncation for a resume builds the kept text in memory
 * and replaces the file atomically, so that a crash in the middle loses nothing. */
#include "report/runlog.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"

#define PATH_CAPACITY 4096

struct mpno_runlog {
    mpno_ctx *ctx;
    char *header; /* owned: the first line of metrics.csv, with its line break */
    size_t n_columns;
    char metrics[PATH_CAPACITY], events[PATH_CAPACITY], summary[PATH_CAPACITY];
};

static mpno_status make_header(mpno_ctx *ctx, const char *const *columns, size_t n,
                               mpno_text *text) {
    MPNO_CHECK(ctx, n > 0 && strcmp(columns[0], "epoch") == 0, MPNO_E_ARGUMENT,
               "the first column of metrics.csv must be \"epoch\"; a resume finds its rows by it");
    for (size_t i = 0; i < n; i++) {
        MPNO_CHECK(ctx, columns[i][0] != '\0' && !strpbrk(columns[i], ",\"\r\n"), MPNO_E_ARGUMENT,
                   "column name '%s' cannot stand in metrics.csv; use a name without comma, quote "
                   "and line break",
                   columns[i]);
        MPNO_TRY(mpno_text_add(text, "%s%s", i ? "," : "", columns[i]));
    }
    return mpno_text_add(text, "\n");
}

/* Line `number` (from 1) of metrics.csv, without its line break. */
static mpno_status keeps_row(const mpno_runlog *log, const char *line, size_t n, int number,
                             int64_t resume_epoch, bool *keep) {
    char first[MPNO_REAL_TEXT] = "";
    size_t n_fields = 1;
    for (size_t i = 0; i < n; i++) n_fields += line[i] == ',';
    const char *comma = memchr(line, ',', n);
    size_t n_first = comma ? (size_t)(comma - line) : n;
    if (n_first < sizeof first) memcpy(first, line, n_first);
    double epoch;
    MPNO_CHECK(log->ctx, n_fields == log->n_columns && mpno_real_parse(first, &epoch),
               MPNO_E_FORMAT,
               "%s, line %d: found %zu fields, the first '%s', but expected %zu with an epoch "
               "number in front; "
               "correct the line or move the file away",
               log->metrics, number, n_fields, first, log->n_columns);
    *keep = epoch < (double)resume_epoch;
    return MPNO_OK;
}

static mpno_status keeps_event(const mpno_runlog *log, const char *line, size_t n, int number,
                               int64_t resume_epoch, bool *keep) {
    mpno_value *event = NULL;
    mpno_status status = mpno_json_parse(log->ctx, log->events, line, n, &event);
    if (status == MPNO_E_MEMORY) return status;
    MPNO_CHECK(log->ctx, status == MPNO_OK, MPNO_E_FORMAT,
               "%s, line %d is not a JSON value; correct the line or move the file away",
               log->events, number);
    const mpno_value *epoch = mpno_value_get(event, "epoch");
    *keep = !epoch || epoch->kind != MPNO_VALUE_INT || epoch->integer < resume_epoch;
    mpno_value_destroy(log->ctx, &event);
    return MPNO_OK;
}

static mpno_status keep_line(const mpno_runlog *log, bool metrics, const char *line, size_t n,
                             int number, int64_t resume_epoch, bool *keep) {
    if (!metrics) return keeps_event(log, line, n, number, resume_epoch, keep);
    if (number > 1) return keeps_row(log, line, n, number, resume_epoch, keep);
    *keep = true;
    MPNO_CHECK(
        log->ctx, n + 1 == strlen(log->header) && memcmp(line, log->header, n) == 0, MPNO_E_FORMAT,
        "%s has the columns %.*s but this run writes %.*s; resume with the configuration the run "
        "was started "
        "with, or move the file away",
        log->metrics, (int)(n < 400 ? n : 400), line, (int)strlen(log->header) - 1, log->header);
    return MPNO_OK;
}

/* The text of `file` that a resume keeps; a last line without line break is left out. */
static mpno_status kept_text(const mpno_runlog *log, bool metrics, const mpno_mapping *file,
                             int64_t resume_epoch, mpno_text *out) {
    const char *at = (const char *)file->data, *end = file->size ? at + file->size : at;
    for (int number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) break;
        bool keep = false;
        MPNO_TRY(keep_line(log, metrics, at, (size_t)(stop - at), number, resume_epoch, &keep));
        if (keep) MPNO_TRY(mpno_text_add_bytes(out, at, (size_t)(stop + 1 - at)));
        at = stop + 1;
    }
    return MPNO_OK;
}

/* The text with which a file begins in this run. */
static mpno_status begin_text(const mpno_runlog *log, bool metrics, int64_t resume_epoch,
                              mpno_text *out) {
    const char *path = metrics ? log->metrics : log->events;
    if (resume_epoch >= 0 && mpno_path_exists(path)) {
        mpno_mapping file;
        MPNO_TRY(mpno_map_open(log->ctx, path, &file));
        mpno_status status = kept_text(log, metrics, &file, resume_epoch, out);
        mpno_map_close(&file);
        if (status != MPNO_OK) return status;
    }
    /* A new file, or one that was killed before its first line was whole. */
    return metrics && out->size == 0 ? mpno_text_add(out, "%s", log->header) : MPNO_OK;
}

/* Both texts first: a file that does not fit leaves both untouched. */
static mpno_status begin_files(const mpno_runlog *log, int64_t resume_epoch) {
    mpno_text metrics = {.ctx = log->ctx}, events = {.ctx = log->ctx};
    mpno_status status = begin_text(log, true, resume_epoch, &metrics);
    if (status == MPNO_OK) status = begin_text(log, false, resume_epoch, &events);
    if (status == MPNO_OK)
        status = mpno_file_write_atomic(log->ctx, log->metrics, metrics.data, metrics.size);
    if (status == MPNO_OK)
        status = mpno_file_write_atomic(log->ctx, log->events, events.data ? events.data : "",
                                        events.size);
    mpno_text_discard(&metrics);
    mpno_text_discard(&events);
    return status;
}

static mpno_status open_log(mpno_runlog *log, const char *folder, const char *const *columns,
                            int64_t resume_epoch) {
    mpno_text header = {.ctx = log->ctx};
    mpno_status status = make_header(log->ctx, columns, log->n_columns, &header);
    log->header = header.data;
    MPNO_TRY(status);
    MPNO_TRY(mpno_path_join(log->ctx, folder, "metrics.csv", log->metrics, sizeof log->metrics));
    MPNO_TRY(mpno_path_join(log->ctx, folder, "log.jsonl", log->events, sizeof log->events));
    MPNO_TRY(mpno_path_join(log->ctx, folder, "summary.json", log->summary, sizeof log->summary));
    MPNO_TRY(mpno_folder_create(log->ctx, folder));
    return begin_files(log, resume_epoch);
}

mpno_status mpno_runlog_open(mpno_ctx *ctx, const char *folder, const char *const *columns,
                             size_t n_columns, int64_t resume_epoch, mpno_runlog **out) {
    *out = NULL;
    mpno_runlog *log;
    MPNO_TRY(mpno_alloc(ctx, sizeof *log, &log));
    log->ctx = ctx;
    log->n_columns = n_columns;
    mpno_status status = open_log(log, folder, columns, resume_epoch);
    if (status == MPNO_OK)
        *out = log;
    else
        mpno_runlog_close(&log);
    return status;
}

void mpno_runlog_close(mpno_runlog **in_out) {
    if (!in_out || !*in_out) return;
    mpno_ctx *ctx = (*in_out)->ctx;
    mpno_free(ctx, (*in_out)->header);
    mpno_free(ctx, *in_out);
    *in_out = NULL;
}

static mpno_status add_number(mpno_text *line, double value) {
    char text[MPNO_REAL_TEXT];
    if (isnan(value)) return mpno_text_add(line, "nan"); /* printf may say -nan */
    bool whole = fabs(value) < 1e15 && value == floor(value);
    snprintf(text, sizeof text, whole ? "%.0f" : "%.9g", value);
    /* printf follows the program's locale; a file does not. */
    char *comma = strchr(text, ',');
    if (comma) *comma = '.';
    return mpno_text_add(line, "%s", text);
}

static mpno_status row_text(const mpno_runlog *log, const double *values, mpno_text *line) {
    for (size_t i = 0; i < log->n_columns; i++) {
        if (i) MPNO_TRY(mpno_text_add(line, ","));
        MPNO_TRY(add_number(line, values[i]));
    }
    return MPNO_OK; /* the line break comes with mpno_file_append */
}

mpno_status mpno_runlog_row(mpno_runlog *log, const double *values) {
    MPNO_CHECK(log->ctx, isfinite(values[0]), MPNO_E_ARGUMENT,
               "the epoch of a row of metrics.csv is %g; it must be a number", values[0]);
    mpno_text line = {.ctx = log->ctx};
    mpno_status status = row_text(log, values, &line);
    if (status == MPNO_OK) status = mpno_file_append(log->ctx, log->metrics, line.data);
    mpno_text_discard(&line);
    return status;
}

static mpno_status event_map(mpno_ctx *ctx, const char *event, int64_t epoch,
                             const mpno_value *fields, mpno_value *map) {
    MPNO_TRY(mpno_value_set_string(ctx, map, "event", event));
    if (epoch >= 0) MPNO_TRY(mpno_value_set_int(ctx, map, "epoch", epoch));
    for (size_t i = 0; fields && i < fields->n; i++) {
        mpno_value *item;
        MPNO_TRY(mpno_value_clone(ctx, fields->items[i], &item));
        MPNO_TRY(mpno_value_set(ctx, map, fields->keys[i], item));
    }
    return MPNO_OK;
}

static mpno_status append_event(const mpno_runlog *log, const mpno_value *map) {
    char *json;
    MPNO_TRY(mpno_json_text(log->ctx, map, false, &json));
    mpno_status status = mpno_file_append(log->ctx, log->events, json);
    mpno_free(log->ctx, json);
    return status;
}

mpno_status mpno_runlog_event(mpno_runlog *log, const char *event, int64_t epoch,
                              const mpno_value *fields) {
    mpno_ctx *ctx = log->ctx;
    MPNO_CHECK(ctx, !fields || fields->kind == MPNO_VALUE_MAP, MPNO_E_ARGUMENT,
               "the fields of event '%s' are not a map; give a map or NULL", event);
    MPNO_CHECK(ctx, !mpno_value_get(fields, "event") && !mpno_value_get(fields, "epoch"),
               MPNO_E_ARGUMENT,
               "the fields of event '%s' hold the key event or epoch, which the log writes itself; "
               "rename it",
               event);
    mpno_value *map;
    MPNO_TRY(mpno_value_map(ctx, &map));
    mpno_status status = event_map(ctx, event, epoch, fields, map);
    if (status == MPNO_OK) status = append_event(log, map);
    mpno_value_destroy(ctx, &map);
    return status;
}

mpno_status mpno_runlog_summary(mpno_runlog *log, const mpno_value *summary) {
    return mpno_json_write(log->ctx, log->summary, summary);
}
