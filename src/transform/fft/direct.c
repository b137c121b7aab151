/* SPDX-License-Identifier: MIT
 * Tables and execution of the folded matrix product (formulas: direct.h; folding:
 * kernel/fft_kernels.h). */
#include "transform/fft/direct.h"

#include <string.h>

#include "core/memory.h"
#include "number/format.h"
#include "transform/fft/roots.h"

static void plan_classes(mpno_direct *d) {
    bool quarter = d->n % 2 == 0;
    d->n_classes = quarter ? 4 : 2;
    d->folded_rows = quarter ? d->n / 4 + 1 : d->n / 2 + 1;
    for (int c = 0; c < d->n_classes; c++) {
        mpno_direct_class *class = &d->classes[c];
        class->odd = c >= d->n_classes / 2;
        class->k_step = quarter ? 2 : 1;
        class->k_first = quarter ? c % 2 : 0;
        if (class->odd && class->k_first == 0) class->k_first = class->k_step; /* sin 0 = 0 */
        class->k_count =
            class->k_first > d->last ? 0 : (d->last - class->k_first) / class->k_step + 1;
        class->h_first = class->odd;
        class->h_count = d->folded_rows - class->h_first;
    }
}

double mpno_direct_flops(int64_t n, int64_t last) {
    mpno_direct d = {.n = n, .last = last};
    plan_classes(&d);
    double flops = (double)n * (d.n_classes / 2); /* folding */
    for (int c = 0; c < d.n_classes; c++)
        flops += 2.0 * (double)d.classes[c].k_count * (double)d.classes[c].h_count;
    return flops;
}

/* roots: cos, sin of 2 pi j / n, j < n. */
static void fill_table(const mpno_direct *d, const mpno_direct_class *class, mpno_format arithmetic,
                       const long double *roots, void *table) {
    for (int64_t i = 0; i < class->k_count; i++) {
        int64_t k = class->k_first + i * class->k_step;
        for (int64_t j = 0; j < class->h_count; j++) {
            const long double *root = roots + 2 * (k * (class->h_first + j) % d->n);
            int64_t at = d->inverse ? j * class->k_count + i : i * class->h_count + j;
            mpno_table_set(table, arithmetic, at, class->odd ? -root[1] : root[0]);
        }
    }
}

mpno_status mpno_direct_create(mpno_ctx *ctx, mpno_format arithmetic, int64_t n, int64_t last,
                               bool inverse, mpno_direct *out) {
    mpno_direct d = {.n = n, .last = last, .inverse = inverse};
    plan_classes(&d);
    size_t count = 0, bytes = mpno_format_bytes(arithmetic);
    for (int c = 0; c < d.n_classes; c++)
        count += (size_t)(d.classes[c].k_count * d.classes[c].h_count);
    long double *roots = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)n, sizeof *roots, &roots));
    mpno_status status = mpno_alloc_array(ctx, count, bytes, &d.tables);
    if (status == MPNO_OK) {
        for (int64_t j = 0; j < n; j++) mpno_root(j, n, roots + 2 * j, roots + 2 * j + 1);
        unsigned char *table = d.tables;
        for (int c = 0; c < d.n_classes; c++) {
            fill_table(&d, &d.classes[c], arithmetic, roots, table);
            d.classes[c].table = table;
            table += (size_t)(d.classes[c].k_count * d.classes[c].h_count) * bytes;
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

void mpno_direct_forward(const mpno_direct *direct, const mpno_fft_kernels *kernels, void *even,
                         void *odd, int64_t k_stride, const mpno_fft_view *view, int64_t length,
                         void *folded) {
    const size_t bytes = mpno_format_bytes(kernels->arithmetic);
    mpno_fft_folded to = {folded, length, direct->folded_rows * length};
    kernels->fold(&to, view, direct->n, length);
    kernels->zero(odd, k_stride, 1, length);
    for (int c = 0; c < direct->n_classes; c++) {
        const mpno_direct_class *class = &direct->classes[c];
        char *dst = (char *)(class->odd ? odd : even) + (size_t)(class->k_first * k_stride) * bytes;
        const char *src =
            (const char *)folded + (size_t)(c * to.class_stride + class->h_first * length) * bytes;
        if (class->h_count == 0) {
            kernels->zero(dst, class->k_step * k_stride, class->k_count, length);
        } else {
            kernels->matmul(dst, class->k_step * k_stride, class->table, class->k_count,
                            class->h_count, src, length, length);
        }
    }
}

int mpno_direct_inverse(const mpno_direct *direct, const mpno_fft_kernels *kernels,
                        const mpno_fft_view *view, const void *even, const void *odd,
                        int64_t k_stride, int64_t length, void *folded) {
    const size_t bytes = mpno_format_bytes(kernels->arithmetic);
    mpno_fft_folded from = {folded, length, direct->folded_rows * length};
    for (int c = 0; c < direct->n_classes; c++) {
        const mpno_direct_class *class = &direct->classes[c];
        char *dst =
            (char *)folded + (size_t)(c * from.class_stride + class->h_first * length) * bytes;
        const char *src =
            (const char *)(class->odd ? odd : even) + (size_t)(class->k_first * k_stride) * bytes;
        if (class->k_count == 0) {
            kernels->zero(dst, length, class->h_count, length);
        } else {
            kernels->matmul(dst, length, class->table, class->h_count, class->k_count, src,
                            class->k_step * k_stride, length);
        }
    }
    return kernels->unfold(view, &from, direct->n, length);
}
