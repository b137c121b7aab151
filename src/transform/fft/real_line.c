/* SPDX-License-Identifier: MIT
 * Choice and execution of a real line (formulas: real_line.h). Two real lines are never packed into
 * one complex line: an overflow in one channel would spread into its partner, and a small one would
 * drown in a large one's rounding errors. */
#include "transform/fft/real_line.h"

#include <math.h>

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/roots.h"
#include "transform/fft/rows.h"

#define DIRECT_MAX_ROWS 1024 /* as in line.c */

static mpno_status plan_fast(mpno_ctx *ctx, mpno_format arithmetic, bool accurate,
                             mpno_real_line *line) {
    if (line->n % 2 != 0) {
        line->method = MPNO_REAL_FULL;
        MPNO_TRY(mpno_line_create(ctx, arithmetic, line->n, 0, line->k, line->inverse, accurate,
                                  &line->line));
        line->flops = line->line.flops;
        return MPNO_OK;
    }
    int64_t m = line->n / 2, rows = line->inverse ? m : line->k;
    line->method = MPNO_REAL_HALF;
    MPNO_TRY(mpno_line_create(ctx, arithmetic, m, 0, m, line->inverse, accurate, &line->line));
    MPNO_TRY(
        mpno_alloc_array(ctx, 2 * (size_t)rows, mpno_table_bytes(arithmetic), &line->twiddles));
    for (int64_t k = 0; k < rows; k++) {
        long double cosine, sine;
        mpno_root(k, line->n, &cosine, &sine);
        mpno_table_set(line->twiddles, arithmetic, 2 * k, cosine);
        mpno_table_set(line->twiddles, arithmetic, 2 * k + 1, -sine);
    }
    line->flops = line->line.flops + 14.0 * (double)rows;
    return MPNO_OK;
}

