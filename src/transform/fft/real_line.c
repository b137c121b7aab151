/* SPDX-License-Identifier: MIT
 * Choice and execution of a real line (formulas: real_line.h). Two real lines are never packed into one complex line: an
 * overflow in one channel would spread into its partner, and a small one would drown in a large one's rounding errors. */
#include "transform/fft/real_line.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/roots.h"

#define DIRECT_MAX_ROWS 1024 /* as in line.c */

static mpno_status plan_fast(mpno_ctx *ctx, mpno_format arithmetic, mpno_real_line *line) {
    if (line->n % 2 != 0) {
        line->method = MPNO_REAL_FULL;
        MPNO_TRY(mpno_line_create(ctx, arithmetic, line->n, 0, line->k, line->inverse, &line->line));
        line->flops = line->line.flops;
        line->tmp_rows = line->n + line->line.tmp_rows;
        return MPNO_OK;
    }
    int64_t m = line->n / 2, rows = line->inverse ? m : line->k;
    line->method = MPNO_REAL_HALF;
    MPNO_TRY(mpno_line_create(ctx, arithmetic, m, 0, m, line->inverse, &line->line));
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)rows, mpno_format_bytes(arithmetic), &line->twiddles));
    for (int64_t k = 0; k < rows; k++) {
        long double cosine, sine;
        mpno_root(k, line->n, &cosine, &sine);
        mpno_table_set(line->twiddles, arithmetic, 2 * k, cosine);
        mpno_table_set(line->twiddles, arithmetic, 2 * k + 1, -sine);
    }
    line->flops = line->line.flops + 14.0 * (double)rows;
    line->tmp_rows = 2 * m + line->line.tmp_rows;
    return MPNO_OK;
}

mpno_status mpno_real_line_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n, int64_t k, bool inverse,
                                  mpno_real_line *out) {
    mpno_real_line line = {.n = n, .k = k, .inverse = inverse};
    mpno_status status = plan_fast(ctx, arithmetic, &line);
    int64_t fold = n % 2 == 0 ? n / 4 + 1 : n / 2 + 1;
    double flops = mpno_direct_flops(n, k - 1);
    double split = line.method == MPNO_REAL_HALF ? 20.0 * (double)(inverse ? n / 2 : k) : 0;
    if (status == MPNO_OK && fold <= DIRECT_MAX_ROWS && 0.5 * flops + 2.0 * (double)n < line.line.cost + split) {
        mpno_real_line_destroy(ctx, &line);
        line = (mpno_real_line){.n = n, .k = k, .inverse = inverse, .method = MPNO_REAL_DIRECT, .flops = flops};
        line.tmp_rows = (n % 2 == 0 ? 2 : 1) * fold; /* real rows */
        status = mpno_direct_create(ctx, arithmetic, n, k - 1, inverse, &line.direct);
    }
    if (status != MPNO_OK) {
        mpno_real_line_destroy(ctx, &line);
        return status;
    }
    *out = line;
    return MPNO_OK;
}

void mpno_real_line_destroy(mpno_ctx *ctx, mpno_real_line *line) {
    mpno_direct_destroy(ctx, &line->direct);
    mpno_line_destroy(ctx, &line->line);
    mpno_free(ctx, line->twiddles);
    memset(line, 0, sizeof *line);
}

const char *mpno_real_line_name(const mpno_real_line *line, char *text, size_t size) {
    if (line->method == MPNO_REAL_DIRECT) {
        snprintf(text, size, "direct");
    } else {
        char inner[128];
        snprintf(text, size, "%s%s", line->method == MPNO_REAL_HALF ? "half " : "",
                 mpno_line_name(&line->line, inner, sizeof inner));
    }
    return text;
}

static void *offset(const mpno_fft_kernels *kernels, const void *base, int64_t elements) {
    return (char *)(uintptr_t)base + (size_t)elements * mpno_format_bytes(kernels->arithmetic);
}

void mpno_real_line_forward(const mpno_real_line *line, const mpno_fft_kernels *kernels, void *out, int64_t out_stride,
                            const mpno_fft_view *view, int64_t width, void *tmp) {
    const int64_t row = 2 * width, m = line->line.n;
    void *rest = offset(kernels, tmp, m * row);
    switch (line->method) {
        case MPNO_REAL_DIRECT:
            mpno_direct_forward(&line->direct, kernels, out, offset(kernels, out, width), out_stride, view, width, tmp);
            break;
        case MPNO_REAL_HALF: /* neighbouring samples are the planes of a complex row already */
            kernels->load(tmp, width, view, line->n, width, 1.0);
            mpno_line_run(&line->line, kernels, rest, row, tmp, row, width, offset(kernels, rest, m * row));
            kernels->split(out, out_stride, rest, row, m, line->twiddles, line->k, width);
            break;
        case MPNO_REAL_FULL:
            kernels->load(tmp, row, view, line->n, width, 1.0);
            kernels->zero(offset(kernels, tmp, width), row, line->n, width);
            mpno_line_run(&line->line, kernels, out, out_stride, tmp, row, width, rest);
            break;
    }
}

int mpno_real_line_inverse(const mpno_real_line *line, const mpno_fft_kernels *kernels, const mpno_fft_view *view,
                           const void *in, int64_t in_stride, int64_t width, void *tmp) {
    const int64_t row = 2 * width, m = line->line.n;
    void *rest = offset(kernels, tmp, m * row);
    switch (line->method) {
        case MPNO_REAL_DIRECT:
            return mpno_direct_inverse(&line->direct, kernels, view, in, offset(kernels, in, width), in_stride, width,
                                       tmp);
        case MPNO_REAL_HALF:
            kernels->join(tmp, row, m, in, in_stride, line->k, line->twiddles, width);
            mpno_line_run(&line->line, kernels, rest, row, tmp, row, width, offset(kernels, rest, m * row));
            return kernels->store(view, rest, width, line->n, width, 1.0);
        case MPNO_REAL_FULL:
            mpno_line_run(&line->line, kernels, tmp, row, in, in_stride, width, rest);
            return kernels->store(view, tmp, row, line->n, width, 1.0);
    }
    return 0;
}
