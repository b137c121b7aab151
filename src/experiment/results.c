/* SPDX-License-Identifier: MIT
 * Files of results: see results.h. */
#include "experiment/results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "report/bars.h"
#include "report/png.h"
#include "report/table.h"

enum { PATH = 4096 };

typedef struct writer {
    const mpno_campaign *c;
    mpno_row *rows; /* owned */
    size_t n_rows;
    mpno_text page;
} writer;

static mpno_status path_of(const mpno_campaign *c, const char *name, char out[PATH]) {
    return mpno_path_join(c->ctx, c->folder, name, out, PATH);
}

static mpno_status write_text(const mpno_campaign *c, const char *name, const mpno_text *text) {
    char path[PATH];
    MPNO_TRY(path_of(c, name, path));
    return mpno_file_write_atomic(c->ctx, path, text->data, text->size);
}

static int64_t n_results(const mpno_campaign *c) {
    return 2 * (int64_t)c->design->n_cells * c->design->n_seeds;
}

/* ---- results.csv ---- */

/* One field: in quotes where it needs them. */
static mpno_status add_field(mpno_text *text, const char *field, bool last) {
    const bool plain = strpbrk(field, ",\"\n") == NULL;
    if (plain) return mpno_text_add(text, "%s%s", field, last ? "\n" : ",");
    MPNO_TRY(mpno_text_add(text, "\""));
    for (const char *at = field; *at != '\0'; at++)
        MPNO_TRY(mpno_text_add(text, "%s%c", *at == '"' ? "\"" : "", *at == '\n' ? ' ' : *at));
    return mpno_text_add(text, "\"%s", last ? "\n" : ",");
}

static mpno_status add_number(mpno_text *text, const mpno_value *map, const char *key) {
    const mpno_value *value = mpno_value_get(map, key);
    char number[MPNO_REAL_TEXT] = "";
    if (value != NULL && value->kind == MPNO_VALUE_INT)
        snprintf(number, sizeof number, "%lld", (long long)value->integer);
    else if (value != NULL && value->kind == MPNO_VALUE_REAL)
        mpno_real_text(value->real, number);
    return add_field(text, number, false);
}

/* A row for one test set (NULL: a run that failed has none). */
static mpno_status add_row(const mpno_campaign *c, const mpno_value *result, const char *evaluation,
                           const char *set, const mpno_value *errors, mpno_text *text) {
    const mpno_value *cell = mpno_value_get(result, "cell"),
                     *equal = mpno_value_get(result, "equal_time");
    for (int a = 0; a < c->design->n_axes; a++)
        MPNO_TRY(add_field(text, mpno_value_get_string(cell, c->design->axes->keys[a], ""), false));
    MPNO_TRY(add_number(text, result, "seed"));
    MPNO_TRY(
        add_field(text, equal != NULL && equal->boolean ? "equal time" : "equal epochs", false));
    MPNO_TRY(add_field(text, evaluation, false));
    MPNO_TRY(add_field(text, set != NULL ? set : "", false));
    MPNO_TRY(add_number(text, errors, "l2"));
    MPNO_TRY(add_number(text, errors, "h1"));
    MPNO_TRY(add_number(text, errors, "mse"));
    MPNO_TRY(add_number(text, result, "epochs"));
    MPNO_TRY(add_number(text, result, "seconds_per_epoch"));
    MPNO_TRY(add_number(text, result, "step_flops"));
    MPNO_TRY(add_number(text, result, "activation_bytes"));
    MPNO_TRY(add_number(text, result, "peak_bytes"));
    MPNO_TRY(add_number(text, result, "train_loss"));
    MPNO_TRY(add_field(text, mpno_value_get_string(result, "status", ""), false));
    return add_field(text, mpno_value_get_string(result, "message", ""), true);
}

static mpno_status add_result(const mpno_campaign *c, const mpno_value *result, mpno_text *text) {
    const mpno_value *test = mpno_value_get(result, "test");
    size_t rows = 0;
    for (size_t e = 0; test != NULL && e < test->n; e++)
        for (size_t s = 0; s < test->items[e]->n; s++, rows++)
            MPNO_TRY(add_row(c, result, test->keys[e], test->items[e]->keys[s],
                             test->items[e]->items[s], text));
    return rows > 0 ? MPNO_OK : add_row(c, result, MPNO_AS_TRAINED, NULL, NULL, text);
}

