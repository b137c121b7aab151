/* SPDX-License-Identifier: MIT
 * Tables and JSON on standard output. */
#include <stdio.h>
#include <unistd.h>

#include "bench.h"

mpno_status bench_columns(mpno_table *table, const char *const *headings, size_t n) {
    for (size_t i = 0; i < n; i++)
        MPNO_TRY(mpno_table_column(table, headings[i] + 1,
                                   headings[i][0] == '<' ? MPNO_LEFT : MPNO_RIGHT));
    return MPNO_OK;
}

mpno_status bench_print_table(mpno_ctx *ctx, bench_table_filler fill, const void *what) {
    mpno_text text = {.ctx = ctx};
    const mpno_table_style style = isatty(STDOUT_FILENO) ? MPNO_TABLE_BOX : MPNO_TABLE_ASCII;
    mpno_table *table;
    MPNO_TRY(mpno_table_create(ctx, &table));
    mpno_status status = fill(what, table);
    if (status == MPNO_OK) status = mpno_table_text(table, style, &text);
    if (status == MPNO_OK && text.data != NULL) fputs(text.data, stdout);
    mpno_text_discard(&text);
    mpno_table_destroy(&table);
    return status;
}

mpno_status bench_print_json(mpno_ctx *ctx, bench_filler fill, const void *what) {
    mpno_value *map = NULL;
    char *text = NULL;
    MPNO_TRY(mpno_value_map(ctx, &map));
    mpno_status status = fill(ctx, what, map);
    if (status == MPNO_OK) status = mpno_json_text(ctx, map, false, &text);
    if (status == MPNO_OK) puts(text);
    mpno_free(ctx, text);
    mpno_value_destroy(ctx, &map);
    return status;
}
