/* SPDX-License-Identifier: MIT
 * Tables against their exact text, in all three styles, and with failing memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/memory.h"
#include "report/table.h"

static mpno_ctx *ctx;

static int set_up(void **state) {
    (void)state;
    return mpno_ctx_create(NULL, &ctx) == MPNO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    mpno_ctx_destroy(&ctx);
    return 0;
}

static mpno_status fill(mpno_table *table) {
    MPNO_TRY(mpno_table_column(table, "tensor", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "MiB", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "\u00b1", MPNO_CENTRE));
    MPNO_TRY(mpno_table_cell(table, "weights"));
    MPNO_TRY(mpno_table_cell(table, "%.1f", 12.25));
    MPNO_TRY(mpno_table_cell(table, "a|b"));
    MPNO_TRY(mpno_table_cell(table, "two\nlines"));
    MPNO_TRY(mpno_table_rule(table));
    MPNO_TRY(mpno_table_cell(table, "sum"));
    return mpno_table_cell(table, "%d", 100);
}

static mpno_status make(mpno_table_style style, mpno_text *out) {
    mpno_table *table;
    MPNO_TRY(mpno_table_create(ctx, &table));
    mpno_status status = fill(table);
    if (status == MPNO_OK) status = mpno_table_text(table, style, out);
    mpno_table_destroy(&table);
    assert_null(table);
    return status;
}

static void assert_text(mpno_table_style style, const char *expected) {
    mpno_text text = {.ctx = ctx};
    assert_int_equal(make(style, &text), MPNO_OK);
    assert_string_equal(text.data, expected);
    mpno_text_discard(&text);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
}

static void styles(void **state) {
    (void)state;
    assert_text(MPNO_TABLE_ASCII,
                "+-----------+------+-----+\n"
                "| tensor    |  MiB |  \u00b1  |\n"
                "+-----------+------+-----+\n"
                "| weights   | 12.2 | a|b |\n"
                "| two lines |      |     |\n"
                "+-----------+------+-----+\n"
                "| sum       |  100 |     |\n"
                "+-----------+------+-----+\n");
    assert_text(MPNO_TABLE_BOX,
                "┌───────────┬──────┬─────┐\n"
                "│ tensor    │  MiB │  \u00b1  │\n"
                "├───────────┼──────┼─────┤\n"
                "│ weights   │ 12.2 │ a|b │\n"
                "│ two lines │      │     │\n"
                "├───────────┼──────┼─────┤\n"
                "│ sum       │  100 │     │\n"
                "└───────────┴──────┴─────┘\n");
    assert_text(MPNO_TABLE_MARKDOWN,
                "| tensor    |  MiB |  \u00b1   |\n"
                "| :-------- | ---: | :--: |\n"
                "| weights   | 12.2 | a\\|b |\n"
                "| two lines |      |      |\n"
                "| sum       |  100 |      |\n");
}

static void order_of_calls_is_checked(void **state) {
    (void)state;
    mpno_text text = {.ctx = ctx};
    mpno_table *table;
    assert_int_equal(mpno_table_create(ctx, &table), MPNO_OK);
    assert_int_equal(mpno_table_text(table, MPNO_TABLE_BOX, &text), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_table_cell(table, "x"), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_table_column(table, "a", MPNO_LEFT), MPNO_OK);
    assert_int_equal(mpno_table_cell(table, "x"), MPNO_OK);
    assert_int_equal(mpno_table_column(table, "late", MPNO_LEFT), MPNO_E_ARGUMENT);
    assert_non_null(strstr(mpno_ctx_error(ctx), "late"));
    mpno_table_destroy(&table);
    mpno_table_destroy(&table);
    mpno_table_destroy(NULL);
    assert_int_equal(mpno_ctx_bytes(ctx), 0);
}

static void failing_memory(void **state) {
    (void)state;
    int64_t n = 0;
    for (;; n++) {
        mpno_text text = {.ctx = ctx};
        mpno_alloc_fail_after(ctx, n);
        mpno_status status = make(MPNO_TABLE_BOX, &text);
        mpno_alloc_fail_after(ctx, -1);
        mpno_text_discard(&text);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
        if (status == MPNO_OK) break;
        assert_int_equal(status, MPNO_E_MEMORY);
        assert_true(n < 200);
    }
    assert_true(n > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(styles),
        cmocka_unit_test(order_of_calls_is_checked),
        cmocka_unit_test(failing_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