static mpno_status write_csv(const mpno_campaign *c) {
    mpno_text text = {.ctx = c->ctx};
    mpno_status status = MPNO_OK;
    for (int a = 0; a < c->design->n_axes && status == MPNO_OK; a++)
        status = add_field(&text, c->design->axes->keys[a], false);
    if (status == MPNO_OK)
        status =
            mpno_text_add(&text,
                          "seed,time,evaluated,test,l2,h1,mse,epochs,seconds_per_epoch,step_flops,"
                          "activation_bytes,peak_bytes,train_loss,status,message\n");
    for (int64_t i = 0; i < n_results(c) && status == MPNO_OK; i++)
        if (c->results[i] != NULL) status = add_result(c, c->results[i], &text);
    if (status == MPNO_OK) status = write_text(c, "results.csv", &text);
    mpno_text_discard(&text);
    return status;
}

/* ---- results.json ---- */

static mpno_status fill_tree(const mpno_campaign *c, mpno_value *tree) {
    mpno_value *runs = NULL;
    MPNO_TRY(mpno_value_set_string(c->ctx, tree, "experiment", c->design->name));
    MPNO_TRY(mpno_value_set_string(c->ctx, tree, "size", c->opts->full ? "full" : "quick"));
    MPNO_TRY(mpno_value_set_string(c->ctx, tree, "version", mpno_version()));
    MPNO_TRY(mpno_value_set_string(c->ctx, tree, "isa", mpno_ctx_isa(c->ctx)));
    MPNO_TRY(mpno_value_set_int(c->ctx, tree, "threads", mpno_ctx_n_threads(c->ctx)));
    MPNO_TRY(mpno_value_set_list(c->ctx, tree, "runs", &runs));
    for (int64_t i = 0; i < n_results(c); i++) {
        mpno_value *copy = NULL;
        if (c->results[i] == NULL) continue;
        MPNO_TRY(mpno_value_clone(c->ctx, c->results[i], &copy));
        MPNO_TRY(mpno_value_append(c->ctx, runs, copy));
    }
    return MPNO_OK;
}

static mpno_status write_json(const mpno_campaign *c, mpno_value **tree) {
    char path[PATH];
    MPNO_TRY(path_of(c, "results.json", path));
    MPNO_TRY(mpno_value_map(c->ctx, tree));
    mpno_status status = fill_tree(c, *tree);
    if (status == MPNO_OK) status = mpno_json_write(c->ctx, path, *tree);
    if (status != MPNO_OK) mpno_value_destroy(c->ctx, tree);
    return status;
}

/* Whether the row says something of a test set: runs of it name the set, or none came to an end. */
static bool speaks_of(const mpno_campaign *c, const mpno_row *row, const char *set) {
    bool any = false;
    for (int64_t s = 0; s < c->design->n_seeds; s++) {
        const mpno_value *test =
            mpno_value_get(*mpno_campaign_result(c, row->cell, s, row->equal_time), "test");
        for (size_t e = 0; test != NULL && e < test->n; e++) {
            if (mpno_value_get(test->items[e], set) != NULL) return true;
            any = any || test->items[e]->n > 0;
        }
    }
    return !any;
}

/* ---- a picture ---- */

static const char *failure_of(const mpno_campaign *c, const mpno_row *row) {
    const mpno_value *result = *mpno_campaign_result(c, row->cell, 0, row->equal_time);
    return strcmp(mpno_value_get_string(result, "status", ""), "failed") == 0 ? "not finite"
                                                                              : "none";
}

/* The first axis with several labels gives the colours. */
static int colour_of(const mpno_campaign *c, const mpno_row *row) {
    int colour = 0;
    for (int a = 0; a < c->design->n_axes; a++) {
        const mpno_value *cells = c->design->axes->items[a];
        if (cells->n < 2) continue;
        for (size_t i = 0; i < cells->n; i++)
            if (cells->keys[i] == mpno_design_label(c->design, row->cell, a)) colour = (int)i;
        break;
    }
    return colour;
}

