/* SPDX-License-Identifier: MIT
 * See report_costs.h. A phase is a stretch of epochs under one policy. */
#include "train/report_costs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "report/human.h"
#include "report/table.h"

typedef struct costs {
    mpno_ctx *ctx;
    const mpno_history *history;
    const mpno_value *plan, *summary;
} costs;

static const mpno_value *plan_of(const costs *c, const char *policy) {
    return mpno_value_get(mpno_value_get(c->plan, "policies"), policy);
}

static mpno_status bytes_cell(mpno_table *table, double bytes) {
    char text[MPNO_HUMAN_CAPACITY];
    return mpno_table_cell(table, "%s",
                           isnan(bytes) ? "" : mpno_human_bytes((uint64_t)bytes, text));
}

static mpno_status memory_row(mpno_table *table, const char *policy, const char *what,
                              double planned, double measured) {
    MPNO_TRY(mpno_table_cell(table, "%s", policy));
    MPNO_TRY(mpno_table_cell(table, "%s", what));
    MPNO_TRY(bytes_cell(table, planned));
    MPNO_TRY(bytes_cell(table, measured));
    return isnan(measured / planned) ? mpno_table_cell(table, "%s", "")
                                     : mpno_table_cell(table, "%.3f", measured / planned);
}

static mpno_status memory_rows(const costs *c, mpno_table *table) {
    static const char *const headings[] = {"policy", "what", "plan", "run", "run / plan"};
    double peak = NAN;
    for (int i = 0; i < 5; i++)
        MPNO_TRY(mpno_table_column(table, headings[i], i < 2 ? MPNO_LEFT : MPNO_RIGHT));
    for (size_t i = 0; i < c->history->events->n; i++) {
        const mpno_value *event = c->history->events->items[i];
        if (strcmp(mpno_value_get_string(event, "event", ""), "phase") != 0) continue;
        const char *policy = mpno_value_get_string(event, "policy", "");
        const mpno_value *entry = plan_of(c, policy), *step = mpno_value_get(entry, "training");
        MPNO_TRY(memory_row(table, policy, "gradients, moments and copies of weights",
                            mpno_value_get_real(step, "state_bytes"),
                            mpno_value_get_real(event, "state_bytes")));
        MPNO_TRY(memory_row(table, policy, "activations of a training step",
                            mpno_value_get_real(step, "activation_bytes"),
                            mpno_value_get_real(event, "activation_bytes")));
        peak = fmax(peak, mpno_value_get_real(entry, "run_peak_bytes"));
    }
    return memory_row(table, "", "most at any time of the run, data included", peak,
                      mpno_value_get_real(c->summary, "peak_bytes"));
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Epochs first .. end - 1; sorted: room for their times. */
static mpno_status time_row(const costs *c, mpno_table *table, size_t first, size_t end,
                            double *sorted) {
    const char *policy = c->history->policies[first];
    const double *epoch = mpno_history_column(c->history, "epoch");
    const double *seconds = mpno_history_column(c->history, "seconds");
    const size_t n = end - first;
    char text[MPNO_HUMAN_CAPACITY];
    memcpy(sorted, seconds + first, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_size);
    const double median = 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]);
    const double flops =
        mpno_value_get_real(mpno_value_get(plan_of(c, policy), "training"), "flops");
    const double steps = (mpno_value_get_real(c->summary, "steps") +
                          mpno_value_get_real(c->summary, "skipped_steps")) /
                         mpno_value_get_real(c->summary, "epochs");
    MPNO_TRY(mpno_table_cell(table, "%s", policy));
    MPNO_TRY(mpno_table_cell(table, "%.0f to %.0f", epoch[first], epoch[end - 1]));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_seconds(median, text)));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_seconds(sorted[0], text)));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_seconds(sorted[n - 1], text)));
    MPNO_TRY(isnan(flops) ? mpno_table_cell(table, "%s", "")
                          : mpno_table_cell(table, "%.3g", flops * 1e-9));
    const double rate = flops * steps / median * 1e-9;
    return isnan(rate) ? mpno_table_cell(table, "%s", "") : mpno_table_cell(table, "%.3g", rate);
}

static mpno_status time_rows(const costs *c, mpno_table *table) {
    static const char *const headings[] = {
        "policy", "epochs", "an epoch: median", "least", "most", "Gflop a step (plan)", "Gflop/s"};
    const mpno_history *h = c->history;
    double *sorted = NULL;
    for (int i = 0; i < 7; i++)
        MPNO_TRY(mpno_table_column(table, headings[i], i < 2 ? MPNO_LEFT : MPNO_RIGHT));
    if (!mpno_history_column(h, "seconds")) return MPNO_OK;
    MPNO_TRY(mpno_alloc_array(c->ctx, h->n_epochs, sizeof *sorted, &sorted));
    mpno_status status = MPNO_OK;
    for (size_t first = 0, end = 1; status == MPNO_OK && first < h->n_epochs; first = end++) {
        while (end < h->n_epochs && strcmp(h->policies[end], h->policies[first]) == 0) end++;
        status = time_row(c, table, first, end, sorted);
    }
    mpno_free(c->ctx, sorted);
    return status;
}

static mpno_status add_table(const costs *c, mpno_status (*fill)(const costs *c, mpno_table *table),
                             mpno_text *page) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_table_create(c->ctx, &table));
    mpno_status status = fill(c, table);
    if (status == MPNO_OK) status = mpno_table_text(table, MPNO_TABLE_HTML, page);
    mpno_table_destroy(&table);
    return status;
}

mpno_status mpno_report_costs(mpno_ctx *ctx, const mpno_history *history, const mpno_value *plan,
                              const mpno_value *summary, mpno_text *page) {
    const costs c = {ctx, history, plan, summary};
    MPNO_TRY(add_table(&c, memory_rows, page));
    return add_table(&c, time_rows, page);
}
