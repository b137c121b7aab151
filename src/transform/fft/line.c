/* SPDX-License-Identifier: MIT
 * Choice and execution of a complex line (formulas: line.h).
 * Source of CHIRP: Bluestein (1970) with i o = (i^2 + o^2 - (o - i)^2) / 2, over the kept range only (Rabiner et al. 1969). */
#include "transform/fft/line.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/roots.h"

/* Sums over one line of a longer table lose accuracy like their square root: beyond this a fast transform is better. */
#define DIRECT_MAX_ROWS 1024

static int64_t largest_frequency(const mpno_line *line) {
    int64_t up = line->first + line->k - 1;
    return -line->first > up ? -line->first : up;
}

static void *offset(const mpno_fft_kernels *kernels, const void *base, int64_t elements) {
    return (char *)(uintptr_t)base + (size_t)elements * mpno_format_bytes(kernels->arithmetic);
}

static void consider_direct(mpno_line *line) {
    int64_t last = largest_frequency(line), fold = line->n % 2 == 0 ? line->n / 4 + 1 : line->n / 2 + 1;
    bool centred = line->first == -(line->k / 2);
    if (!centred || fold > DIRECT_MAX_ROWS) return;
    double flops = 2 * mpno_direct_flops(line->n, last) + 4.0 * (double)line->k;
    double cost = 0.5 * flops + 4.0 * (double)line->n; /* half of the operations ride in fused multiply-adds */
    if (cost >= line->cost) return;
    line->method = MPNO_LINE_DIRECT;
    line->cost = cost;
    line->flops = flops;
    line->tmp_rows = (line->n % 2 == 0 ? 4 : 2) * fold + 2 * (last + 1);
}

static void choose(mpno_line *line) {
    double copies = line->k == line->n && line->first == 0 ? 0 : 1;
    if (mpno_passes_suit(line->n)) {
        line->method = MPNO_LINE_PASSES;
        line->flops = mpno_passes_flops(line->n);
        line->cost = mpno_passes_cost(line->n) + copies * 4.0 * (double)(line->inverse ? line->n : line->k);
        line->tmp_rows = 3 * line->n;
    } else {
        line->method = MPNO_LINE_CHIRP;
        line->m = mpno_passes_good_size(line->n + line->k - 1);
        line->flops = 2 * mpno_passes_flops(line->m) + 6.0 * (double)(line->n + line->k + line->m);
        line->cost = 2 * mpno_passes_cost(line->m) + 12.0 * (double)(line->n + line->k + line->m);
        line->tmp_rows = 4 * line->m;
    }
    consider_direct(line);
}

/* exp(-pi i j^2 / n) */
static void chirp(int64_t j, int64_t n, long double *re, long double *im) {
    int64_t a = (j < 0 ? -j : j) % (2 * n);
    mpno_root(a * a, 2 * n, re, im); /* n <= 2^28: no overflow */
    *im = -*im;
}

/* filter[m][2], f64: transform of conj chirp(o - i), o - i from out_first - in_first - (n_in - 1), divided by m. */
static mpno_status chirp_filter(mpno_ctx *ctx, const mpno_line *line, int64_t in_first, int64_t n_in, int64_t out_first,
                                int64_t n_out, double *filter) {
    const mpno_fft_kernels *kernels = mpno_fft_kernels_get(MPNO_ISA_PORTABLE, MPNO_F64);
    const int64_t width = kernels->lanes, row = 2 * width, m = line->m;
    mpno_passes passes;
    MPNO_TRY(mpno_passes_create(ctx, MPNO_F64, m, &passes));
    double *rows = NULL;
    mpno_status status = mpno_alloc_array(ctx, (size_t)(4 * m * row), sizeof *rows, &rows);
    if (status == MPNO_OK) {
        for (int64_t t = -(n_in - 1); t < n_out; t++) {
            long double re, im;
            chirp(out_first - in_first + t, line->n, &re, &im);
            double *at = rows + (t < 0 ? t + m : t) * row;
            at[0] = (double)re;
            at[width] = (double)-im;
        }
        double *transformed = rows + m * row;
        mpno_passes_run(&passes, kernels, transformed, row, rows, row, width, false, transformed + m * row);
        for (int64_t j = 0; j < m; j++) {
            filter[2 * j] = transformed[j * row] / (double)m;
            filter[2 * j + 1] = transformed[j * row + width] / (double)m;
        }
    }
    mpno_free(ctx, rows);
    mpno_passes_destroy(ctx, &passes);
    return status;
}

static mpno_status plan_chirp(mpno_ctx *ctx, mpno_format arithmetic, mpno_line *line) {
    const int64_t in_first = line->inverse ? line->first : 0, n_in = line->inverse ? line->k : line->n;
    const int64_t out_first = line->inverse ? 0 : line->first, n_out = line->inverse ? line->n : line->k;
    MPNO_TRY(mpno_passes_create(ctx, arithmetic, line->m, &line->passes));
    size_t bytes = mpno_format_bytes(arithmetic);
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)(n_in + n_out + line->m), bytes, &line->chirps));
    char *in = line->chirps, *out = in + 2 * (size_t)n_in * bytes, *filter = out + 2 * (size_t)n_out * bytes;
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
    mpno_free(ctx, values);
    line->chirp_in = in;
    line->chirp_out = out;
    line->chirp_filter = filter;
    return status;
}

