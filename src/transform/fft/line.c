/* SPDX-License-Identifier: MIT
 * Choice and execution of a complex line (formulas: line.h).
 * Source of CHIRP: Bluestein (1970) with i o = (i^2 + o^2 - (o - i)^2) / 2, over the kept range
 * only (Rabiner et al. 1969). */
#include "transform/fft/line.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/roots.h"
#include "transform/fft/rows.h"
#include "transform/fft/wide.h"

/* Sums over one line of a longer table lose accuracy like their square root: beyond this a fast
 * transform is better. */
#define DIRECT_MAX_ROWS 1024

static int64_t largest_frequency(const mpno_line *line) {
    int64_t up = line->first + line->k - 1;
    return -line->first > up ? -line->first : up;
}

/* Costs are about the cycles of one vector of channels, a fit to measured times (AVX-512, n = 16 ..
 * 2048, all modes kept, 64 channels): a fast transform takes its operations and 8 a point and pass,
 * a matrix product 0.7 an operation, as two are done at a time but loads and stores are not free.
 */
static void consider_direct(mpno_line *line) {
    int64_t last = largest_frequency(line),
            fold = line->n % 2 == 0 ? line->n / 4 + 1 : line->n / 2 + 1;
    bool centred = line->first == -(line->k / 2);
    if (!centred || fold > DIRECT_MAX_ROWS) return;
    double flops = 2 * mpno_direct_flops(line->n, last) + 4.0 * (double)line->k;
    double cost = 1.4 * mpno_direct_cost(line->n, last) + 5.0 * (double)line->k;
    if (cost >= line->cost) return;
    line->method = MPNO_LINE_DIRECT;
    line->cost = cost;
    line->flops = flops;
}

/* largest: radix of the kernels, 2 of those with 16-bit arithmetic, which know only passes. */
static void choose(mpno_line *line, int largest, bool accurate) {
    double copies = line->k == line->n && line->first == 0 ? 0 : 1;
    if (largest == 2 || mpno_passes_suit(line->n)) {
        line->method = MPNO_LINE_PASSES;
        line->flops = mpno_passes_flops(line->n, largest);
        line->cost = mpno_passes_cost(line->n, largest) +
                     copies * 4.0 * (double)(line->inverse ? line->n : line->k);
    } else {
        line->method = MPNO_LINE_CHIRP;
        line->m = mpno_passes_good_size(line->n + line->k - 1);
        line->flops =
            2 * mpno_passes_flops(line->m, largest) + 6.0 * (double)(line->n + line->k + line->m);
        line->cost =
            2 * mpno_passes_cost(line->m, largest) + 12.0 * (double)(line->n + line->k + line->m);
    }
    if (largest > 2 && !(accurate && line->method == MPNO_LINE_PASSES)) consider_direct(line);
}

/* exp(-pi i j^2 / n) */
static void chirp(int64_t j, int64_t n, long double *re, long double *im) {
    int64_t a = (j < 0 ? -j : j) % (2 * n);
    mpno_root(a * a, 2 * n, re, im); /* n <= 2^28: no overflow */
    *im = -*im;
}

/* filter[m][2], f64: transform of conj chirp(o - i), o - i from out_first - in_first - (n_in - 1),
 * divided by m. */
static mpno_status chirp_filter(mpno_ctx *ctx, const mpno_line *line, int64_t in_first,
                                int64_t n_in, int64_t out_first, int64_t n_out, double *filter) {
    const int64_t m = line->m;
    long double *sequence = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, 4 * (size_t)m, sizeof *sequence, &sequence));
    long double *transformed = sequence + 2 * m;
    for (int64_t t = -(n_in - 1); t < n_out; t++) {
        long double *at = sequence + 2 * (t < 0 ? t + m : t);
        chirp(out_first - in_first + t, line->n, &at[0], &at[1]);
        at[1] = -at[1];
    }
    const mpno_status status = mpno_wide_transform(ctx, m, sequence, transformed);
    for (int64_t j = 0; status == MPNO_OK && j < 2 * m; j++)
        filter[j] = (double)(transformed[j] / (long double)m);
    mpno_free(ctx, sequence);
    return status;
}

/* The norm of the convolution, between whose ends stand two transforms of m points, in units of
 * that of the line; and what the filter is off by before it is rounded to `arithmetic`. */
static void measure_chirp(mpno_format arithmetic, const double *filter, mpno_line *line) {
    const double m = (double)line->m, n = (double)line->n, k = (double)line->k;
    double most = 0;
    for (int64_t j = 0; j < line->m; j++)
        most = fmax(most, hypot(filter[2 * j], filter[2 * j + 1]));
    line->chirp_norm = (1 + 1e-6) * m * most / sqrt(n);
    line->chirp_off = 1.01 * (mpno_wide_growth(line->m) + 3) * sqrt(m * (n + k) / n) *
                      (double)LDBL_EPSILON / 2 / mpno_format_unit(arithmetic);
}

