/* SPDX-License-Identifier: MIT
 * Tables of the folded matrix product (formulas: direct.h; order: kernel/fft_kernels.h). */
#include "transform/fft/direct.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/roots.h"

/* Of h = 1, 2, ..: how many stand for four (N even) or two samples, and how many there are. */
static int64_t whole_rows(int64_t n) {
    return n % 2 == 0 ? (n - 1) / 4 : (n - 1) / 2;
}
static int64_t all_rows(int64_t n) {
    return n % 2 == 0 ? n / 4 : n / 2;
}

double mpno_direct_flops(int64_t n, int64_t last) {
    return 2.0 * (double)n + 2.0 * (double)all_rows(n) * (double)(2 * last + 1);
}

/* Groups of frequencies as equal as they can be with even beginnings. */
static int64_t group_size(int64_t last) {
    int64_t groups = last / MPNO_FFT_DIRECT_GROUP + 1;
    int64_t size = (last + groups) / groups;
    return size + size % 2;
}

double mpno_direct_cost(int64_t n, int64_t last) {
    double fold = n % 2 == 0 ? 8.0 : 2.0; /* additions of one h and group */
    double groups = (double)(last / group_size(last) + 1);
    return (double)all_rows(n) * ((double)(2 * last + 1) + fold * groups);
}

/* Partial sums over some samples, the same for all frequencies, are the transform of a part of the
 * line, whose norm is no larger than that of the whole (Bessel): a step of all chains together
 * costs one rounding of the gain, and so does a level of folding, which is orthogonal but for a
 * factor. Products that are not fused and rounded roots cost sqrt(last) each, but with the roots of
 * 1, 2 and 4 points, which are exact. Statement B7. */
double mpno_direct_growth(int64_t n, int64_t last, bool inverse, bool is_complex) {
    const double products = n == 4 ? 0 : 2 * sqrt((double)last), ends = is_complex ? 1 : 0;
    if (n == 1 || (inverse && last == 0)) return 0;
    if (n == 2) return 1;
    if (inverse) return ends + (double)last + (n % 2 == 0 ? 2 : 1) + products;
    return (n % 2 == 0 && n > 4 ? 2 : 1) + (double)all_rows(n) + ends + products;
}

typedef struct table_writer {
    void *table;
    mpno_format arithmetic;
    const long double *roots; /* cos, sin of 2 pi j / n, j < n */
    int64_t n, at;
} table_writer;

static void append(table_writer *w, int64_t k, int64_t h, bool sine) {
    const long double *root = w->roots + 2 * (k * h % w->n);
    mpno_table_set(w->table, w->arithmetic, w->at++, sine ? -root[1] : root[0]);
}

static void append_groups(table_writer *w, const mpno_fft_direct *d, bool sine) {
    for (int64_t first = sine; first <= d->last; first += d->group) {
        for (int64_t h = 1; h <= all_rows(d->n); h++) {
            for (int64_t k = first; k < first + d->group && k <= d->last; k++)
                append(w, k, h, sine);
        }
    }
}

static void append_blocks(table_writer *w, const mpno_fft_direct *d) {
    const int64_t block = MPNO_FFT_DIRECT_BLOCK;
    for (int64_t first = 1, count; first <= all_rows(d->n); first += count) {
        count = first + block - 1 <= whole_rows(d->n) ? block : 1;
        for (int64_t k = 1; k <= d->last; k++) {
            for (int64_t h = first; h < first + count; h++) {
                append(w, k, h, false);
                append(w, k, h, true);
            }
        }
    }
}

mpno_status mpno_direct_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n, int64_t last,
                               bool inverse, mpno_direct *out) {
    mpno_direct d = {.plan = {.n = n, .last = last, .group = group_size(last)}, .inverse = inverse};
    const size_t count = (size_t)(all_rows(n) * (2 * last + 1));
    long double *roots = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)n, sizeof *roots, &roots));
    mpno_status status = mpno_alloc_array(ctx, count, mpno_format_bytes(arithmetic), &d.tables);
    if (status == MPNO_OK) {
        for (int64_t j = 0; j < n; j++) mpno_root(j, n, roots + 2 * j, roots + 2 * j + 1);
        table_writer w = {.table = d.tables, .arithmetic = arithmetic, .roots = roots, .n = n};
        d.plan.even = d.plan.odd = d.tables;
        if (inverse) {
            append_blocks(&w, &d.plan);
        } else {
            append_groups(&w, &d.plan, false);
            d.plan.odd = (char *)d.tables + (size_t)w.at * mpno_format_bytes(arithmetic);
            append_groups(&w, &d.plan, true);
        }
        *out = d;
    }
    mpno_free(ctx, roots);
    return status;
}

void mpno_direct_destroy(mpno_ctx *ctx, mpno_direct *direct) {
    mpno_free(ctx, direct->tables);
    memset(direct, 0, sizeof *direct);
}
