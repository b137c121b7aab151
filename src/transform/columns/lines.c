/* SPDX-License-Identifier: MIT
 * Lines to columns and back by small matrix products, see columns.h. Cosine is even and sine odd
 * about every sample and every gap between two, so that cosines meet only sums x[m + u] + x[m - u]
 * and sines only differences: half of the multiply-adds. About 0 and N/4 at once, N even, those of
 * even and of odd k meet only sums or differences of these again: a quarter.
 *   fours   lines that are there as a whole, or whose first half is kept until the second comes
 *   pairs   lines of odd N, about 0
 *   turned  any part of a longer line, in pairs about its own centre m: with c' = its columns there,
 *           c = c' exp(-2 pi i k m / N), and c' = c exp(+2 pi i k m / N) back
 *   plain   lines so short that they take no longer as they are
 * Error: that of the product, each magnitude of x (or c) replaced by those that it is added to. */
#include "transform/columns/lines.h"

#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/roots.h"

/* What a line, or a part of one, is made of. */
typedef struct line_form {
    int ways;
    bool alone, quarter; /* samples that have one partner or none, see mpno_folded_line */
    int64_t rows;
} line_form;

/* count: points that come together. */
static line_form form_of(const mpno_columns *plan, int64_t count) {
    if (plan->method == MPNO_LINES_FOURS)
        return (line_form){4, true, plan->n % 4 == 0, (plan->n - 1) / 4};
    return (line_form){2, count % 2 != 0, false, count / 2};
}

static int64_t cosine_rows(const line_form *f) {
    return f->alone + f->rows + f->quarter;
}
static int64_t sine_rows(const line_form *f) {
    return f->rows + f->quarter;
}
static int64_t block_of(const line_form *f) {
    return f->ways == 4 ? MPNO_LINE_FOURS : MPNO_LINE_PAIRS;
}
static int64_t give_blocks(const line_form *f) {
    return (f->rows + block_of(f) - 1) / block_of(f);
}

/* ---- tables ---- */

static bool in_halves(const mpno_columns *plan) {
    return plan->method == MPNO_LINES_FOURS && plan->part < plan->n;
}

/* Points times frequencies from which folding takes less time: measured from 8 to 1024 points, 3 to
 * 33 frequencies, 24 to 64 channels. */
#define WORTH_FOLDING 32

mpno_lines_method mpno_lines_choose(const mpno_columns *columns) {
    const int64_t n = columns->n, part = columns->part, together = part < n ? part : n;
    if (together * columns->keep < WORTH_FOLDING) return MPNO_LINES_PLAIN;
    if (part >= n) return n % 2 == 0 ? MPNO_LINES_FOURS : MPNO_LINES_PAIRS;
    if (2 * part == n) return MPNO_LINES_FOURS;
    return MPNO_LINES_TURNED;
}

/* Parts of an even and of an odd number of points have tables of their own; a shorter part, the
 * last one, uses the first rows. Lines that are folded as a whole have one. */
static bool has_table(const mpno_columns *c, int odd, line_form *form) {
    const int64_t together = c->part < c->n ? c->part : c->n;
    if (c->method != MPNO_LINES_TURNED && odd != c->n % 2) return false;
    *form = form_of(c, together - (together % 2 != odd && c->method == MPNO_LINES_TURNED));
    return true;
}

static int64_t take_count(const mpno_columns *c, const line_form *f) {
    return (c->keep + 1) / 2 * 2 * cosine_rows(f) + c->keep / 2 * 2 * sine_rows(f);
}

static int64_t give_count(const mpno_columns *c, const line_form *f) {
    return 2 * c->keep * (f->alone + f->quarter + give_blocks(f) * block_of(f));
}

static int64_t n_parts(const mpno_columns *c) {
    return (c->n + c->part - 1) / c->part;
}

size_t mpno_lines_table_count(const mpno_columns *c) {
    if (c->method == MPNO_LINES_PLAIN) return (size_t)(2 * c->keep * c->n);
    int64_t count = c->method == MPNO_LINES_TURNED ? 2 * c->keep * n_parts(c) : 0;
    line_form form;
    for (int odd = 0; odd < 2; odd++)
        if (has_table(c, odd, &form)) count += take_count(c, &form) + give_count(c, &form);
    return (size_t)count;
}

typedef struct table_writer {
    const mpno_columns *columns;
    const double *weights;
    char *next;
} table_writer;

static void write(table_writer *w, long double x) {
    mpno_table_set(w->next, w->columns->arithmetic, 0, x);
    w->next += mpno_format_bytes(w->columns->arithmetic);
}

/* The cosine or minus the sine of frequency k, with its weight, at a distance of `halves` / 2. */
static void write_root(table_writer *w, int64_t k, int64_t halves, bool is_sine) {
    const int64_t period = 2 * w->columns->n;
    long double cosine, sine;
    mpno_root(k * halves % period, period, &cosine, &sine);
    write(w, (long double)w->weights[k] * (is_sine ? -sine : cosine));
}

