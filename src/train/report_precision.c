/* SPDX-License-Identifier: MIT
 * A table of tensors as the last look found them, and every warning of the run. */
#include "train/report_precision.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/value.h"

static mpno_status share_cell(mpno_table *table, double part, double whole) {
    return isnan(part) ? mpno_table_cell(table, "%s", "")
                       : mpno_table_cell(table, "%.2g %%", 100 * part / whole);
}

static mpno_status tensor_row(const mpno_value *t, mpno_table *table) {
    const double values = mpno_value_get_real(t, "values"),
                 decibel = mpno_value_get_real(t, "sqnr_db");
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_value_get_string(t, "layer", "?")));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_value_get_string(t, "tensor", "?")));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_value_get_string(t, "format", "?")));
    MPNO_TRY(mpno_table_cell(table, "%.3g", mpno_value_get_real(t, "largest")));
    MPNO_TRY(mpno_table_cell(table, "%.3g", mpno_value_get_real(t, "headroom")));
    MPNO_TRY(share_cell(table, mpno_value_get_real(t, "zero"), values));
    MPNO_TRY(share_cell(table, mpno_value_get_real(t, "subnormal"), values));
    MPNO_TRY(share_cell(table, mpno_value_get_real(t, "lost_to_zero"),
                        mpno_value_get_real(t, "compared")));
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
        if (strcmp(mpno_value_get_string(event, "event", "?"), "warning") != 0) continue;
        snprintf(line, sizeof line, "Epoch %.0f: %s: %s.", mpno_value_get_real(event, "epoch"),
                 mpno_value_get_string(event, "diagnosis", "?"),
                 mpno_value_get_string(event, "text", "?"));
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
             mpno_value_get_real(event, "epoch"), mpno_value_get_string(event, "policy", "?"));
    MPNO_TRY(mpno_page_paragraph(page, line));
    MPNO_TRY(mpno_page_fold(page, "Every tensor", true));
    MPNO_TRY(mpno_table_create(ctx, &table));
    mpno_status status = fill_table(event, table);
    if (status == MPNO_OK) status = mpno_page_table(page, table);
    mpno_table_destroy(&table);
    return status == MPNO_OK ? mpno_page_fold_end(page) : status;
}
