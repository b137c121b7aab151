/* SPDX-License-Identifier: MIT
 * Run logs: numbers come back, a resume takes out what the run will write again, foreign files stay
 * untouched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/files.h"
#include "core/memory.h"
#include "report/runlog.h"

static mpno_ctx *ctx;
static char root[] = "/tmp/mpno-test-runlog-XXXXXX";
static char folder[64];
static const char *const columns[] = {"epoch", "loss", "bytes"};

static int set_up(void **state) {
    (void)state;
    memcpy(root + strlen(root) - 6, "XXXXXX", 6);
    if (!mkdtemp(root)) return -1;
    snprintf(folder, sizeof folder, "%s/new/run", root);
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static const char *in_folder(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remove_folder(void) {
    static const char *const names[] = {"metrics.csv", "log.jsonl", "summary.json"};
    for (int i = 0; i < 3; i++) unlink(in_folder(names[i]));
    rmdir(folder);
}

static int tear_down(void **state) {
    (void)state;
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    remove_folder();
    char parent[64];
    snprintf(parent, sizeof parent, "%s/new", root);
    rmdir(parent);
    return rmdir(root); /* fails when anything else was left behind */
}

static const char *content(const char *name) {
    static char text[8192];
    FILE *file = fopen(in_folder(name), "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void put(const char *name, const char *text) {
    FILE *file = fopen(in_folder(name), "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static mpno_status reopen(int64_t resume_epoch, mpno_runlog **log) {
    return mpno_runlog_open(ctx, folder, columns, 3, resume_epoch, log);
}

static void begin(int64_t resume_epoch, mpno_runlog **log) {
    assert_int_equal(reopen(resume_epoch, log), MPNO_OK);
}

static void write_epochs(mpno_runlog *log, int first, int end) {
    for (int i = first; i < end; i++) {
        double row[3] = {i, 0.5 + i, 100};
        assert_int_equal(mpno_runlog_row(log, row), MPNO_OK);
        assert_int_equal(mpno_runlog_event(log, "epoch", i, NULL), MPNO_OK);
    }
}

static void numbers_come_back(void **state) {
    (void)state;
    mpno_runlog *log;
    begin(-1, &log);
    const double rows[][3] = {{0, 0.1, 12345678901.0},
                              {1, 1.0 / 3, 0},
                              {2, NAN, -INFINITY},
                              {3, -NAN, 1e300},
                              {4, 4.9e-324, -7}};
    for (int i = 0; i < 5; i++) assert_int_equal(mpno_runlog_row(log, rows[i]), MPNO_OK);
    mpno_runlog_close(&log);
    assert_null(log);
    assert_string_equal(
        content("metrics.csv"),
        "epoch,loss,bytes\n0,0.1,12345678901\n1,0.333333333,0\n2,nan,-inf\n3,nan,1e+300\n"
        "4,4.94065646e-324,-7\n");
    assert_string_equal(content("log.jsonl"), "");
}

static void events_are_lines_of_json(void **state) {
    (void)state;
    mpno_runlog *log;
    begin(-1, &log);
    mpno_value *fields;
    assert_int_equal(mpno_value_map(ctx, &fields), MPNO_OK);
    assert_int_equal(mpno_value_set_string(ctx, fields, "why", "line\nbreak"), MPNO_OK);
    assert_int_equal(mpno_value_set_real(ctx, fields, "scale", 0.5), MPNO_OK);
    assert_int_equal(mpno_runlog_event(log, "overflow", 3, fields), MPNO_OK);
    assert_int_equal(mpno_runlog_event(log, "start", -1, NULL), MPNO_OK);

    const char *text = content("log.jsonl"), *end = strchr(text, '\n');
    assert_non_null(end);
    mpno_value *event;
    assert_int_equal(mpno_json_parse(ctx, "event", text, (size_t)(end - text), &event), MPNO_OK);
    assert_string_equal(event->keys[0], "event");
    assert_string_equal(mpno_value_get(event, "event")->string, "overflow");
    assert_int_equal(mpno_value_get(event, "epoch")->integer, 3);
    assert_string_equal(mpno_value_get(event, "why")->string, "line\nbreak");
    mpno_value_destroy(ctx, &event);
    assert_int_equal(mpno_json_parse(ctx, "event", end + 1, strlen(end + 1) - 1, &event), MPNO_OK);
    assert_null(mpno_value_get(event, "epoch"));
    mpno_value_destroy(ctx, &event);

    assert_int_equal(mpno_value_set_int(ctx, fields, "epoch", 1), MPNO_OK);
    assert_int_equal(mpno_runlog_event(log, "twice", 3, fields), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_runlog_event(log, "no map", 3, fields->items[0]), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_runlog_summary(log, fields), MPNO_OK);
    assert_non_null(strstr(content("summary.json"), "\"scale\": 0.5"));
    mpno_value_destroy(ctx, &fields);
    mpno_runlog_close(&log);
}

static void a_resume_takes_out_later_epochs(void **state) {
    (void)state;
    mpno_runlog *log;
    begin(-1, &log);
    assert_int_equal(mpno_runlog_event(log, "start", -1, NULL), MPNO_OK);
    write_epochs(log, 0, 12);
    mpno_runlog_close(&log);
    FILE *file = fopen(in_folder("metrics.csv"), "ab"); /* killed in the middle of a line */
    assert_non_null(file);
    fputs("12,0.", file);
    fclose(file);
    file = fopen(in_folder("log.jsonl"), "ab");
    assert_non_null(file);
    fputs("{\"event\": \"ep", file);
    fclose(file);

    begin(2, &log);
    assert_string_equal(content("metrics.csv"), "epoch,loss,bytes\n0,0.5,100\n1,1.5,100\n");
    const char *events = content("log.jsonl");
    int n = 0;
    for (const char *p = events; (p = strchr(p, '\n')); p++) n++;
    assert_int_equal(n, 3);
    assert_non_null(strstr(events, "start"));
    write_epochs(log, 2, 4);
    mpno_runlog_close(&log);
    assert_string_equal(content("metrics.csv"),
                        "epoch,loss,bytes\n0,0.5,100\n1,1.5,100\n2,2.5,100\n3,3.5,100\n");

    begin(0, &log); /* nothing but the header */
    mpno_runlog_close(&log);
    assert_string_equal(content("metrics.csv"), "epoch,loss,bytes\n");
    write_epochs((begin(-1, &log), log), 0, 1);
    mpno_runlog_close(&log);
    begin(-1, &log); /* a new run forgets the old one */
    mpno_runlog_close(&log);
    assert_string_equal(content("metrics.csv"), "epoch,loss,bytes\n");
    assert_string_equal(content("log.jsonl"), "");
}

static void a_resume_begins_missing_and_torn_files(void **state) {
    (void)state;
    mpno_runlog *log;
    begin(5, &log);
    mpno_runlog_close(&log);
    assert_string_equal(content("metrics.csv"), "epoch,loss,bytes\n");
    put("metrics.csv", "epoch,lo");
    put("log.jsonl", "");
    begin(5, &log);
    mpno_runlog_close(&log);
    assert_string_equal(content("metrics.csv"), "epoch,loss,bytes\n");
}

static void foreign_files_stay_untouched(void **state) {
    (void)state;
    static const struct {
        const char *metrics, *events, *word;
    } cases[] = {
        {"epoch,loss,accuracy\n0,1,2\n", "", "epoch,loss,accuracy"},
        {"epoch,loss\n", "", "epoch,loss,bytes"},
        {"epoch,loss,bytes\n0,1\n", "", "line 2"},
        {"epoch,loss,bytes\n0,1,2\nx,1,2\n", "", "line 3"},
        {"epoch,loss,bytes\n0,1,2\n9,1,2\n", "{\"event\": \"a\"}\nhello\n", "line 2"},
    };
    mpno_runlog *log;
    begin(-1, &log);
    mpno_runlog_close(&log);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("metrics.csv", cases[i].metrics);
        put("log.jsonl", cases[i].events);
        assert_int_equal(reopen(1, &log), MPNO_E_FORMAT);
        assert_null(log);
        assert_non_null(strstr(mpno_ctx_error(ctx), cases[i].word));
        assert_string_equal(content("metrics.csv"), cases[i].metrics);
        assert_string_equal(content("log.jsonl"), cases[i].events);
    }
}

static void wrong_columns_are_refused(void **state) {
    (void)state;
    mpno_runlog *log;
    const char *const no_epoch[] = {"loss"}, *const comma[] = {"epoch", "a,b"},
                      *const empty[] = {"epoch", ""};
    assert_int_equal(mpno_runlog_open(ctx, folder, no_epoch, 1, -1, &log), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_runlog_open(ctx, folder, NULL, 0, -1, &log), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_runlog_open(ctx, folder, comma, 2, -1, &log), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "a,b"));
    assert_int_equal(mpno_runlog_open(ctx, folder, empty, 2, -1, &log), MPNO_E_ARGUMENT);
    assert_false(mpno_path_exists(folder));
    begin(-1, &log);
    const double row[3] = {NAN, 1, 2};
    assert_int_equal(mpno_runlog_row(log, row), MPNO_E_ARGUMENT);
    mpno_runlog_close(&log);
    mpno_runlog_close(&log);
    mpno_runlog_close(NULL);
}