/* Row `row` of the cosines' table. */
static int64_t distance(const line_form *f, int64_t row) {
    return f->alone ? 2 * row : 2 * row + 1;
}

static void write_take(table_writer *w, const line_form *f) {
    const int64_t keep = w->columns->keep;
    for (int sine = 0; sine < 2; sine++)
        for (int64_t first = sine, last; first < keep; first = last) {
            last = keep - first < MPNO_LINE_GROUP ? keep : first + MPNO_LINE_GROUP;
            for (int64_t row = sine && f->alone; row < cosine_rows(f); row++) {
                for (int64_t k = first; k < last; k++)
                    write_root(w, k, distance(f, row), sine != 0);
                if ((last - first) % 2 != 0) write(w, 0);
            }
        }
}

/* Rows first .. first + count - 1. */
static void write_block(table_writer *w, const line_form *f, int64_t first, int64_t count) {
    for (int64_t k = 0; k < w->columns->keep; k++)
        for (int64_t row = first; row < first + count; row++) {
            write_root(w, k, distance(f, row), false);
            write_root(w, k, distance(f, row), true);
        }
}

static void write_give(table_writer *w, const line_form *f) {
    if (f->alone) write_block(w, f, 0, 1);
    for (int64_t i = 0; i < give_blocks(f); i++)
        write_block(w, f, f->alone + i * block_of(f), block_of(f));
    if (f->quarter) write_block(w, f, f->alone + f->rows, 1);
}

static void write_phases(table_writer *w) {
    const mpno_columns *c = w->columns;
    for (int64_t p = 0; p < n_parts(c); p++)
        for (int64_t k = 0; k < c->keep; k++) {
            const int64_t first = p * c->part;
            const int64_t last = first + c->part < c->n ? first + c->part - 1 : c->n - 1;
            long double cosine, sine;
            mpno_root(k * (first + last) % (2 * c->n), 2 * c->n, &cosine, &sine);
            write(w, cosine);
            write(w, -sine);
        }
}

void mpno_lines_fill(mpno_columns *c, const double *weights, void *tables) {
    table_writer w = {c, weights, tables};
    line_form form;
    if (c->method == MPNO_LINES_PLAIN) {
        c->take[0] = tables;
        for (int64_t n = 0; n < c->n; n++)
            for (int sine = 0; sine < 2; sine++)
                for (int64_t k = 0; k < c->keep; k++) write_root(&w, k, 2 * n, sine != 0);
        return;
    }
    for (int odd = 0; odd < 2; odd++) {
        if (!has_table(c, odd, &form)) continue;
        c->take[odd] = w.next;
        write_take(&w, &form);
        c->give[odd] = w.next;
        write_give(&w, &form);
    }
    c->phases = w.next;
    if (c->method == MPNO_LINES_TURNED) write_phases(&w);
}

/* ---- scratch and cost ---- */

static size_t row_bytes(const mpno_columns *plan, int64_t channels) {
    return (size_t)channels * mpno_format_bytes(plan->arithmetic);
}

static size_t turned_bytes(const mpno_columns *plan, int64_t channels) {
    if (plan->method != MPNO_LINES_TURNED) return 0;
    return mpno_aligned((size_t)(2 * plan->keep) * row_bytes(plan, channels));
}

static size_t half_line_bytes(const mpno_columns *plan, int64_t channels) {
    return in_halves(plan) ? mpno_aligned((size_t)plan->part * row_bytes(plan, channels)) : 0;
}

bool mpno_columns_keep_parts(const mpno_columns *plan) {
    return in_halves(plan);
}

/* Half a line or columns that are turned, where the method has them. */
size_t mpno_columns_part_bytes(const mpno_columns *plan, int64_t channels) {
    return half_line_bytes(plan, channels) + turned_bytes(plan, channels);
}

/* A product of K cosines or K - 1 sines, in fours half of them, and what is added before. */
static double form_flops(const line_form *f, int64_t keep) {
    const double fours = 8 * (double)f->rows + (f->quarter ? 4 : 2), pairs = 2 * (double)f->rows;
    return 2.0 * (double)(keep * cosine_rows(f) + (keep - 1) * sine_rows(f)) +
           (f->ways == 4 ? fours : pairs);
}

double mpno_columns_line_flops(const mpno_columns *plan) {
    const int64_t n = plan->n;
    if (plan->method == MPNO_LINES_PLAIN) return 4.0 * (double)(n * plan->keep);
    double flops = 0;
    for (int64_t first = 0; first < n; first += plan->part) {
        const line_form form = form_of(plan, n - first < plan->part ? n - first : plan->part);
        flops += form_flops(&form, plan->keep);
        if (plan->method != MPNO_LINES_TURNED) return flops;
        flops += 8 * (double)plan->keep;
    }
    return flops;
}

/* ---- lines ---- */

static void *row_of(const mpno_folded_line *l, const mpno_columns *plan, const void *rows,
                    int64_t n) {
    return (char *)(uintptr_t)rows + n * (int64_t)row_bytes(plan, l->channels);
}

