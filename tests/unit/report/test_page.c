/* SPDX-License-Identifier: MIT
 * Pieces of the HTML report: text that cannot become markup, charts whose points stand where they
 * belong, the history of a run that was cut short or damaged, memory that fails anywhere. */
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
#include "report/chart.h"
#include "report/history.h"
#include "report/page.h"
#include "report/picture.h"

static mpno_ctx *ctx;
static char path[] = "/tmp/mpno-test-history-XXXXXX";

static int set_up(void **state) {
    (void)state;
    const int file = mkstemp(path);
    if (file < 0) return -1;
    close(file);
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    unlink(path);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
    mpno_ctx_destroy(&ctx);
    return 0;
}

static void assert_holds(const mpno_text *text, const char *piece) {
    if (!text->data || !strstr(text->data, piece))
        fail_msg("'%s' is not in\n%s", piece, text->data);
}

static void text_is_never_markup(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {{"a < b & \"c\" > 'd'", "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;"},
                 {"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
                 {"gr\u00fc\u00df\n\t", "gr\u00fc\u00df\n\t"},
                 {"a\xff\x01z\x7f", "a\ufffd\ufffdz\ufffd"},
                 {"cut \xe2\x82", "cut \ufffd\ufffd"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mpno_text text = {.ctx = ctx};
        assert_int_equal(mpno_text_add_html(&text, cases[i].in), MPNO_OK);
        assert_string_equal(text.data, cases[i].out);
        mpno_text_discard(&text);
    }
}

static void coordinates_have_a_point(void **state) {
    (void)state;
    static const struct {
        double in;
        const char *out;
    } cases[] = {{0, "0"}, {1.5, "1.50"}, {-0.25, "-0.25"}, {399.999, "400"}, {-0.001, "0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mpno_text text = {.ctx = ctx};
        assert_int_equal(mpno_text_add_coordinate(&text, cases[i].in), MPNO_OK);
        assert_string_equal(text.data, cases[i].out);
        mpno_text_discard(&text);
    }
}

/* RFC 4648, section 10. */
static void images_are_base64(void **state) {
    (void)state;
    static const char *const codes[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t n = 0; n <= 6; n++) {
        char wanted[64];
        mpno_text text = {.ctx = ctx};
        snprintf(wanted, sizeof wanted, "base64,%s\"", codes[n]);
        assert_int_equal(mpno_page_image(&text, "foobar", n), MPNO_OK);
        assert_holds(&text, wanted);
        mpno_text_discard(&text);
    }
}

static mpno_status make_chart(mpno_text *out) {
    static const double x[] = {0, 1, 2, 3}, y[] = {1, NAN, 100, -5};
    const mpno_chart_series series[] = {{"loss <1>", x, y, 4, 0, false}, {"b", x, x, 4, 7, true}};
    const mpno_chart_mark mark = {1.5, "full"};
    const mpno_chart chart = {"A & B", "epoch", "s", false, true, true, series, 2, &mark, 1};
    return mpno_chart_html(&chart, out);
}

/* Gaps are bridged; what has no logarithm is left out. */
static void charts_place_points(void **state) {
    (void)state;
    mpno_text text = {.ctx = ctx};
    assert_int_equal(make_chart(&text), MPNO_OK);
    assert_holds(&text, "<b>A &amp; B</b>");
    assert_holds(&text, "loss &lt;1&gt;: 100 at epoch 2");
    assert_holds(&text, ">full</text>");
    assert_holds(&text, "class=\"s1 dashed\"");
    assert_holds(&text, ">2</text>");
    assert_null(strstr(text.data, ">1.5</text>")); /* epochs are counted */
    assert_null(strstr(text.data, "nan"));
    assert_null(strstr(text.data, "-5"));
    double x0, y0, x1, y1;
    const char *d = strstr(text.data, "<path class=\"s0\" d=\"M0 4"); /* the legend's */
    assert_non_null(d);
    d = strstr(d + 10, "<path class=\"s0\" d=\"M");
    assert_non_null(d);
    assert_int_equal(sscanf(d, "<path class=\"s0\" d=\"M%lf %lfL%lf %lf\"", &x0, &y0, &x1, &y1), 4);
    assert_true(x0 < x1 && y0 > y1 && x1 < 400 && y1 >= 0);
    mpno_text_discard(&text);
}

static const char log_text[] =
    "{\"event\": \"start\", \"isa\": \"avx2\"}\n"
    "{\"event\": \"epoch\", \"epoch\": 1, \"policy\": \"mixed\", \"train_loss\": 0.5}\n"
    "{\"event\": \"epoch\", \"epoch\": 2, \"policy\": \"full\", \"train_loss\": 0.25, "
    "\"test\": {\"16\": {\"l2\": 0.125, \"h1\": 0.3}}, \"seconds\": 1.5, \"bytes\": 2048}\n";

static void write_log(const char *text, size_t n) {
    assert_int_equal(mpno_file_write_atomic(ctx, path, text, n), MPNO_OK);
}

static void history_has_columns(void **state) {
    (void)state;
    mpno_history h;
    write_log(log_text, strlen(log_text));
    assert_int_equal(mpno_history_read(ctx, path, &h), MPNO_OK);
    assert_int_equal(h.n_epochs, 2);
    const double *l2 = mpno_history_column(&h, "test/16/l2");
    assert_true(l2 && isnan(l2[0]) && l2[1] == 0.125);
    assert_true(mpno_history_column(&h, "train_loss")[0] == 0.5);
    assert_null(mpno_history_column(&h, "nothing"));
    assert_string_equal(h.policies[0], "mixed");
    assert_non_null(mpno_history_last(&h, "start"));
    assert_null(mpno_history_last(&h, "end"));
    mpno_text text = {.ctx = ctx};
    assert_int_equal(mpno_history_charts(&h, &text), MPNO_OK);
    assert_holds(&text, "test 16 L2: 0.125 at epoch 2");
    assert_holds(&text, "Training loss: 0.25 at epoch 2");
    assert_int_equal(mpno_history_table(&h, &text), MPNO_OK);
    assert_holds(&text, "<td class=\"r\">0.125</td>");
    assert_holds(&text, "2.00 KiB");
    mpno_text_discard(&text);
    mpno_history_clear(&h);
}

/* A log that is being written: the last line does not count until it ends. */
static void history_cut_anywhere(void **state) {
    (void)state;
    const size_t n = strlen(log_text);
    const size_t first_epoch = (size_t)(strstr(log_text, "0.5}\n") + 5 - log_text);
    for (size_t cut = 0; cut <= n; cut++) {
        mpno_history h;
        write_log(log_text, cut);
        mpno_status status = mpno_history_read(ctx, path, &h);
        assert_int_equal(status, cut < first_epoch ? MPNO_E_FORMAT : MPNO_OK);
        assert_int_equal(h.n_epochs, cut < first_epoch ? 0 : cut < n ? 1 : 2);
        mpno_history_clear(&h);
    }
}

static void history_damaged(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"event\": \"start\"}\nhello\n", "{}\n[1, 2]\n",
                                        "{}\n{\"event\": }\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        mpno_history h;
        write_log(texts[i], strlen(texts[i]));
        assert_int_equal(mpno_history_read(ctx, path, &h), MPNO_E_FORMAT);
        assert_non_null(strstr(mpno_ctx_error(ctx), "line 2"));
    }
}

static mpno_status whole_page(mpno_text *out) {
    static const float field[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const mpno_panel_row map = {"map", {field, 3, 4}, {field, 3, 4}, {field, 3, 4}, NULL};
    const mpno_panel_row line = {"line", {field, 12, 1}, {field, 12, 1}, {field, 12, 1}, NULL};
    mpno_history h;
    MPNO_TRY(mpno_history_read(ctx, path, &h));
    mpno_status status = mpno_page_begin(out, "title", "subtitle");
    if (status == MPNO_OK) status = mpno_history_charts(&h, out);
    if (status == MPNO_OK) status = mpno_history_table(&h, out);
    mpno_history_clear(&h);
    MPNO_TRY(status);
    MPNO_TRY(mpno_picture_panels_html(ctx, NULL, &map, 1, out));
    MPNO_TRY(mpno_picture_panels_html(ctx, NULL, &line, 1, out));
    MPNO_TRY(make_chart(out));
    return mpno_page_end(out);
}

static void memory_may_fail(void **state) {
    (void)state;
    write_log(log_text, strlen(log_text));
    mpno_status status;
    int64_t n = 0;
    do {
        mpno_text text = {.ctx = ctx};
        mpno_alloc_fail_after(ctx, n++);
        status = whole_page(&text);
        mpno_alloc_fail_after(ctx, -1);
        mpno_text_discard(&text);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
        if (status != MPNO_OK) assert_int_equal(status, MPNO_E_MEMORY);
    } while (status != MPNO_OK);
    assert_true(n > 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_never_markup), cmocka_unit_test(coordinates_have_a_point),
        cmocka_unit_test(images_are_base64),    cmocka_unit_test(charts_place_points),
        cmocka_unit_test(history_has_columns),  cmocka_unit_test(history_cut_anywhere),
        cmocka_unit_test(history_damaged),      cmocka_unit_test(memory_may_fail)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