static void an_unusable_folder_is_an_io_error(void **state) {
    (void)state;
    mpno_runlog *log;
    assert_int_equal(mpno_runlog_open(ctx, "/dev/null/run", columns, 3, -1, &log), MPNO_E_IO);
    assert_null(log);
    begin(-1, &log); /* the folder goes away while the run is on */
    remove_folder();
    const double row[3] = {0, 1, 2};
    mpno_value *summary;
    assert_int_equal(mpno_value_map(ctx, &summary), MPNO_OK);
    assert_int_equal(mpno_runlog_row(log, row), MPNO_E_IO);
    assert_non_null(strstr(mpno_ctx_error(ctx), "metrics.csv"));
    assert_int_equal(mpno_runlog_event(log, "x", 0, NULL), MPNO_E_IO);
    assert_int_equal(mpno_runlog_summary(log, summary), MPNO_E_IO);
    mpno_value_destroy(ctx, &summary);
    mpno_runlog_close(&log);
}

/* One run: resumed, one row, one event with fields, one summary. */
static mpno_status whole_run(const mpno_value *fields) {
    mpno_runlog *log;
    MPNO_TRY(reopen(1, &log));
    const double row[3] = {1, 0.5, 2};
    mpno_status status = mpno_runlog_row(log, row);
    if (status == MPNO_OK) status = mpno_runlog_event(log, "e", 1, fields);
    if (status == MPNO_OK) status = mpno_runlog_summary(log, fields);
    mpno_runlog_close(&log);
    return status;
}

static void failing_memory(void **state) {
    (void)state;
    mpno_runlog *log;
    begin(-1, &log);
    write_epochs(log, 0, 2);
    mpno_runlog_close(&log);
    mpno_value *fields;
    assert_int_equal(mpno_value_map(ctx, &fields), MPNO_OK);
    assert_int_equal(mpno_value_set_int(ctx, fields, "a", 1), MPNO_OK);
    size_t held = mpno_ctx_bytes(ctx);
    int64_t n = 0;
    for (;; n++) {
        mpno_alloc_fail_after(ctx, n);
        mpno_status status = whole_run(fields);
        mpno_alloc_fail_after(ctx, -1);
        assert_int_equal(mpno_ctx_bytes(ctx), held);
        assert_non_null(strstr(content("metrics.csv"), "epoch,loss,bytes\n0,0.5,100\n"));
        if (status == MPNO_OK) break;
        assert_int_equal(status, MPNO_E_MEMORY);
        assert_true(n < 500);
    }
    assert_true(n > 20);
    mpno_value_destroy(ctx, &fields);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_are_lines_of_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_resume_takes_out_later_epochs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_resume_begins_missing_and_torn_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_files_stay_untouched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_columns_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unusable_folder_is_an_io_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failing_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