static mpno_folded_line line_of(const mpno_columns *plan, int64_t count, int64_t channels) {
    const line_form form = form_of(plan, count);
    line_form table = form;
    (void)has_table(plan, (int)(plan->method == MPNO_LINES_TURNED ? count : plan->n) % 2, &table);
    return (mpno_folded_line){.ways = form.ways,
                              .quarter = form.quarter,
                              .rows = form.rows,
                              .keep = plan->keep,
                              .channels = channels,
                              .cosine_rows = cosine_rows(&table),
                              .sine_rows = sine_rows(&table)};
}

/* low, high: the two halves of the line. */
static mpno_folded_line fours(const mpno_columns *plan, int64_t channels, const void *low,
                              const void *high) {
    mpno_folded_line l = line_of(plan, plan->n, channels);
    for (int i = 0; i < 2; i++) {
        const void *half = i == 0 ? low : high;
        l.alone[i] = (void *)(uintptr_t)half;
        l.row[2 * i] = row_of(&l, plan, half, 1);
        l.row[2 * i + 1] = row_of(&l, plan, half, plan->n / 2 - 1);
    }
    return l;
}

static mpno_folded_line pairs(const mpno_columns *plan, int64_t count, int64_t channels,
                              const void *points) {
    mpno_folded_line l = line_of(plan, count, channels);
    if (plan->method == MPNO_LINES_PAIRS) {
        l.alone[0] = row_of(&l, plan, points, 0);
        l.row[0] = row_of(&l, plan, points, 1);
        l.row[1] = row_of(&l, plan, points, count - 1);
    } else {
        if (count % 2 != 0) l.alone[0] = row_of(&l, plan, points, count / 2);
        l.row[0] = row_of(&l, plan, points, (count + 1) / 2);
        l.row[1] = row_of(&l, plan, points, count / 2 - 1);
    }
    return l;
}

static void turn(const mpno_columns *plan, int64_t first, int64_t channels, bool inverse,
                 const void *from, void *to) {
    const size_t factors =
        (size_t)(first / plan->part * 2 * plan->keep) * mpno_format_bytes(plan->arithmetic);
    plan->kernels->rotate(to, from, (const char *)plan->phases + factors, inverse,
                          !inverse && first > 0, plan->keep, channels);
}

static const void *plain_rows(const mpno_columns *plan, int64_t first) {
    return (const char *)plan->take[0] +
           (size_t)(first * 2 * plan->keep) * mpno_format_bytes(plan->arithmetic);
}

void mpno_columns_take(const mpno_columns *plan, int64_t first, int64_t count, const void *points,
                       int64_t channels, void *columns, void *scratch) {
    const mpno_kernels *kernels = plan->kernels;
    const size_t row = row_bytes(plan, channels);
    const int64_t rows = 2 * plan->keep, odd = count % 2;
    mpno_folded_line l;
    switch (plan->method) {
        case MPNO_LINES_FOURS:
            if (first == 0 && count < plan->n) {
                memcpy(scratch, points, (size_t)count * row);
                break;
            }
            l = first > 0 ? fours(plan, channels, scratch, points)
                          : fours(plan, channels, points,
                                  (const char *)points + (size_t)(plan->n / 2) * row);
            kernels->line_take(&l, plan->take[0], columns);
            break;
        case MPNO_LINES_PAIRS:
            l = pairs(plan, count, channels, points);
            kernels->line_take(&l, plan->take[odd], columns);
            break;
        case MPNO_LINES_TURNED:
            l = pairs(plan, count, channels, points);
            kernels->line_take(&l, plan->take[odd], scratch);
            turn(plan, first, channels, false, scratch, columns);
            break;
        default:
            if (first == 0) memset(columns, 0, (size_t)rows * row);
            kernels->gemm_tn(count, channels, rows, plain_rows(plan, first), rows, points, channels,
                             columns, channels);
            break;
    }
}

void mpno_columns_give(const mpno_columns *plan, int64_t first, int64_t count, const void *columns,
                       int64_t channels, void *points, void *scratch) {
    const mpno_kernels *kernels = plan->kernels;
    const size_t row = row_bytes(plan, channels);
    const int64_t rows = 2 * plan->keep, odd = count % 2;
    mpno_folded_line l;
    switch (plan->method) {
        case MPNO_LINES_FOURS:
            if (first > 0) {
                memcpy(points, scratch, (size_t)count * row);
                break;
            }
            l = fours(plan, channels, points,
                      count < plan->n ? scratch : (char *)points + (size_t)(plan->n / 2) * row);
            kernels->line_give(&l, plan->give[0], columns);
            break;
        case MPNO_LINES_PAIRS:
            l = pairs(plan, count, channels, points);
            kernels->line_give(&l, plan->give[odd], columns);
            break;
        case MPNO_LINES_TURNED:
            turn(plan, first, channels, true, columns, scratch);
            l = pairs(plan, count, channels, points);
            kernels->line_give(&l, plan->give[odd], scratch);
            break;
        default:
            kernels->gemm(count, channels, rows, plain_rows(plan, first), rows, columns, channels,
                          points, channels, 0);
            break;
    }
}