static mpno_status plan_chirp(mpno_ctx *ctx, mpno_format arithmetic, mpno_line *line) {
    const int64_t in_first = line->inverse ? line->first : 0,
                  n_in = line->inverse ? line->k : line->n;
    const int64_t out_first = line->inverse ? 0 : line->first,
                  n_out = line->inverse ? line->n : line->k;
    MPNO_TRY(mpno_passes_create(ctx, arithmetic, line->m, &line->passes));
    size_t bytes = mpno_format_bytes(arithmetic);
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)(n_in + n_out + line->m), bytes, &line->chirps));
    char *in = line->chirps, *out = in + 2 * (size_t)n_in * bytes,
         *filter = out + 2 * (size_t)n_out * bytes;
    long double re, im;
    for (int64_t j = 0; j < n_in; j++) {
        chirp(in_first + j, line->n, &re, &im);
        mpno_table_set(in, arithmetic, 2 * j, re);
        mpno_table_set(in, arithmetic, 2 * j + 1, im);
    }
    for (int64_t j = 0; j < n_out; j++) {
        chirp(out_first + j, line->n, &re, &im);
        mpno_table_set(out, arithmetic, 2 * j, re);
        mpno_table_set(out, arithmetic, 2 * j + 1, im);
    }
    double *values = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)line->m, sizeof *values, &values));
    mpno_status status = chirp_filter(ctx, line, in_first, n_in, out_first, n_out, values);
    for (int64_t j = 0; j < 2 * line->m; j++) mpno_table_set(filter, arithmetic, j, values[j]);
    if (status == MPNO_OK) measure_chirp(arithmetic, values, line);
    mpno_free(ctx, values);
    line->chirp_in = in;
    line->chirp_out = out;
    line->chirp_filter = filter;
    return status;
}

mpno_status mpno_line_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n, int64_t first,
                             int64_t k, bool inverse, bool accurate, mpno_line *out) {
    mpno_line line = {.n = n, .first = first, .k = k, .inverse = inverse};
    choose(&line, mpno_fft_kernels_get(ctx->isa, arithmetic)->largest_radix, accurate);
    mpno_status status = MPNO_OK;
    switch (line.method) {
        case MPNO_LINE_DIRECT:
            status = mpno_direct_create(ctx, arithmetic, n, largest_frequency(&line), inverse,
                                        &line.direct);
            break;
        case MPNO_LINE_PASSES:
            status = mpno_passes_create(ctx, arithmetic, n, &line.passes);
            break;
        case MPNO_LINE_CHIRP:
            status = plan_chirp(ctx, arithmetic, &line);
            break;
    }
    if (status != MPNO_OK) {
        mpno_line_destroy(ctx, &line);
        return status;
    }
    *out = line;
    return MPNO_OK;
}

void mpno_line_destroy(mpno_ctx *ctx, mpno_line *line) {
    mpno_direct_destroy(ctx, &line->direct);
    mpno_passes_destroy(ctx, &line->passes);
    mpno_free(ctx, line->chirps);
    memset(line, 0, sizeof *line);
}

const char *mpno_line_name(const mpno_line *line, char *text, size_t size) {
    if (line->method == MPNO_LINE_DIRECT) {
        snprintf(text, size, "direct");
    } else if (line->method == MPNO_LINE_CHIRP) {
        snprintf(text, size, "chirp %lld", (long long)line->m);
    } else {
        int used = snprintf(text, size, "fft");
        for (int s = 0; s < line->passes.n_passes && used >= 0 && (size_t)used < size; s++) {
            used += snprintf(text + used, size - (size_t)used, "%c%d", s == 0 ? ' ' : '.',
                             line->passes.pass[s].radix);
        }
    }
    return text;
}

/* CHIRP: two transforms of m points, three products of complex numbers with rounded factors, and a
 * filter that was rounded twice, all of numbers whose norm is that of the convolution at most. */
double mpno_line_growth(const mpno_line *line) {
    switch (line->method) {
        case MPNO_LINE_DIRECT:
            return mpno_direct_growth(line->n, largest_frequency(line), line->inverse, true);
        case MPNO_LINE_PASSES:
            return mpno_passes_growth(&line->passes);
        case MPNO_LINE_CHIRP:
            return line->chirp_norm * (2 * mpno_passes_growth(&line->passes) + 11) +
                   line->chirp_off;
    }
    return INFINITY;
}

int64_t mpno_line_scratch(const mpno_line *line, const mpno_fft_kernels *kernels, int64_t width) {
    const int64_t row = 2 * width, block_row = 2 * mpno_rows_block(kernels, width);
    switch (line->method) {
        case MPNO_LINE_DIRECT:
            return 2 * (line->direct.plan.last + 1) * row;
        case MPNO_LINE_PASSES:
            return 2 * line->n * block_row;
        case MPNO_LINE_CHIRP:
            return 2 * line->m * block_row;
    }
    return 0;
}

