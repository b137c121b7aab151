/* SPDX-License-Identifier: MIT
 * What the measure of the paper's two theorems came to: see theorem.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/files.h"
#include "core/memory.h"
#include "experiment/theorem.h"
#include "number/format.h"
#include "report/chart.h"
#include "report/png.h"
#include "report/table.h"

enum { PATH = 4096 };

typedef mpno_theorem_results results;
typedef mpno_theorem_row entry;

/* Disc does not depend on the format: it counts in rows of the first one. */
static bool counts_for_disc(const entry *row) {
    return row->format == 0;
}

static mpno_status add_table(mpno_text *page, mpno_table **table, mpno_status status) {
    if (status == MPNO_OK) status = mpno_table_text(*table, MPNO_TABLE_MARKDOWN, page);
    mpno_table_destroy(table);
    return status;
}

static mpno_status add_columns(mpno_table *table, const char *const *headings, size_t n,
                               size_t n_left) {
    for (size_t i = 0; i < n; i++)
        MPNO_TRY(mpno_table_column(table, headings[i], i < n_left ? MPNO_LEFT : MPNO_RIGHT));
    return MPNO_OK;
}

/* ---- bounds ---- */

/* What is held against which bound: its numbers of a row; false: the row has none. */
typedef bool measure(const results *r, const entry *row, double *measured, double *bound);

static bool disc_own(const results *r, const entry *row, double *measured, double *bound) {
    (void)r;
    *measured = fmax(0, row->disc.measured - row->disc.own);
    *bound = row->disc.bound;
    return counts_for_disc(row);
}

static bool disc_class(const results *r, const entry *row, double *measured, double *bound) {
    (void)r;
    *measured = fmax(0, row->disc.measured - row->disc.own);
    *bound = row->disc.of_class;
    return counts_for_disc(row);
}

static bool disc_paper(const results *r, const entry *row, double *measured, double *bound) {
    (void)r;
    *measured = fmax(0, row->disc.measured - row->disc.own);
    *bound = row->disc.paper;
    return counts_for_disc(row) && !isnan(row->disc.paper);
}

static bool prec_own(const results *r, const entry *row, double *measured, double *bound) {
    (void)r;
    *measured = row->prec.measured;
    *bound = row->prec.bound;
    return true;
}

/* eps = 2 u, M = 1 */
static bool prec_paper(const results *r, const entry *row, double *measured, double *bound) {
    *measured = row->prec.measured;
    *bound = 2 * mpno_format_unit(r->formats[row->format]);
    return true;
}

static bool samples_own(const results *r, const entry *row, double *measured, double *bound) {
    (void)r;
    *measured = row->prec.samples;
    *bound = row->prec.samples_bound;
    return true;
}

static bool butterflies_own(const results *r, const entry *row, double *measured, double *bound) {
    (void)r;
    *measured = row->prec.butterflies;
    *bound = row->prec.butterflies_bound;
    return isfinite(*measured);
}

static const struct {
    const char *name;
    measure *of;
} bounds[] = {
    {"Disc, best bound known of the function (T2 to T5)", disc_own},
    {"Disc, bound of the function's class (T2, T3, T5)", disc_class},
    {"Disc, sqrt(d) (|k| + L) M / n: the paper's form with c2 = 1", disc_paper},
    {"Prec, samples and exponentials rounded (F2)", prec_own},
    {"Prec, eps M: the paper's form with c = 1", prec_paper},
    {"samples rounded, mean of half steps (F2)", samples_own},
    {"every butterfly rounded (F9), sums in range", butterflies_own},
};

static mpno_status fill_bounds(const results *r, mpno_table *table) {
    static const char *const headings[] = {"measured, bound", "cases", "above the bound",
                                           "largest in parts of the bound"};
    MPNO_TRY(add_columns(table, headings, 4, 1));
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
        size_t cases = 0, above = 0;
        double most = 0;
        for (size_t i = 0; i < r->n_rows; i++) {
            double measured, bound;
            if (!bounds[b].of(r, &r->rows[i], &measured, &bound)) continue;
            cases++;
            above += !(measured <= bound);
            if (bound > 0) most = fmax(most, measured / bound);
        }
        MPNO_TRY(mpno_table_cell(table, "%s", bounds[b].name));
        MPNO_TRY(mpno_table_cell(table, "%zu", cases));
        MPNO_TRY(mpno_table_cell(table, "%zu", above));
        MPNO_TRY(mpno_table_cell(table, "%.3f", most));
    }
    return MPNO_OK;
}