mpno_status mpno_line_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n, int64_t first, int64_t k, bool inverse,
                             mpno_line *out) {
    mpno_line line = {.n = n, .first = first, .k = k, .inverse = inverse};
    choose(&line);
    mpno_status status = MPNO_OK;
    switch (line.method) {
        case MPNO_LINE_DIRECT:
            status = mpno_direct_create(ctx, arithmetic, n, largest_frequency(&line), inverse, &line.direct);
            break;
        case MPNO_LINE_PASSES: status = mpno_passes_create(ctx, arithmetic, n, &line.passes); break;
        case MPNO_LINE_CHIRP: status = plan_chirp(ctx, arithmetic, &line); break;
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
            used += snprintf(text + used, size - (size_t)used, "%c%d", s == 0 ? ' ' : '.', line->passes.pass[s].radix);
        }
    }
    return text;
}

static void run_direct(const mpno_line *line, const mpno_fft_kernels *kernels, void *out, int64_t out_stride,
                       const void *in, int64_t in_stride, int64_t width, void *tmp) {
    const int64_t row = 2 * width, last = line->direct.last;
    void *even = tmp, *odd = offset(kernels, even, (last + 1) * row), *folded = offset(kernels, odd, (last + 1) * row);
    mpno_fft_view view = {.format = kernels->arithmetic, .plane_stride = 0, .n = row, .planes = 1};
    if (line->inverse) {
        view.data = out;
        view.row_stride = out_stride;
        kernels->separate(even, odd, in, in_stride, line->first, line->k, last, width);
        (void)mpno_direct_inverse(&line->direct, kernels, &view, even, odd, row, row, folded);
    } else {
        view.data = (void *)(uintptr_t)in;
        view.row_stride = in_stride;
        mpno_direct_forward(&line->direct, kernels, even, odd, row, &view, row, folded);
        kernels->combine(out, out_stride, even, odd, line->first, line->k, width);
    }
}

static void run_passes(const mpno_line *line, const mpno_fft_kernels *kernels, void *out, int64_t out_stride,
                       const void *in, int64_t in_stride, int64_t width, void *tmp) {
    const int64_t row = 2 * width, n = line->n, below = -line->first, above = line->k - below;
    void *all = tmp, *rest = offset(kernels, tmp, n * row);
    if (line->k == n && below == 0) {
        mpno_passes_run(&line->passes, kernels, out, out_stride, in, in_stride, width, line->inverse, rest);
    } else if (line->inverse) {
        kernels->copy(all, row, offset(kernels, in, below * in_stride), in_stride, above, row);
        kernels->zero(offset(kernels, all, above * row), row, n - line->k, row);
        kernels->copy(offset(kernels, all, (n - below) * row), row, in, in_stride, below, row);
        mpno_passes_run(&line->passes, kernels, out, out_stride, all, row, width, true, rest);
    } else {
        mpno_passes_run(&line->passes, kernels, all, row, in, in_stride, width, false, rest);
        kernels->copy(out, out_stride, offset(kernels, all, (n - below) * row), row, below, row);
        kernels->copy(offset(kernels, out, below * out_stride), out_stride, all, row, above, row);
    }
}

static void run_chirp(const mpno_line *line, const mpno_fft_kernels *kernels, void *out, int64_t out_stride,
                      const void *in, int64_t in_stride, int64_t width, void *tmp) {
    const int64_t row = 2 * width, m = line->m;
    const int64_t n_in = line->inverse ? line->k : line->n, n_out = line->inverse ? line->n : line->k;
    void *a = tmp, *b = offset(kernels, a, m * row), *rest = offset(kernels, b, m * row);
    kernels->multiply(a, row, in, in_stride, line->chirp_in, n_in, width, line->inverse, false);
    kernels->zero(offset(kernels, a, n_in * row), row, m - n_in, row);
    mpno_passes_run(&line->passes, kernels, b, row, a, row, width, false, rest);
    kernels->multiply(b, row, b, row, line->chirp_filter, m, width, false, false);
    mpno_passes_run(&line->passes, kernels, a, row, b, row, width, true, rest);
    kernels->multiply(out, out_stride, a, row, line->chirp_out, n_out, width, false, line->inverse);
}

void mpno_line_run(const mpno_line *line, const mpno_fft_kernels *kernels, void *out, int64_t out_stride, const void *in,
                   int64_t in_stride, int64_t width, void *tmp) {
    switch (line->method) {
        case MPNO_LINE_DIRECT: run_direct(line, kernels, out, out_stride, in, in_stride, width, tmp); break;
        case MPNO_LINE_PASSES: run_passes(line, kernels, out, out_stride, in, in_stride, width, tmp); break;
        case MPNO_LINE_CHIRP: run_chirp(line, kernels, out, out_stride, in, in_stride, width, tmp); break;
    }
}