static void run_direct(const mpno_line *line, const mpno_fft_kernels *kernels,
                       const mpno_fft_rows *out, const mpno_fft_rows *in, int64_t width,
                       void *tmp) {
    const mpno_fft_direct *plan = &line->direct.plan;
    const int64_t row = 2 * width;
    mpno_fft_rows even = mpno_rows_dense(tmp, width),
                  odd = mpno_rows_part(kernels, &even, plan->last + 1, 0);
    if (line->inverse) {
        kernels->separate(&even, &odd, in, line->first, line->k, plan->last, width);
        const mpno_fft_view samples = {.data = out->data,
                                       .format = kernels->arithmetic,
                                       .row_stride = out->stride,
                                       .n = row,
                                       .planes = 1};
        (void)kernels->direct_inverse(plan, &samples, even.data, odd.data, row);
    } else {
        kernels->direct_forward(plan, even.data, odd.data, row, in->data, in->stride, row, NULL);
        kernels->combine(out, &even, &odd, line->first, line->k, width);
    }
}

/* Frequencies of a fast transform go 0 .. n-1, kept ones from -below to above-1. */
static void run_passes(const mpno_line *line, const mpno_fft_kernels *kernels,
                       const mpno_fft_rows *out, const mpno_fft_rows *in, int64_t width,
                       void *tmp) {
    const int64_t n = line->n, below = -line->first, above = line->k - below;
    const mpno_passes *passes = &line->passes;
    mpno_fft_rows a = mpno_rows_dense(tmp, width), b = mpno_rows_part(kernels, &a, n, 0);
    if (line->inverse) {
        mpno_fft_rows conjugate = mpno_rows_swapped(kernels, out);
        if (below > 0 || line->k < n) {
            mpno_fft_rows low = mpno_rows_part(kernels, in, below, 0),
                          high = mpno_rows_part(kernels, &b, n - below, 0);
            kernels->copy(&b, &low, above, width);
            kernels->zero(mpno_rows_part(kernels, &b, above, 0).data, b.stride, n - line->k,
                          2 * width);
            kernels->copy(&high, in, below, width);
            in = &b;
        }
        mpno_fft_rows from = mpno_rows_swapped(kernels, in);
        mpno_passes_run(passes, kernels, &conjugate, &from, width, a.data, b.data);
    } else if (below > 0 || line->k < n) {
        const mpno_fft_rows *all = passes->n_passes % 2 != 0 ? &a : &b;
        mpno_fft_rows high = mpno_rows_part(kernels, all, n - below, 0),
                      to = mpno_rows_part(kernels, out, below, 0);
        mpno_passes_run(passes, kernels, all, in, width, a.data, b.data);
        kernels->copy(out, &high, below, width);
        kernels->copy(&to, all, above, width);
    } else {
        mpno_passes_run(passes, kernels, out, in, width, a.data, b.data);
    }
}

static void run_chirp(const mpno_line *line, const mpno_fft_kernels *kernels,
                      const mpno_fft_rows *out, const mpno_fft_rows *in, int64_t width, void *tmp) {
    const int64_t m = line->m, n_in = line->inverse ? line->k : line->n,
                  n_out = line->inverse ? line->n : line->k;
    const bool odd = line->passes.n_passes % 2 != 0;
    mpno_fft_rows a = mpno_rows_dense(tmp, width), b = mpno_rows_part(kernels, &a, m, 0);
    /* A transform of b ends in a after an odd number of passes, else in b; the second one starts
     * where the first ended. */
    mpno_fft_rows first = odd ? a : b, other = odd ? b : a;
    mpno_fft_rows conjugate = mpno_rows_swapped(kernels, &first),
                  conjugate_b = mpno_rows_swapped(kernels, &b);
    mpno_fft_rows from = line->inverse ? mpno_rows_swapped(kernels, in) : *in;
    mpno_fft_rows to = line->inverse ? mpno_rows_swapped(kernels, out) : *out;
    kernels->multiply(&b, &from, line->chirp_in, n_in, width);
    kernels->zero(mpno_rows_part(kernels, &b, n_in, 0).data, b.stride, m - n_in, 2 * width);
    mpno_passes_run(&line->passes, kernels, &first, &b, width, a.data, b.data);
    kernels->multiply(&first, &first, line->chirp_filter, m, width);
    mpno_passes_run(&line->passes, kernels, &conjugate_b, &conjugate, width, other.data,
                    first.data);
    kernels->multiply(&to, &b, line->chirp_out, n_out, width);
}

void mpno_line_run(const mpno_line *line, const mpno_fft_kernels *kernels, const mpno_fft_rows *out,
                   const mpno_fft_rows *in, int64_t width, void *tmp) {
    if (line->method == MPNO_LINE_DIRECT) {
        run_direct(line, kernels, out, in, width, tmp);
        return;
    }
    const int64_t block = mpno_rows_block(kernels, width);
    for (int64_t c = 0; c < width; c += block) {
        const int64_t part = width - c < block ? width - c : block;
        mpno_fft_rows to = mpno_rows_part(kernels, out, 0, c),
                      from = mpno_rows_part(kernels, in, 0, c);
        if (line->method == MPNO_LINE_PASSES) {
            run_passes(line, kernels, &to, &from, part, tmp);
        } else {
            run_chirp(line, kernels, &to, &from, part, tmp);
        }
    }
}
