/* SPDX-License-Identifier: MIT
 * Measuring the paper's two theorems: see theorem.h. */
#include "experiment/theorem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "number/format.h"
#include "train/sink.h"

static const char *const frequency_names[MPNO_N_THEOREM_FREQUENCIES] = {"0", "1", "n/8", "n/4",
                                                                        "n/2 - 1"};

const char *mpno_theorem_frequency_name(int frequency) {
    return frequency_names[frequency];
}

static int64_t frequency_of(int frequency, int64_t n) {
    const int64_t of[MPNO_N_THEOREM_FREQUENCIES] = {0, 1, n / 8, n / 4, n / 2 - 1};
    for (int f = 0; f < frequency; f++)
        if (of[f] == of[frequency]) return -1; /* on small grids: the same as one before */
    return of[frequency];
}

/* ---- what is asked ---- */

static mpno_status list_of(const mpno_theorem_results *r, const mpno_value *map, const char *key,
                           size_t most, const mpno_value **out) {
    *out = mpno_value_get(map, key);
    MPNO_CHECK(
        r->ctx,
        *out != NULL && (*out)->kind == MPNO_VALUE_LIST && (*out)->n > 0 && (*out)->n <= most,
        MPNO_E_CONFIG, "%s: theorem.%s%s is not a list of 1 to %zu entries", r->design->name,
        map == r->design->theorem ? "" : "points.", key, most);
    return MPNO_OK;
}

static mpno_status read_names(mpno_theorem_results *r) {
    const mpno_value *list;
    MPNO_TRY(list_of(r, r->design->theorem, "functions", MPNO_N_THEOREM_FUNCTIONS, &list));
    for (size_t i = 0; i < list->n; i++) {
        const mpno_value *name = list->items[i];
        MPNO_CHECK(r->ctx,
                   name->kind == MPNO_VALUE_STRING &&
                       mpno_theorem_parse(name->string, &r->functions[r->n_functions++]),
                   MPNO_E_CONFIG,
                   "%s: entry %zu of theorem.functions is none of analytic, hat, hoelder, sawtooth",
                   r->design->name, i + 1);
    }
    MPNO_TRY(list_of(r, r->design->theorem, "formats", MPNO_MOST_THEOREM_FORMATS, &list));
    for (size_t i = 0; i < list->n; i++) {
        const mpno_value *name = list->items[i];
        MPNO_CHECK(r->ctx,
                   name->kind == MPNO_VALUE_STRING &&
                       mpno_format_parse(name->string, &r->formats[r->n_formats++]),
                   MPNO_E_CONFIG,
                   "%s: entry %zu of theorem.formats is not the name of a format such as f16",
                   r->design->name, i + 1);
    }
    return MPNO_OK;
}

static mpno_status read_points(mpno_theorem_results *r) {
    const mpno_value *points = mpno_value_get(r->design->theorem, "points"), *list;
    MPNO_CHECK(r->ctx, points != NULL && points->kind == MPNO_VALUE_MAP && points->n > 0,
               MPNO_E_CONFIG, "%s: theorem.points is not a map from numbers of axes to lists",
               r->design->name);
    for (size_t a = 0; a < points->n; a++) {
        const char *key = points->keys[a];
        const int ndim = *key - '0';
        MPNO_CHECK(r->ctx, strlen(key) == 1 && ndim >= 1 && ndim <= MPNO_THEOREM_AXES,
                   MPNO_E_CONFIG, "%s: theorem.points.%s: a grid has 1 to %d axes", r->design->name,
                   key, MPNO_THEOREM_AXES);
        MPNO_TRY(list_of(r, points, key, MPNO_MOST_THEOREM_POINTS, &list));
        for (size_t i = 0; i < list->n; i++) {
            const mpno_value *n = list->items[i];
            const int64_t before = i > 0 ? r->points[ndim][i - 1] : 6;
            MPNO_CHECK(r->ctx,
                       n->kind == MPNO_VALUE_INT && n->integer > before && n->integer % 2 == 0,
                       MPNO_E_CONFIG,
                       "%s: entry %zu of theorem.points.%s is no even number of points from 8 on "
                       "that is larger than the one before it",
                       r->design->name, i + 1, key);
            r->points[ndim][i] = n->integer;
        }
        r->n_points[ndim] = (int)list->n;
    }
    return MPNO_OK;
}

/* ---- measuring ---- */

