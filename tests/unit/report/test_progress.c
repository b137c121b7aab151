/* SPDX-License-Identifier: MIT
 * Progress lines: they fit the terminal, come ten times a second at most, leave nothing behind;
 * human units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "report/human.h"
#include "report/progress.h"

struct sink {
    char last[4096];
    int n;
};

static void catch (void *user, const char *text) {
    struct sink *sink = user;
    snprintf(sink->last, sizeof sink->last, "%s", text);
    sink->n++;
}

static const mpno_progress_state example = {.epoch = 2,
                                            .n_epochs = 20,
                                            .step = 30,
                                            .n_steps = 120,
                                            .loss = 0.0123456,
                                            .samples_per_second = 812.34,
                                            .eta_seconds = 187,
                                            .bytes = 640u << 20,
                                            .policy = "mixed",
                                            .loss_scale = 65536};

/* Columns of the text after the first \r, trailing spaces included. */
static int columns_of(const char *text) {
    int n = 0;
    for (; *text; text++)
        n += *text != '\r' && *text != '\n' && ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void a_wide_line_has_everything(void **state) {
    (void)state;
    struct sink sink = {"", 0};
    mpno_progress progress = mpno_progress_make(catch, &sink, true, false, 120);
    mpno_progress_step(&progress, &example, 0);
    assert_string_equal(
        sink.last,
        "\repoch  3/20   25% |#####-----------------|  loss 0.01235  3 min 07 s left"
        "  812.3 samples/s  640 MiB  mixed  scale 65536");
    progress.width = 80; /* the last parts go before the first */
    mpno_progress_step(&progress, &example, 1);
    assert_non_null(strstr(sink.last, "loss 0.01235  3 min 07 s left  812.3 samples/s"));
    assert_null(strstr(sink.last, "scale"));
    mpno_progress_state fast = example; /* no exponent */
    fast.samples_per_second = 12345.6;
    progress.width = 120;
    mpno_progress_step(&progress, &fast, 2);
    assert_non_null(strstr(sink.last, "  12346 samples/s  "));
}

static void every_width_fits(void **state) {
    (void)state;
    for (int unicode = 0; unicode < 2; unicode++)
        for (int width = 1; width <= 400; width++) {
            struct sink sink = {"", 0};
            mpno_progress progress = mpno_progress_make(catch, &sink, true, unicode, width);
            mpno_progress_step(&progress, &example, 0);
            assert_int_equal(sink.n, 1);
            assert_true(sink.last[0] == '\r' && strchr(sink.last, '\n') == NULL);
            assert_true(columns_of(sink.last) < width);
            assert_true(width < 40 || strstr(sink.last, "loss 0.01235") != NULL);
            assert_int_equal(progress.shown, columns_of(sink.last));
            mpno_progress_epoch(&progress, &example, "test 0.5");
            assert_true(columns_of(sink.last) < width);
        }
}

static void odd_numbers_fit_too(void **state) {
    (void)state;
    mpno_progress_state odd = {.epoch = INT64_MAX - 1,
                               .n_epochs = INT64_MAX,
                               .step = 7,
                               .n_steps = 0,
                               .loss = NAN,
                               .samples_per_second = 1e300,
                               .eta_seconds = 1e300,
                               .bytes = UINT64_MAX,
                               .loss_scale = 1e38};
    struct sink sink = {"", 0};
    mpno_progress progress = mpno_progress_make(catch, &sink, true, true, 240);
    mpno_progress_step(&progress, &odd, 0);
    assert_true(columns_of(sink.last) < 240);
    assert_non_null(strstr(sink.last, "loss nan"));
    assert_non_null(strstr(sink.last, "16.0 EiB"));
}

static void the_bar_fills(void **state) {
    (void)state;
    struct sink sink = {"", 0};
    mpno_progress progress = mpno_progress_make(catch, &sink, true, true, 43);
    mpno_progress_state now = {.n_epochs = 1, .n_steps = 64, .loss = 0, .eta_seconds = -1};
    static const struct {
        int step;
        const char *cells;
    } cases[] = {{0, "|                |"},
                 {1, "|\u258e               |"},
                 {32, "|████████        |"},
                 {64, "|████████████████|"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        now.step = cases[i].step;
        mpno_progress_step(&progress, &now, (double)i);
        assert_non_null(strstr(sink.last, cases[i].cells));
    }
}

static void at_most_ten_updates_a_second(void **state) {
    (void)state;
    struct sink sink = {"", 0};
    mpno_progress progress = mpno_progress_make(catch, &sink, true, false, 80);
    for (int i = 0; i < 10000; i++) mpno_progress_step(&progress, &example, i * 1e-3);
    assert_in_range(sink.n, 80, 100);
}

static void a_shorter_line_covers_the_longer(void **state) {
    (void)state;
    struct sink sink = {"", 0};
    mpno_progress progress = mpno_progress_make(catch, &sink, true, false, 100);
    mpno_progress_step(&progress, &example, 0);
    int long_columns = columns_of(sink.last);
    mpno_progress_epoch(&progress, &example, NULL);
    assert_int_equal(columns_of(sink.last), long_columns);
    assert_true(sink.last[strlen(sink.last) - 1] == '\n');
    mpno_progress_clear(&progress);
    assert_int_equal(sink.n, 2); /* nothing on the line any more */
    mpno_progress_step(&progress, &example, 1);
    mpno_progress_clear(&progress);
    assert_int_equal(columns_of(sink.last), long_columns);
    assert_true(sink.last[strlen(sink.last) - 1] == '\r');
}

static void off_a_terminal_one_plain_line_per_epoch(void **state) {
    (void)state;
    struct sink sink = {"", 0};
    mpno_progress progress = mpno_progress_make(catch, &sink, false, true, 40);
    for (int i = 0; i < 50; i++) mpno_progress_step(&progress, &example, i);
    mpno_progress_clear(&progress);
    assert_int_equal(sink.n, 0);
    mpno_progress_epoch(&progress, &example, "test 0.0211");
    assert_int_equal(sink.n, 1);
    assert_string_equal(
        sink.last,
        "epoch  3/20  test 0.0211  loss 0.01235  812.3 samples/s  640 MiB  mixed  scale 65536\n");
}

static void units(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {1024, "1.00 KiB"},
                 {1536, "1.50 KiB"},
                 {10230, "9.99 KiB"},
                 {10239, "10.0 KiB"},
                 {1048575, "1.00 MiB"},
                 {640u << 20, "640 MiB"},
                 {UINT64_MAX, "16.0 EiB"}};
    static const struct {
        double seconds;
        const char *text;
    } times[] = {
        {0, "0 s"},           {8.5e-4, "850 us"},    {0.0123, "12.3 ms"},   {0.99999, "1.00 s"},
        {4.2, "4.20 s"},      {59.97, "1 min 00 s"}, {187.4, "3 min 07 s"}, {3599.7, "1 h 00 min"},
        {7500, "2 h 05 min"}, {86399, "1 d 00 h"},   {273600, "3 d 04 h"},  {-1, "?"},
        {NAN, "?"},           {INFINITY, "?"}};
    char out[MPNO_HUMAN_CAPACITY];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_string_equal(mpno_human_bytes(sizes[i].bytes, out), sizes[i].text);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        assert_string_equal(mpno_human_seconds(times[i].seconds, out), times[i].text);
}

static void sizes_with_units_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0B", 0},           {"512 B", 512},       {"300MiB", 300u << 20},
                {"2GB", 2000000000}, {"1.5KiB", 1536},     {"1e3 kB", 1000000},
                {"0.5 MB", 500000},  {"3TiB", 3ull << 40}, {"1TB", 1000000000000}};
    static const char *const bad[] = {"",     "B",  "300",    "-1GB",  "+1GB", " 1GB",  "1GB ",
                                      "1 gb", "1G", "1e99GB", "infGB", "1GBs", "1,5GB", "nan B"};
    uint64_t bytes;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(mpno_human_parse_bytes(good[i].text, &bytes));
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (mpno_human_parse_bytes(bad[i], &bytes)) fail_msg("'%s' was read", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wide_line_has_everything),
        cmocka_unit_test(every_width_fits),
        cmocka_unit_test(odd_numbers_fit_too),
        cmocka_unit_test(the_bar_fills),
        cmocka_unit_test(at_most_ten_updates_a_second),
        cmocka_unit_test(a_shorter_line_covers_the_longer),
        cmocka_unit_test(off_a_terminal_one_plain_line_per_epoch),
        cmocka_unit_test(units),
        cmocka_unit_test(sizes_with_units_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