/* The failure that no bound of rounding speaks of. */
static mpno_status add_overflows(const results *r, mpno_text *page) {
    size_t cases = 0, overflows = 0;
    for (size_t i = 0; i < r->n_rows; i++) {
        cases += !isnan(r->rows[i].prec.butterflies);
        overflows += isinf(r->rows[i].prec.butterflies);
    }
    return mpno_text_add(page,
                         "\nIn %zu of the %zu cases in which every butterfly is rounded a sum left "
                         "the range of the format: nothing of the result is a number.\n",
                         overflows, cases);
}

/* ---- discretisation ---- */

/* Largest over frequencies (and formats) of a function on one grid. */
typedef struct grid_most {
    double disc, bound, of_class, prec;
    bool resolved;
} grid_most;

static grid_most most_of(const results *r, mpno_theorem_function function, int ndim, int64_t n,
                         int format) {
    grid_most m = {0};
    for (size_t i = 0; i < r->n_rows; i++) {
        const entry *row = &r->rows[i];
        if (row->function != function || row->ndim != ndim || row->n != n || row->format != format)
            continue;
        m.disc = fmax(m.disc, row->disc.measured);
        m.bound = fmax(m.bound, row->disc.bound);
        m.of_class = fmax(m.of_class, row->disc.of_class);
        m.prec = fmax(m.prec, row->prec.measured);
        m.resolved = m.resolved || mpno_theorem_resolved(&row->disc);
    }
    return m;
}

static mpno_status fill_rate(const results *r, int f, int ndim, mpno_table *table) {
    const mpno_theorem_function function = r->functions[f];
    int last = -1;
    for (int i = 0; i < r->n_points[ndim]; i++)
        if (most_of(r, function, ndim, r->points[ndim][i], 0).resolved) last = i;
    if (last < 0) return MPNO_OK;
    const int64_t from = r->points[ndim][0], to = r->points[ndim][last];
    const grid_most a = most_of(r, function, ndim, from, 0), b = most_of(r, function, ndim, to, 0);
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_theorem_name(function)));
    MPNO_TRY(mpno_table_cell(table, "%s", mpno_theorem_class(function)));
    MPNO_TRY(mpno_table_cell(table, "%d", ndim));
    MPNO_TRY(mpno_table_cell(table, "%lld .. %lld", (long long)from, (long long)to));
    MPNO_TRY(mpno_table_cell(table, "%.3g .. %.3g", a.disc, b.disc));
    MPNO_TRY(mpno_table_cell(table, "%.3g .. %.3g", a.bound, b.bound));
    MPNO_TRY(mpno_table_cell(table, "%.3g .. %.3g", a.of_class, b.of_class));
    if (last == 0) return mpno_table_cell(table, "-");
    return mpno_table_cell(table, "%.2f", log(b.disc / a.disc) / log((double)to / (double)from));
}

static mpno_status fill_rates(const results *r, mpno_table *table) {
    static const char *const headings[] = {"function",           "class",     "axes",
                                           "points an axis",     "Disc",      "bound",
                                           "bound of the class", "power of n"};
    MPNO_TRY(add_columns(table, headings, 8, 2));
    for (int f = 0; f < r->n_functions; f++)
        for (int d = 1; d <= MPNO_THEOREM_AXES; d++)
            if (r->n_points[d] > 0) MPNO_TRY(fill_rate(r, f, d, table));
    return MPNO_OK;
}

/* ---- rounding by frequency ---- */