static mpno_status measure_grid(mpno_theorem_results *r, mpno_theorem_function function, int ndim,
                                int64_t n) {
    mpno_theorem_grid *grid = NULL;
    int64_t k[MPNO_N_THEOREM_FREQUENCIES * MPNO_THEOREM_AXES];
    int which[MPNO_N_THEOREM_FREQUENCIES], n_k = 0;
    mpno_disc disc[MPNO_N_THEOREM_FREQUENCIES];
    MPNO_TRY(mpno_theorem_grid_create(r->ctx, function, ndim, n, &grid));
    for (int f = 0; f < MPNO_N_THEOREM_FREQUENCIES; f++) {
        const int64_t at = frequency_of(f, n);
        if (at < 0) continue;
        for (int d = 0; d < MPNO_THEOREM_AXES; d++) k[n_k * MPNO_THEOREM_AXES + d] = at;
        disc[n_k] = mpno_theorem_disc(grid, k + (size_t)n_k * MPNO_THEOREM_AXES);
        which[n_k++] = f;
    }
    mpno_status status = MPNO_OK;
    for (int i = 0; i < r->n_formats && status == MPNO_OK; i++) {
        mpno_prec prec[MPNO_N_THEOREM_FREQUENCIES];
        status = mpno_theorem_prec(grid, r->formats[i], true, n_k, k, prec);
        for (int f = 0; f < n_k && status == MPNO_OK; f++)
            r->rows[r->n_rows++] = (mpno_theorem_row){.function = function,
                                                      .ndim = ndim,
                                                      .n = n,
                                                      .frequency = which[f],
                                                      .k = k[f * MPNO_THEOREM_AXES],
                                                      .format = i,
                                                      .disc = disc[f],
                                                      .prec = prec[f]};
    }
    mpno_theorem_grid_destroy(&grid);
    return status;
}

static mpno_status measure_all(mpno_theorem_results *r, const mpno_sink *sink) {
    size_t grids = 0;
    for (int d = 1; d <= MPNO_THEOREM_AXES; d++) grids += (size_t)r->n_points[d];
    MPNO_TRY(mpno_alloc_array(
        r->ctx, grids * (size_t)(r->n_functions * r->n_formats) * MPNO_N_THEOREM_FREQUENCIES,
        sizeof *r->rows, &r->rows));
    for (int d = 1; d <= MPNO_THEOREM_AXES; d++)
        for (int f = 0; f < r->n_functions; f++) {
            if (r->n_points[d] == 0) continue;
            mpno_say(sink, "%s on %d ax%s\n", mpno_theorem_name(r->functions[f]), d,
                     d > 1 ? "es" : "is");
            for (int i = 0; i < r->n_points[d]; i++) {
                MPNO_TRY(measure_grid(r, r->functions[f], d, r->points[d][i]));
                MPNO_CHECK(r->ctx, !mpno_stop_wanted(sink), MPNO_E_STOPPED, "%s: stopped",
                           r->design->name);
            }
        }
    return MPNO_OK;
}

/* ---- results.csv, results.json ---- */

static const char *const columns[] = {
    "coefficient", "disc",    "disc_bound",    "disc_class",  "disc_paper",       "prec",
    "prec_bound",  "samples", "samples_bound", "butterflies", "butterflies_bound"};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void numbers_of(const mpno_theorem_row *row, double out[N_COLUMNS]) {
    const mpno_disc *d = &row->disc;
    const mpno_prec *p = &row->prec;
    const double all[N_COLUMNS] = {hypot(d->exact[0], d->exact[1]),
                                   d->measured,
                                   d->bound,
                                   d->of_class,
                                   d->paper,
                                   p->measured,
                                   p->bound,
                                   p->samples,
                                   p->samples_bound,
                                   p->butterflies,
                                   p->butterflies_bound};
    memcpy(out, all, sizeof all);
}

static mpno_status fill_csv(const mpno_theorem_results *r, mpno_text *text) {
    MPNO_TRY(mpno_text_add(text, "function,axes,points,frequency,k,format"));
    for (int c = 0; c < N_COLUMNS; c++) MPNO_TRY(mpno_text_add(text, ",%s", columns[c]));
    MPNO_TRY(mpno_text_add(text, ",free\n"));
    for (size_t i = 0; i < r->n_rows; i++) {
        const mpno_theorem_row *row = &r->rows[i];
        double numbers[N_COLUMNS];
        numbers_of(row, numbers);
        MPNO_TRY(mpno_text_add(text, "%s,%d,%lld,%s,%lld,%s", mpno_theorem_name(row->function),
                               row->ndim, (long long)row->n, frequency_names[row->frequency],
                               (long long)row->k, mpno_format_get(r->formats[row->format])->name));
        for (int c = 0; c < N_COLUMNS; c++)
            MPNO_TRY(isnan(numbers[c]) ? mpno_text_add(text, ",")
                                       : mpno_text_add(text, ",%.3g", numbers[c]));
        MPNO_TRY(mpno_text_add(text, ",%d\n", mpno_theorem_free(row)));
    }
    return MPNO_OK;
}