static mpno_status draw(const writer *w, const char *set, const char *measure, const char *name) {
    const mpno_campaign *c = w->c;
    char title[160], unit[60], path[PATH], (*names)[120];
    mpno_bar *bars;
    mpno_canvas canvas = {0};
    MPNO_TRY(mpno_alloc_array(c->ctx, w->n_rows, sizeof *bars, &bars));
    mpno_status status = mpno_alloc_array(c->ctx, w->n_rows, sizeof *names, &names);
    size_t n = 0;
    for (size_t i = 0; i < w->n_rows && status == MPNO_OK; i++) {
        const mpno_spread s = mpno_row_errors(c, &w->rows[i], set, measure);
        if (!speaks_of(c, &w->rows[i], set)) continue;
        mpno_row_text(c, &w->rows[i], names[n], sizeof names[n]);
        bars[n] = (mpno_bar){.name = names[n],
                             .value = s.mean,
                             .deviation = s.deviation,
                             .colour = colour_of(c, &w->rows[i]),
                             .note = failure_of(c, &w->rows[i])};
        n++;
    }
    snprintf(title, sizeof title, "%.80s: test %.40s", c->design->name, set);
    snprintf(unit, sizeof unit, "relative %c%c error, mean of %lld seed%s", measure[0] - 32,
             measure[1], (long long)c->design->n_seeds, c->design->n_seeds > 1 ? "s" : "");
    const mpno_bars all = {.title = title, .unit = unit, .bars = bars, .n = n};
    if (status == MPNO_OK) status = path_of(c, name, path);
    if (status == MPNO_OK) status = mpno_bars_draw(c->ctx, &all, &canvas);
    if (status == MPNO_OK)
        status = mpno_png_write(c->ctx, path, canvas.width, canvas.height, canvas.rgb);
    mpno_canvas_destroy(c->ctx, &canvas);
    mpno_free(c->ctx, names);
    mpno_free(c->ctx, bars);
    return status;
}

/* ---- report.md ---- */

static mpno_status spread_cell(mpno_table *table, const mpno_spread *s) {
    if (s->n == 0) return mpno_table_cell(table, "-");
    if (s->n == 1) return mpno_table_cell(table, "%.4g", s->mean);
    return mpno_table_cell(table, "%.4g +- %.2g", s->mean, s->deviation);
}

/* "+1.3 % (allowed 2.1 %)", in parts of the reference's mean. */
static mpno_status compare_cell(mpno_table *table, const mpno_spread *own,
                                const mpno_spread *reference, bool same) {
    const mpno_comparison c = mpno_compare_spreads(own, reference);
    if (same) return mpno_table_cell(table, "reference");
    if (!isfinite(c.excess)) return mpno_table_cell(table, "-");
    const double percent = 100 / reference->mean;
    if (own->n < 2 || reference->n < 2)
        return mpno_table_cell(table, "%+.2f %%", c.excess * percent);
    return mpno_table_cell(table, "%+.2f %%, %s (%.2f %% allowed)", c.excess * percent,
                           c.not_worse ? "not worse" : "WORSE", c.allowed * percent);
}

static mpno_status fill_headings(const writer *w, mpno_table *table) {
    const mpno_design *d = w->c->design;
    for (int a = 0; a < d->n_axes; a++)
        MPNO_TRY(mpno_table_column(table, d->axes->keys[a], MPNO_LEFT));
    if (d->evaluate != NULL) MPNO_TRY(mpno_table_column(table, "evaluated", MPNO_LEFT));
    if (d->equal_time) MPNO_TRY(mpno_table_column(table, "time", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "seeds", MPNO_RIGHT));
    static const char *const headings[] = {"L2", "H1"};
    for (int m = 0; m < MPNO_N_MEASURES; m++) {
        MPNO_TRY(mpno_table_column(table, headings[m], MPNO_RIGHT));
        if (d->reference != NULL)
            MPNO_TRY(mpno_table_column(table, "against the reference", MPNO_RIGHT));
    }
    MPNO_TRY(mpno_table_column(table, "epochs", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "s/epoch", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "Gflop/step", MPNO_RIGHT));
    MPNO_TRY(mpno_table_column(table, "activations, MiB", MPNO_RIGHT));
    return mpno_table_column(table, "peak, MiB", MPNO_RIGHT);
}

static mpno_status mib_cell(mpno_table *table, const mpno_spread *bytes) {
    return bytes->n == 0 || bytes->mean == 0
               ? mpno_table_cell(table, "-")
               : mpno_table_cell(table, "%.1f", bytes->mean / 1048576);
}