static mpno_status fill_frequencies(const results *r, mpno_table *table) {
    static const char *const headings[] = {"format",
                                           "frequency",
                                           "Prec / u, largest",
                                           "Prec / u, root mean square",
                                           "samples only, largest",
                                           "butterflies, largest",
                                           "Prec / coefficient, median"};
    MPNO_TRY(add_columns(table, headings, 7, 2));
    double *relative;
    MPNO_TRY(mpno_alloc_array(r->ctx, r->n_rows, sizeof *relative, &relative));
    mpno_status status = MPNO_OK;
    for (int i = 0; i < r->n_formats * MPNO_N_THEOREM_FREQUENCIES && status == MPNO_OK; i++) {
        const int format = i / MPNO_N_THEOREM_FREQUENCIES, at = i % MPNO_N_THEOREM_FREQUENCIES;
        const double u = mpno_format_unit(r->formats[format]);
        double most = 0, squares = 0, samples = 0, butterflies = 0;
        size_t n = 0, n_relative = 0;
        for (size_t j = 0; j < r->n_rows; j++) {
            const entry *row = &r->rows[j];
            if (row->format != format || row->frequency != at) continue;
            most = fmax(most, row->prec.measured / u);
            squares += pow(row->prec.measured / u, 2);
            samples = fmax(samples, row->prec.samples / u);
            if (isfinite(row->prec.butterflies))
                butterflies = fmax(butterflies, row->prec.butterflies / u);
            n++;
            const double size = hypot(row->disc.exact[0], row->disc.exact[1]);
            if (!(size > 4 * row->disc.own)) continue; /* no coefficient to be relative to */
            const double value = row->prec.measured / size;
            size_t place = n_relative++;
            for (; place > 0 && relative[place - 1] > value; place--)
                relative[place] = relative[place - 1];
            relative[place] = value;
        }
        const double median = n_relative > 0 ? relative[n_relative / 2] : (double)NAN;
        status = mpno_table_cell(table, "%s", mpno_format_get(r->formats[format])->name);
        if (status == MPNO_OK)
            status = mpno_table_cell(table, "%s", mpno_theorem_frequency_name(at));
        const double cells[] = {most, sqrt(squares / (double)n), samples, butterflies, median};
        for (int c = 0; c < 5 && status == MPNO_OK; c++)
            status = cells[c] > 0 ? mpno_table_cell(table, "%.2g", cells[c])
                                  : mpno_table_cell(table, "-");
    }
    mpno_free(r->ctx, relative);
    return status;
}

/* ---- where half precision is free ---- */

/* Up to which number of points Disc is above Prec at every frequency, and at one at least: of the
 * grids from the smallest on without a gap. 0: on none. */
static int64_t free_up_to(const results *r, mpno_theorem_function function, int ndim, int format,
                          bool every) {
    int64_t found = 0;
    for (int i = 0; i < r->n_points[ndim]; i++) {
        const int64_t n = r->points[ndim][i];
        int all = 0, better = 0;
        for (size_t j = 0; j < r->n_rows; j++) {
            const entry *row = &r->rows[j];
            if (row->function != function || row->ndim != ndim || row->n != n ||
                row->format != format)
                continue;
            all++;
            better += mpno_theorem_free(row);
        }
        if (every ? better < all : better == 0) break;
        found = n;
    }
    return found;
}

static mpno_status free_cell(const results *r, mpno_table *table, int64_t n, int ndim) {
    const int64_t last = r->points[ndim][r->n_points[ndim] - 1];
    if (n == 0) return mpno_table_cell(table, "-");
    return mpno_table_cell(table, n == last ? "%lld (all)" : "%lld", (long long)n);
}

static mpno_status fill_free(const results *r, mpno_table *table) {
    MPNO_TRY(mpno_table_column(table, "function", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "axes", MPNO_RIGHT));
    for (int i = 0; i < r->n_formats; i++) {
        char heading[80];
        const char *name = mpno_format_get(r->formats[i])->name;
        snprintf(heading, sizeof heading, "%s: every frequency", name);
        MPNO_TRY(mpno_table_column(table, heading, MPNO_RIGHT));
        snprintf(heading, sizeof heading, "%s: some frequency", name);
        MPNO_TRY(mpno_table_column(table, heading, MPNO_RIGHT));
    }
    for (int f = 0; f < r->n_functions; f++)
        for (int d = 1; d <= MPNO_THEOREM_AXES; d++) {
            if (r->n_points[d] == 0) continue;
            MPNO_TRY(mpno_table_cell(table, "%s", mpno_theorem_name(r->functions[f])));
            MPNO_TRY(mpno_table_cell(table, "%d", d));
            for (int i = 0; i < 2 * r->n_formats; i++)
                MPNO_TRY(
                    free_cell(r, table, free_up_to(r, r->functions[f], d, i / 2, i % 2 == 0), d));
        }
    return MPNO_OK;
}

/* ---- pictures ---- */

