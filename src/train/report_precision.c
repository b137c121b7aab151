/* SPDX-License-Identifier: MIT
 * A table of tensors as the last look found them, and every warning of the run. */
#include "train/report_precision.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/value.h"

static const char *text_of(const mpno_value *map, const char *key) {
    const mpno_value *item = mpno_value_get(map, key);
    return item && item->kind == MPNO_VALUE_STRING ? item->string : "?";
}

static double real_of(const mpno_value *map, const char *key) {
    const mpno_value *item = mpno_value_get(map, key);
    const bool number = item && (item->kind == MPNO_VALUE_INT || item->kind == MPNO_VALUE_REAL);
    return number ? item->real : NAN;
}

static mpno_status share_cell(mpno_table *table, double part, double whole) {
    return isnan(part) ? mpno_table_cell(table, "%s", "")
                       : mpno_table_cell(table, "%.2g %%", 100 * part / whole);
}

static mpno_status tensor_row(const mpno_value *t, mpno_table *table) {
    const double values = real_of(t, "values"), decibel = real_of(t, "sqnr_db");
    MPNO_TRY(mpno_table_cell(table, "%s", text_of(t, "layer")));
    MPNO_TRY(mpno_table_cell(table, "%s", text_of(t, "tensor")));
    MPNO_TRY(mpno_table_cell(table, "%s", text_of(t, "format")));
    MPNO_TRY(mpno_table_cell(table, "%.3g", real_of(t, "largest")));
    MPNO_TRY(mpno_table_cell(table, "%.3g", real_of(t, "headroom")));
    MPNO_TRY(share_cell(table, real_of(t, "zero"), values));
    MPNO_TRY(share_cell(table, real_of(t, "subnormal"), values));
    MPNO_TRY(share_cell(table, real_of(t, "lost_to_zero"), real_of(t, "compared")));
    return isnan(decibel) ? mpno_table_cell(table, "%s", "")
                          : mpno_table_cell(table, "%.0f", decibel);
}

static mpno_status fill_table(const mpno_value *event, mpno_table *table) {
    static const char *const headings[] = {
        "layer",         "tensor",         "format",
        "largest value", "head-room",      "zero",
        "subnormal",     "zero only here", "signal to rounding noise, dB"};
    const mpno_value *tensors = mpno_value_get(event, "tensors");
    for (int i = 0; i < 9; i++)
        MPNO_TRY(mpno_table_column(table, headings[i], i < 3 ? MPNO_LEFT : MPNO_RIGHT));
    for (size_t i = 0; tensors != NULL && i < tensors->n; i++)
        MPNO_TRY(tensor_row(tensors->items[i], table));
    return MPNO_OK;
}

static mpno_status add_warnings(const mpno_history *h, mpno_text *page) {
    char line[640];
    for (size_t i = 0; i < h->events->n; i++) {
        const mpno_value *event = h->events->items[i];
        if (strcmp(text_of(event, "event"), "warning") != 0) continue;
        snprintf(line, sizeof line, "Epoch %.0f: %s: %s.", real_of(event, "epoch"),
                 text_of(event, "diagnosis"), text_of(event, "text"));
        MPNO_TRY(mpno_page_paragraph(page, line));
    }
    return MPNO_OK;
}

mpno_status mpno_report_precision(mpno_ctx *ctx, const mpno_history *h, mpno_text *page) {
    const mpno_value *event = mpno_history_last(h, "diagnostics");
    mpno_table *table = NULL;
    char line[256];
    if (event == NULL) return MPNO_OK;
    MPNO_TRY(mpno_page_section(page, "Precision"));
    MPNO_TRY(add_warnings(h, page));
    snprintf(line, sizeof line,
             "Stored tensors in epoch %.0f under policy %s. Head-room: how many times as large the "
             "largest value may become. Beside full: values that are zero only here, and signal to "
             "rounding noise.",
             real_of(event, "epoch"), text_of(event, "policy"));
    MPNO_TRY(mpno_page_paragraph(page, line));
    MPNO_TRY(mpno_page_fold(page, "Every tensor", true));
    MPNO_TRY(mpno_table_create(ctx, &table));
    mpno_status status = fill_table(event, table);
    if (status == MPNO_OK) status = mpno_page_table(page, table);
    mpno_table_destroy(&table);
    return status == MPNO_OK ? mpno_page_fold_end(page) : status;
}
