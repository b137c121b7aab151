/* SPDX-License-Identifier: MIT
 * Statistics of tensors: see statistics.h. Sums are compensated (Neumaier, ZAMM 54, 1974, p. 39);
 * mean and deviation by the updates of Welford (Technometrics 4, 1962, p. 419). */
#include "data/statistics.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "data/readers.h"

enum { SLAB_BYTES = 16 << 20, LINE = 1024 };

typedef struct accumulator {
    mpno_statistics *s;
    double lost, lost_im; /* what rounding took from the sums */
    double square;        /* sum of squared distances from the mean */
    int64_t finite;
    __extension__ __int128 integer;
} accumulator;

static void add_to(double *sum, double *lost, double x) {
    const double next = *sum + x;
    *lost += fabs(*sum) >= fabs(x) ? (*sum - next) + x : (x - next) + *sum;
    *sum = next;
}

static void add_value(accumulator *a, double re, double im, bool complex_number) {
    mpno_statistics *s = a->s;
    const int64_t at = s->count++;
    if (!isfinite(re) || !isfinite(im)) {
        if (isnan(re) || isnan(im))
            s->nan++;
        else
            s->inf++;
        if (s->first_bad < 0) s->first_bad = at;
        return;
    }
    add_to(&s->sum, &a->lost, re);
    add_to(&s->sum_im, &a->lost_im, im);
    const double n = (double)++a->finite, d_re = re - s->mean, d_im = im - s->mean_im;
    s->mean += d_re / n;
    s->mean_im += d_im / n;
    a->square += d_re * (re - s->mean) + d_im * (im - s->mean_im);
    if (complex_number) return;
    if (a->finite == 1 || re < s->min) s->min = re;
    if (a->finite == 1 || re > s->max) s->max = re;
}

/* Integers of 64 bits as they are; the narrower ones are exact in f64. */
static void add_integers(accumulator *a, const mpno_named_tensor *t, int64_t start, int64_t n,
                         const double *values) {
    for (int64_t i = 0; i < n; i++) {
        if (t->element == MPNO_ELEMENT_I64)
            a->integer += ((const int64_t *)t->data)[start + i];
        else if (t->element == MPNO_ELEMENT_U64)
            a->integer += ((const uint64_t *)t->data)[start + i];
        else
            a->integer += (int64_t)values[i];
    }
}

static mpno_status add_tensor(mpno_ctx *ctx, accumulator *a, const mpno_named_tensor *t) {
    double values[2 * LINE];
    const bool pairs = mpno_element_is_complex(t->element),
               integers = mpno_element_is_integer(t->element);
    const int64_t count = mpno_named_tensor_count(t);
    for (int64_t start = 0; start < count; start += LINE) {
        const int64_t n = count - start < LINE ? count - start : LINE;
        MPNO_TRY(mpno_named_tensor_values(ctx, t, start, n, MPNO_F64, values));
        for (int64_t i = 0; i < n; i++)
            add_value(a, pairs ? values[2 * i] : values[i], pairs ? values[2 * i + 1] : 0, pairs);
        if (integers) add_integers(a, t, start, n, values);
    }
    return MPNO_OK;
}

/* Reads and adds the tensor in pieces of whole rows of its first axis. */
static mpno_status add_slabs(mpno_ctx *ctx, accumulator *a, const char *path,
                             const mpno_tensor_file *list, const mpno_named_tensor *t) {
    const int64_t rows = t->ndim > 0 ? t->shape[0] : 1;
    const size_t row = rows > 0 ? t->bytes / (size_t)rows : 0;
    if (row == 0) return MPNO_OK;
    int64_t most = (int64_t)(SLAB_BYTES / row);
    if (most < 1) most = 1;
    if (most > rows) most = rows;
    mpno_named_tensor slab = *t;
    MPNO_TRY(mpno_alloc_raw(ctx, (size_t)most * row, &slab.data));
    mpno_piece piece = {.name = t->name, .element = t->element, .ndim = t->ndim, .out = slab.data};
    for (int d = 0; d < t->ndim; d++) {
        piece.count[d] = t->shape[d];
        piece.step[d] = 1;
    }
    mpno_status status = MPNO_OK;
    for (int64_t first = 0; first < rows && status == MPNO_OK; first += most) {
        slab.shape[0] = rows - first < most ? rows - first : most;
        piece.start[0] = first;
        piece.count[0] = slab.shape[0];
        status = mpno_tensor_file_fetch(ctx, path, NULL, list, 1, &piece);
        if (status == MPNO_OK) status = add_tensor(ctx, a, &slab);
    }
    mpno_free(ctx, slab.data);
    return status;
}

mpno_status mpno_statistics_of(mpno_ctx *ctx, const char *path, const mpno_tensor_file *list,
                               const mpno_named_tensor *t, mpno_statistics *out) {
    *out = (mpno_statistics){.first_bad = -1};
    accumulator a = {.s = out};
    MPNO_TRY(t->data ? add_tensor(ctx, &a, t) : add_slabs(ctx, &a, path, list, t));
    out->sum += a.lost;
    out->sum_im += a.lost_im;
    out->std = a.finite > 0 ? sqrt(a.square / (double)a.finite) : 0;
    out->exact =
        mpno_element_is_integer(t->element) && a.integer >= INT64_MIN && a.integer <= INT64_MAX;
    if (out->exact) out->integer = (int64_t)a.integer;
    return MPNO_OK;
}