static mpno_status draw(const results *r, const mpno_chart *chart, const char *name,
                        mpno_text *page) {
    mpno_canvas canvas = {0};
    char path[PATH];
    MPNO_TRY(mpno_path_join(r->ctx, r->folder, name, path, sizeof path));
    mpno_status status = mpno_chart_draw(r->ctx, chart, &canvas);
    if (status == MPNO_OK)
        status = mpno_png_write(r->ctx, path, canvas.width, canvas.height, canvas.rgb);
    mpno_canvas_destroy(r->ctx, &canvas);
    MPNO_TRY(status);
    return mpno_text_add(page, "\n![%s](%s)\n", chart->title, name);
}

/* Disc of each function and the largest Prec of each format over points, at frequency 0. */
static mpno_status draw_points(const results *r, int ndim, mpno_text *page) {
    enum { MOST = MPNO_N_THEOREM_FUNCTIONS + MPNO_MOST_THEOREM_FORMATS };
    double x[MPNO_MOST_THEOREM_POINTS], y[MOST][MPNO_MOST_THEOREM_POINTS];
    mpno_chart_series series[MOST];
    char title[80], name[40];
    const size_t n = (size_t)r->n_points[ndim];
    size_t n_series = 0;
    for (size_t i = 0; i < n; i++) x[i] = (double)r->points[ndim][i];
    for (int s = 0; s < r->n_functions + r->n_formats; s++) {
        const bool disc = s < r->n_functions;
        for (size_t i = 0; i < n; i++) {
            y[s][i] = NAN;
            for (size_t j = 0; j < r->n_rows; j++) {
                const entry *row = &r->rows[j];
                if (row->ndim != ndim || row->n != r->points[ndim][i] || row->frequency != 0)
                    continue;
                if (disc && row->function == r->functions[s] && mpno_theorem_resolved(&row->disc))
                    y[s][i] = row->disc.measured;
                if (!disc && row->format == s - r->n_functions)
                    y[s][i] = fmax(isnan(y[s][i]) ? 0 : y[s][i], row->prec.measured);
            }
        }
        series[n_series++] = (mpno_chart_series){
            .name = disc ? mpno_theorem_name(r->functions[s])
                         : mpno_format_get(r->formats[s - r->n_functions])->name,
            .x = x,
            .y = y[s],
            .n = n,
            .colour = disc ? s : s - r->n_functions,
            .dashed = !disc};
    }
    snprintf(title, sizeof title, "%d ax%s, frequency 0", ndim, ndim > 1 ? "es" : "is");
    snprintf(name, sizeof name, "points_%d.png", ndim);
    const mpno_chart chart = {.title = title,
                              .x_label = "points an axis",
                              .y_label = "Disc of functions; dashed: largest Prec of formats",
                              .log_x = true,
                              .log_y = true,
                              .series = series,
                              .n_series = n_series};
    return draw(r, &chart, name, page);
}

enum { SWEEP = 256 }; /* points of one axis: a power of two */

/* All frequencies of a function in one dimension: its coefficients, Disc, and what f16 does. */
static mpno_status sweep(const results *r, mpno_theorem_function function, mpno_text *page) {
    enum { N = SWEEP / 2 - 1, LINES = 6 };
    static const char *const names[LINES] = {"coefficient",   "Disc",
                                             "bound of Disc", "Prec in f16",
                                             "bound of Prec", "f16, butterflies too"};
    double x[N], y[LINES][N];
    int64_t k[N * MPNO_THEOREM_AXES] = {0};
    mpno_prec prec[N];
    mpno_theorem_grid *grid = NULL;
    mpno_chart_series series[LINES];
    char title[80], name[60];
    for (int i = 0; i < N; i++) k[i * MPNO_THEOREM_AXES] = i + 1;
    MPNO_TRY(mpno_theorem_grid_create(r->ctx, function, 1, SWEEP, &grid));
    const mpno_status status = mpno_theorem_prec(grid, MPNO_F16, true, N, k, prec);
    for (int i = 0; i < N && status == MPNO_OK; i++) {
        const mpno_disc disc = mpno_theorem_disc(grid, k + (size_t)i * MPNO_THEOREM_AXES);
        const bool seen = mpno_theorem_resolved(&disc);
        const double size = hypot(disc.exact[0], disc.exact[1]);
        const double of[LINES] = {size > 1e-15 ? size : (double)NAN,
                                  seen ? disc.measured : (double)NAN,
                                  disc.bound > 1e-15 ? disc.bound : (double)NAN,
                                  prec[i].measured,
                                  prec[i].bound,
                                  prec[i].butterflies};
        x[i] = i + 1;
        for (int s = 0; s < LINES; s++) y[s][i] = of[s];
    }
    mpno_theorem_grid_destroy(&grid);
    MPNO_TRY(status);
    for (int s = 0; s < LINES; s++)
        series[s] = (mpno_chart_series){.name = names[s],
                                        .x = x,
                                        .y = y[s],
                                        .n = N,
                                        .colour = s == 2   ? 1
                                                  : s == 4 ? 3
                                                           : s,
                                        .dashed = s == 2 || s == 4};
    snprintf(title, sizeof title, "%s, %d points of one axis", mpno_theorem_name(function), SWEEP);
    snprintf(name, sizeof name, "frequencies_%s.png", mpno_theorem_name(function));
    const mpno_chart chart = {.title = title,
                              .x_label = "frequency",
                              .y_label = "absolute",
                              .log_y = true,
                              .whole_x = true,
                              .series = series,
                              .n_series = LINES};
    return draw(r, &chart, name, page);
}