static mpno_status fill_row(const writer *w, const mpno_row *row, const char *set,
                            mpno_table *table) {
    const mpno_design *d = w->c->design;
    const mpno_row reference = mpno_row_reference(w->c, row);
    const bool same = reference.cell == row->cell && !row->equal_time &&
                      strcmp(reference.evaluation, row->evaluation) == 0;
    for (int a = 0; a < d->n_axes; a++)
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_design_label(d, row->cell, a)));
    if (d->evaluate != NULL) MPNO_TRY(mpno_table_cell(table, "%s", row->evaluation));
    if (d->equal_time)
        MPNO_TRY(mpno_table_cell(table, "%s", row->equal_time ? "equal time" : "equal epochs"));
    for (int m = 0; m < MPNO_N_MEASURES; m++) {
        const mpno_spread own = mpno_row_errors(w->c, row, set, mpno_measures[m]),
                          other = mpno_row_errors(w->c, &reference, set, mpno_measures[m]);
        if (m == 0) MPNO_TRY(mpno_table_cell(table, "%zu", own.n));
        MPNO_TRY(spread_cell(table, &own));
        if (d->reference != NULL) MPNO_TRY(compare_cell(table, &own, &other, same));
    }
    const mpno_spread epochs = mpno_row_number(w->c, row, "epochs"),
                      seconds = mpno_row_number(w->c, row, "seconds_per_epoch"),
                      flops = mpno_row_number(w->c, row, "step_flops"),
                      activations = mpno_row_number(w->c, row, "activation_bytes"),
                      peak = mpno_row_number(w->c, row, "peak_bytes");
    MPNO_TRY(epochs.n > 0 ? mpno_table_cell(table, "%.4g", epochs.mean)
                          : mpno_table_cell(table, "-"));
    MPNO_TRY(seconds.n > 0 ? mpno_table_cell(table, "%.3g", seconds.mean)
                           : mpno_table_cell(table, "-"));
    MPNO_TRY(flops.n > 0 ? mpno_table_cell(table, "%.3g", flops.mean * 1e-9)
                         : mpno_table_cell(table, "-"));
    MPNO_TRY(mib_cell(table, &activations));
    return mib_cell(table, &peak);
}

/* The table and the pictures of one test set. */
static mpno_status add_set(writer *w, const char *set) {
    static const char *const headings[] = {"L2", "H1"};
    mpno_table *table = NULL;
    MPNO_TRY(mpno_text_add(&w->page, "\n## Test set %s\n\n", set));
    MPNO_TRY(mpno_table_create(w->c->ctx, &table));
    mpno_status status = fill_headings(w, table);
    for (size_t i = 0; i < w->n_rows && status == MPNO_OK; i++)
        if (speaks_of(w->c, &w->rows[i], set)) status = fill_row(w, &w->rows[i], set, table);
    if (status == MPNO_OK) status = mpno_table_text(table, MPNO_TABLE_MARKDOWN, &w->page);
    mpno_table_destroy(&table);
    for (int m = 0; m < MPNO_N_MEASURES && status == MPNO_OK; m++) {
        char name[120];
        snprintf(name, sizeof name, "%.60s_%s.png", set, mpno_measures[m]);
        for (char *at = name; *at != '\0'; at++)
            if (strchr("/\\ #", *at) != NULL) *at = '-';
        status = draw(w, set, mpno_measures[m], name);
        if (status == MPNO_OK)
            status = mpno_text_add(&w->page, "\n![%s errors](%s)\n", headings[m], name);
    }
    return status;
}

/* Why a run failed; NULL: it did not. */
static const char *message_of(const mpno_campaign *c, int cell, int64_t seed, bool equal_time) {
    const mpno_value *result = *mpno_campaign_result(c, cell, seed, equal_time);
    if (result == NULL || strcmp(mpno_value_get_string(result, "status", ""), "failed") != 0)
        return NULL;
    return mpno_value_get_string(result, "message", "");
}