static mpno_status write_csv(const mpno_theorem_results *r) {
    mpno_text text = {.ctx = r->ctx};
    char path[4096];
    mpno_status status = fill_csv(r, &text);
    if (status == MPNO_OK)
        status = mpno_path_join(r->ctx, r->folder, "results.csv", path, sizeof path);
    if (status == MPNO_OK) status = mpno_file_write_atomic(r->ctx, path, text.data, text.size);
    mpno_text_discard(&text);
    return status;
}

static mpno_status fill_row(const mpno_theorem_results *r, const mpno_theorem_row *row,
                            mpno_value *map) {
    double numbers[N_COLUMNS];
    numbers_of(row, numbers);
    MPNO_TRY(mpno_value_set_string(r->ctx, map, "function", mpno_theorem_name(row->function)));
    MPNO_TRY(mpno_value_set_int(r->ctx, map, "axes", row->ndim));
    MPNO_TRY(mpno_value_set_int(r->ctx, map, "points", row->n));
    MPNO_TRY(mpno_value_set_string(r->ctx, map, "frequency", frequency_names[row->frequency]));
    MPNO_TRY(mpno_value_set_int(r->ctx, map, "k", row->k));
    MPNO_TRY(mpno_value_set_string(r->ctx, map, "format",
                                   mpno_format_get(r->formats[row->format])->name));
    for (int c = 0; c < N_COLUMNS; c++)
        if (!isnan(numbers[c])) MPNO_TRY(mpno_value_set_real(r->ctx, map, columns[c], numbers[c]));
    MPNO_TRY(mpno_value_set_bool(r->ctx, map, "overflow", isinf(row->prec.butterflies)));
    return mpno_value_set_bool(r->ctx, map, "free", mpno_theorem_free(row));
}

static mpno_status fill_tree(const mpno_theorem_results *r, mpno_value *tree) {
    mpno_value *rows = NULL;
    MPNO_TRY(mpno_value_set_string(r->ctx, tree, "experiment", r->design->name));
    MPNO_TRY(mpno_value_set_string(r->ctx, tree, "size", r->opts->full ? "full" : "quick"));
    MPNO_TRY(mpno_value_set_string(r->ctx, tree, "version", mpno_version()));
    MPNO_TRY(mpno_value_set_string(r->ctx, tree, "isa", mpno_ctx_isa(r->ctx)));
    MPNO_TRY(mpno_value_set_list(r->ctx, tree, "rows", &rows));
    for (size_t i = 0; i < r->n_rows; i++) {
        mpno_value *map = NULL;
        MPNO_TRY(mpno_value_map(r->ctx, &map));
        const mpno_status status = fill_row(r, &r->rows[i], map);
        if (status != MPNO_OK) {
            mpno_value_destroy(r->ctx, &map);
            return status;
        }
        MPNO_TRY(mpno_value_append(r->ctx, rows, map));
    }
    return MPNO_OK;
}

static mpno_status write_all(const mpno_theorem_results *r, mpno_value **tree) {
    char path[4096];
    MPNO_TRY(write_csv(r));
    MPNO_TRY(mpno_theorem_report(r));
    MPNO_TRY(mpno_path_join(r->ctx, r->folder, "results.json", path, sizeof path));
    MPNO_TRY(mpno_value_map(r->ctx, tree));
    mpno_status status = fill_tree(r, *tree);
    if (status == MPNO_OK) status = mpno_json_write(r->ctx, path, *tree);
    if (status != MPNO_OK) mpno_value_destroy(r->ctx, tree);
    return status;
}

mpno_status mpno_theorem_run(const mpno_design *design, const mpno_experiment_opts *opts,
                             const mpno_sink *sink, mpno_value **tree) {
    mpno_theorem_results r = {.ctx = design->ctx, .design = design, .opts = opts};
    *tree = NULL;
    MPNO_TRY(read_names(&r));
    MPNO_TRY(read_points(&r));
    if (opts->folder != NULL)
        snprintf(r.folder, sizeof r.folder, "%s", opts->folder);
    else
        snprintf(r.folder, sizeof r.folder, "experiments/%s", design->name);
    MPNO_TRY(mpno_folder_create(r.ctx, r.folder));
    mpno_status status = measure_all(&r, sink);
    if (status == MPNO_OK) status = write_all(&r, tree);
    mpno_free(r.ctx, r.rows);
    if (status == MPNO_OK) mpno_say(sink, "report in %s/report.md\n", r.folder);
    return status;
}