mpno_status mpno_real_line_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n, int64_t k,
                                  bool inverse, bool accurate, mpno_real_line *out) {
    mpno_real_line line = {.n = n, .k = k, .inverse = inverse};
    mpno_status status = plan_fast(ctx, arithmetic, accurate, &line);
    int64_t fold = n % 2 == 0 ? n / 4 + 1 : n / 2 + 1;
    double flops = mpno_direct_flops(n, k - 1), cost = 0.7 * mpno_direct_cost(n, k - 1);
    double split = line.method == MPNO_REAL_HALF ? 20.0 * (double)(inverse ? n / 2 : k) : 0;
    const bool wide = (arithmetic == MPNO_F32 || arithmetic == MPNO_F64) &&
                      !(accurate && line.line.method == MPNO_LINE_PASSES);
    if (status == MPNO_OK && wide && fold <= DIRECT_MAX_ROWS && cost < line.line.cost + split) {
        mpno_real_line_destroy(ctx, &line);
        line = (mpno_real_line){
            .n = n, .k = k, .inverse = inverse, .method = MPNO_REAL_DIRECT, .flops = flops};
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

/* HALF: a line of n/2 points, and a pass of radix 2 after its two interleaved transforms were
 * parted: a map that is orthogonal between all of the modes, of which each that is kept stands for
 * two. FULL: a line of real numbers, any of whose errors may be in the half that is kept and weighs
 * twice. */
double mpno_real_line_growth(const mpno_real_line *line) {
    switch (line->method) {
        case MPNO_REAL_DIRECT:
            return mpno_direct_growth(line->n, line->k - 1, line->inverse, false);
        case MPNO_REAL_HALF:
            return mpno_line_growth(&line->line) + 6;
        case MPNO_REAL_FULL:
            return sqrt(2) * mpno_line_growth(&line->line);
    }
    return INFINITY;
}

int64_t mpno_real_line_scratch(const mpno_real_line *line, const mpno_fft_kernels *kernels,
                               int64_t width) {
    const int64_t block = mpno_rows_block(kernels, width);
    switch (line->method) {
        case MPNO_REAL_DIRECT:
            return line->n * width;
        case MPNO_REAL_HALF:
            return line->n * width + line->n * block +
                   mpno_line_scratch(&line->line, kernels, block);
        case MPNO_REAL_FULL:
            return line->n * 2 * width + mpno_line_scratch(&line->line, kernels, width);
    }
    return 0;
}

/* Can a transform read or write the rows of the view themselves? */
static bool plain(const mpno_fft_kernels *kernels, const mpno_fft_view *view, int64_t width) {
    return view->format == kernels->rounding && view->format == kernels->arithmetic &&
           view->n == width;
}

static void direct_forward(const mpno_real_line *line, const mpno_fft_kernels *kernels,
                           const mpno_fft_rows *out, const mpno_fft_view *view, int64_t width,
                           void *tmp) {
    const void *x = view->data;
    int64_t stride = view->row_stride;
    if (!plain(kernels, view, width)) {
        mpno_fft_rows samples = {tmp, width, 0};
        kernels->load(&samples, view, line->n, width, 1.0);
        x = tmp;
        stride = width;
    }
    kernels->direct_forward(&line->direct.plan, out->data,
                            mpno_rows_offset(kernels, out->data, out->plane), out->stride, x,
                            stride, width, view->next);
}

static int direct_inverse(const mpno_real_line *line, const mpno_fft_kernels *kernels,
                          const mpno_fft_view *view, const mpno_fft_rows *in, int64_t width,
                          void *tmp) {
    const mpno_fft_direct *plan = &line->direct.plan;
    const void *odd = mpno_rows_offset(kernels, in->data, in->plane);
    const bool narrow = kernels->arithmetic == MPNO_F32 && view->codec == NULL &&
                        mpno_format_bytes(view->format) == 2;
    if (plain(kernels, view, width) || (narrow && view->n == width))
        return kernels->direct_inverse(plan, view, in->data, odd, in->stride);
    const mpno_fft_rows samples = {tmp, width, 0};
    const mpno_fft_view dense = {
        .data = tmp, .format = kernels->arithmetic, .row_stride = width, .n = width, .planes = 1};
    (void)kernels->direct_inverse(plan, &dense, in->data, odd, in->stride);
    return kernels->store(view, &samples, line->n, 1.0);
}

void mpno_real_line_forward(const mpno_real_line *line, const mpno_fft_kernels *kernels,
                            const mpno_fft_rows *out, const mpno_fft_view *view, int64_t width,
                            double scale, void *tmp) {
    const int64_t block = mpno_rows_block(kernels, width);
    mpno_fft_rows samples = {tmp, width, 0}, pairs = mpno_rows_dense(tmp, width);
    switch (line->method) {
        case MPNO_REAL_DIRECT:
            direct_forward(line, kernels, out, view, width, tmp);
            break;
        case MPNO_REAL_HALF: /* neighbouring samples are the planes of a complex row already */
            if (plain(kernels, view, width) && (uintptr_t)view->data % MPNO_ALIGN == 0 &&
                view->row_stride % kernels->lanes == 0) {
                pairs = (mpno_fft_rows){view->data, 2 * view->row_stride, view->row_stride};
            } else {
                kernels->load(&samples, view, line->n, width, scale);
            }
            for (int64_t c = 0; c < width; c += block) {
                const int64_t part = width - c < block ? width - c : block;
                mpno_fft_rows from = mpno_rows_part(kernels, &pairs, 0, c),
                              to = mpno_rows_part(kernels, out, 0, c);
                mpno_fft_rows z =
                    mpno_rows_dense(mpno_rows_offset(kernels, tmp, line->n * width), part);
                mpno_line_run(&line->line, kernels, &z, &from, part,
                              mpno_rows_offset(kernels, z.data, line->n * part));
                kernels->split(&to, &z, line->n / 2, line->twiddles, line->k, part);
            }
            break;
        case MPNO_REAL_FULL:
            kernels->load(&pairs, view, line->n, width, scale);
            kernels->zero(mpno_rows_offset(kernels, tmp, width), 2 * width, line->n, width);
            mpno_line_run(&line->line, kernels, out, &pairs, width,
                          mpno_rows_offset(kernels, tmp, line->n * 2 * width));
            break;
    }
}

int mpno_real_line_inverse(const mpno_real_line *line, const mpno_fft_kernels *kernels,
                           const mpno_fft_view *view, const mpno_fft_rows *in, int64_t width,
                           void *tmp) {
    const int64_t block = mpno_rows_block(kernels, width);
    mpno_fft_rows samples = {tmp, width, 0}, pairs = mpno_rows_dense(tmp, width);
    switch (line->method) {
        case MPNO_REAL_DIRECT:
            return direct_inverse(line, kernels, view, in, width, tmp);
        case MPNO_REAL_HALF:
            for (int64_t c = 0; c < width; c += block) {
                const int64_t part = width - c < block ? width - c : block;
                mpno_fft_rows from = mpno_rows_part(kernels, in, 0, c),
                              to = mpno_rows_part(kernels, &pairs, 0, c);
                mpno_fft_rows z =
                    mpno_rows_dense(mpno_rows_offset(kernels, tmp, line->n * width), part);
                kernels->join(&z, line->n / 2, &from, line->k, line->twiddles, part);
                mpno_line_run(&line->line, kernels, &to, &z, part,
                              mpno_rows_offset(kernels, z.data, line->n * part));
            }
            return kernels->store(view, &samples, line->n, 1.0);
        case MPNO_REAL_FULL:
            mpno_line_run(&line->line, kernels, &pairs, in, width,
                          mpno_rows_offset(kernels, tmp, line->n * 2 * width));
            return kernels->store(view, &pairs, line->n, 1.0);
    }
    return 0;
}