static bool same_message(const char *a, const char *b) {
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* The failure of a run, once for all seeds that failed with the same words: of the first of them.
 */
static mpno_status add_failure(writer *w, int cell, int64_t seed, bool equal_time) {
    const mpno_campaign *c = w->c;
    const char *message = message_of(c, cell, seed, equal_time);
    char text[256];
    if (message == NULL) return MPNO_OK;
    for (int64_t s = 0; s < seed; s++)
        if (same_message(message, message_of(c, cell, s, equal_time))) return MPNO_OK;
    mpno_design_cell_text(c->design, cell, text, sizeof text);
    MPNO_TRY(mpno_text_add(&w->page, "- %s%s, seed %lld", text, equal_time ? ", equal time" : "",
                           (long long)c->design->seeds[seed]));
    for (int64_t s = seed + 1; s < c->design->n_seeds; s++)
        if (same_message(message, message_of(c, cell, s, equal_time)))
            MPNO_TRY(mpno_text_add(&w->page, ", %lld", (long long)c->design->seeds[s]));
    return mpno_text_add(&w->page, ": %s\n", message);
}

/* Runs whose numbers were not finite, in their own words. */
static mpno_status add_failures(writer *w) {
    const mpno_design *d = w->c->design;
    bool any = false;
    for (int64_t i = 0; i < n_results(w->c); i++)
        any = any || message_of(w->c, (int)(i / 2 / d->n_seeds), i / 2 % d->n_seeds, i % 2);
    if (any) MPNO_TRY(mpno_text_add(&w->page, "\n## Runs that failed\n\n"));
    for (int cell = 0; any && cell < d->n_cells; cell++)
        for (int equal_time = 0; equal_time < 2; equal_time++)
            for (int64_t s = 0; s < d->n_seeds; s++) MPNO_TRY(add_failure(w, cell, s, equal_time));
    return MPNO_OK;
}

/* Test sets in the order in which runs name them. */
static mpno_status add_sets(writer *w) {
    const char *seen[32];
    size_t n = 0;
    for (int64_t i = 0; i < n_results(w->c); i++) {
        const mpno_value *test = mpno_value_get(w->c->results[i], "test");
        for (size_t e = 0; test != NULL && e < test->n; e++)
            for (size_t s = 0; s < test->items[e]->n; s++) {
                const char *set = test->items[e]->keys[s];
                bool known = n == sizeof seen / sizeof *seen;
                for (size_t k = 0; k < n; k++) known = known || strcmp(seen[k], set) == 0;
                if (!known) seen[n++] = set;
            }
    }
    for (size_t k = 0; k < n; k++) MPNO_TRY(add_set(w, seen[k]));
    return MPNO_OK;
}

static mpno_status write_page(writer *w) {
    const mpno_design *d = w->c->design;
    MPNO_TRY(mpno_text_add(&w->page, "# %s\n", *d->title != '\0' ? d->title : d->name));
    if (*d->asks != '\0') MPNO_TRY(mpno_text_add(&w->page, "\n%s\n", d->asks));
    MPNO_TRY(mpno_text_add(
        &w->page,
        "\n`mpno experiment %s%s`, %lld seed%s, kernels %s, %d threads. Errors are means over the "
        "seeds +- their standard deviation.",
        d->name, w->c->opts->full ? " --full" : "", (long long)d->n_seeds,
        d->n_seeds > 1 ? "s" : "", mpno_ctx_isa(w->c->ctx), mpno_ctx_n_threads(w->c->ctx)));
    if (d->reference != NULL)
        MPNO_TRY(mpno_text_add(
            &w->page,
            " *Not worse*: the mean exceeds the reference's by no more than two standard "
            "errors of the difference, 2 sqrt(s^2/n + s_ref^2/n_ref)."));
    MPNO_TRY(mpno_text_add(&w->page, "\n"));
    MPNO_TRY(add_sets(w));
    if (d->spectra) MPNO_TRY(mpno_spectra_report(w->c, w->rows, w->n_rows, &w->page));
    MPNO_TRY(add_failures(w));
    if (*d->finds != '\0')
        MPNO_TRY(mpno_text_add(&w->page, "\n## How to read this\n\n%s\n", d->finds));
    return write_text(w->c, "report.md", &w->page);
}

mpno_status mpno_results_write(const mpno_campaign *c, mpno_value **tree) {
    writer w = {.c = c, .page = {.ctx = c->ctx}};
    MPNO_TRY(mpno_rows_list(c, &w.rows, &w.n_rows));
    mpno_status status = write_csv(c);
    if (status == MPNO_OK) status = write_page(&w);
    mpno_text_discard(&w.page);
    mpno_free(c->ctx, w.rows);
    MPNO_TRY(status);
    return write_json(c, tree);
}