/* ---- report.md ---- */

typedef mpno_status fill(const results *r, mpno_table *table);

static mpno_status section(const results *r, mpno_text *page, const char *heading, const char *text,
                           fill *rows) {
    mpno_table *table = NULL;
    MPNO_TRY(mpno_text_add(page, "\n## %s\n\n%s\n\n", heading, text));
    MPNO_TRY(mpno_table_create(r->ctx, &table));
    return add_table(page, &table, rows(r, table));
}

static mpno_status fill_page(const results *r, mpno_text *page) {
    const mpno_design *d = r->design;
    MPNO_TRY(mpno_text_add(page, "# %s\n", *d->title != '\0' ? d->title : d->name));
    if (*d->asks != '\0') MPNO_TRY(mpno_text_add(page, "\n%s\n", d->asks));
    MPNO_TRY(mpno_text_add(
        page,
        "\n`mpno experiment %s%s`. Functions are products over the axes of one function from [0, "
        "1) to [0, 1] whose Fourier coefficients are known in closed form; M = 1. Frequencies are "
        "the same on all axes: 0, 1, n/8, n/4, n/2 - 1.\n",
        d->name, r->opts->full ? " --full" : ""));
    MPNO_TRY(section(r, page, "Bounds",
                     "Every case against every bound: none of ours may be exceeded. Those in the "
                     "paper's form have constants that it does not name, set to 1 here.",
                     fill_bounds));
    MPNO_TRY(add_overflows(r, page));
    MPNO_TRY(section(r, page, "Discretisation",
                     "Largest Disc over the frequencies on the smallest grid and on the largest "
                     "one on which f64 can tell it from nothing, its bounds there, and the power "
                     "of n between the two.",
                     fill_rates));
    MPNO_TRY(section(r, page, "Rounding by frequency",
                     "Over all functions and grids, in units of u; the last column in parts of the "
                     "coefficient. A dash: nothing of the kind.",
                     fill_frequencies));
    MPNO_TRY(section(r, page, "Where half precision is free",
                     "Up to how many points an axis (of those measured, without a gap) Disc is "
                     "larger than Prec, at every frequency and at one at least. A dash: on no "
                     "grid.",
                     fill_free));
    for (int ndim = 1; ndim <= MPNO_THEOREM_AXES; ndim++)
        if (r->n_points[ndim] > 1) MPNO_TRY(draw_points(r, ndim, page));
    for (int f = 0; f < r->n_functions; f++) MPNO_TRY(sweep(r, r->functions[f], page));
    if (*d->finds != '\0') MPNO_TRY(mpno_text_add(page, "\n## How to read this\n\n%s\n", d->finds));
    return MPNO_OK;
}

mpno_status mpno_theorem_report(const mpno_theorem_results *r) {
    mpno_text page = {.ctx = r->ctx};
    char path[PATH];
    mpno_status status = fill_page(r, &page);
    if (status == MPNO_OK)
        status = mpno_path_join(r->ctx, r->folder, "report.md", path, sizeof path);
    if (status == MPNO_OK) status = mpno_file_write_atomic(r->ctx, path, page.data, page.size);
    mpno_text_discard(&page);
    return status;
}
