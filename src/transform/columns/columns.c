/* SPDX-License-Identifier: MIT
 * Plans of the transform in two parts, see columns.h. The other axes are a complex transform whose
 * channels are the frequencies and channels of a line together; its modes stand in another order
 * than those of a spectrum and are copied, which is when they are rounded to the stored format. */
#include "transform/columns/columns.h"

#include <stdatomic.h>
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "number/format.h"
#include "transform/fft/roots.h"

static void fill_table(mpno_columns *c, double scale, mpno_fft_weighting weighting, void *table) {
    for (int64_t k = 0; k < c->keep; k++) {
        const bool alone = k == 0 || 2 * k == c->n;
        const double w = scale * (weighting == MPNO_FFT_HERMITIAN && !alone ? 2 : 1);
        const mpno_columns_class class = k == 0          ? MPNO_COLUMNS_MEAN
                                         : 2 * k == c->n ? MPNO_COLUMNS_NYQUIST
                                                         : MPNO_COLUMNS_MIDDLE;
        c->square[class] = w * w * (double)c->n * (alone ? 1 : 0.5);
        if (class == MPNO_COLUMNS_MEAN) c->mean = w;
        if (class == MPNO_COLUMNS_MIDDLE) c->middle_count++;
        if (class == MPNO_COLUMNS_NYQUIST) c->has_nyquist = true;
        for (int64_t n = 0; n < c->n; n++) {
            long double cosine, sine;
            mpno_root(k * n % c->n, c->n, &cosine, &sine);
            mpno_table_set(table, c->arithmetic, n * 2 * c->keep + k, (long double)w * cosine);
            mpno_table_set(table, c->arithmetic, n * 2 * c->keep + c->keep + k,
                           -(long double)w * sine);
        }
    }
}

static mpno_status make_plan(mpno_ctx *ctx, const mpno_fft_problem *problem, double scale,
                             mpno_fft_weighting weighting, mpno_columns *c) {
    const int last = problem->ndim - 1;
    mpno_fft_problem rest = *problem;
    c->arithmetic = problem->arithmetic;
    c->kernels = mpno_kernels_get(ctx->isa, problem->arithmetic);
    c->n = problem->size[last], c->keep = problem->keep[last];
    c->lines = 1, c->modes = c->keep, c->middle_first = 1;
    c->n_rest = last;
    for (int d = 0; d < last; d++) {
        c->lines *= problem->size[d], c->modes *= problem->keep[d];
        c->rest_keep[d] = problem->keep[d];
    }
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(c->n * 2 * c->keep), mpno_format_bytes(c->arithmetic),
                              &c->owned));
    fill_table(c, scale, weighting, c->owned);
    c->table = c->owned;
    rest.kind = MPNO_FFT_COMPLEX, rest.ndim = last;
    return last > 0 ? mpno_fft_create(ctx, &rest, &c->rest) : MPNO_OK;
}

mpno_status mpno_columns_create(mpno_ctx *ctx, const mpno_fft_problem *problem, double scale,
                                mpno_fft_weighting weighting, mpno_columns **out) {
    MPNO_CHECK(ctx, problem->kind == MPNO_FFT_REAL && problem->ndim >= 1, MPNO_E_ARGUMENT,
               "columns: only transforms of real data come in two parts");
    MPNO_TRY(mpno_alloc(ctx, sizeof **out, out));
    const mpno_status status = make_plan(ctx, problem, scale, weighting, *out);
    if (status != MPNO_OK) mpno_columns_destroy(ctx, out);
    return status;
}

void mpno_columns_destroy(mpno_ctx *ctx, mpno_columns **columns) {
    if (columns == NULL || *columns == NULL) return;
    mpno_fft_destroy(ctx, &(*columns)->rest);
    mpno_free(ctx, (*columns)->owned);
    mpno_free(ctx, *columns);
    *columns = NULL;
}

double mpno_columns_rest_flops(const mpno_columns *columns) {
    return columns->rest != NULL ? mpno_fft_flops(columns->rest) * (double)columns->keep : 0;
}

/* ---- lines ---- */

/* Row `first` of T. */
static const void *table_row(const mpno_columns *plan, int64_t first) {
    return (const char *)plan->table +
           (size_t)(first * 2 * plan->keep) * mpno_format_bytes(plan->arithmetic);
}

void mpno_columns_take(const mpno_columns *plan, int64_t first, int64_t count, const void *points,
                       int64_t channels, void *columns) {
    const int64_t rows = 2 * plan->keep;
    if (first == 0)
        memset(columns, 0, (size_t)(rows * channels) * mpno_format_bytes(plan->arithmetic));
    plan->kernels->gemm_tn(count, channels, rows, table_row(plan, first), rows, points, channels,
                           columns, channels);
}

void mpno_columns_give(const mpno_columns *plan, int64_t first, int64_t count, const void *columns,
                       int64_t channels, void *points) {
    const int64_t rows = 2 * plan->keep;
    plan->kernels->gemm(count, channels, rows, table_row(plan, first), rows, columns, channels,
                        points, channels, 0);
}

/* ---- the other axes ---- */

/* The copy between the modes of `rest`, [modes of the other axes][batch][2][K][C], and those of the
 * spectrum, [modes][batch][2][C]. In one dimension the former are the columns themselves. */
typedef struct reorder {
    const mpno_columns *plan;
    const mpno_columns_call *call;
    char *plain, *spectrum, *rooms; /* a row of the arithmetic type for each thread */
    mpno_format plain_format;
    bool to_spectrum;
    atomic_bool bad;
} reorder;

static size_t plain_bytes(const mpno_columns *c, int64_t batch, int64_t channels) {
    if (c->rest == NULL) return 0;
    return mpno_aligned((size_t)(c->modes * batch * 2 * channels) *
                        mpno_format_bytes(c->arithmetic));
}

static size_t row_bytes(const mpno_columns *c, int64_t channels) {
    return mpno_aligned((size_t)channels * mpno_format_bytes(c->arithmetic));
}

/* The row of `rest`'s modes in which all frequencies are 0. */
static int64_t mean_row(const mpno_columns *plan) {
    int64_t row = 0;
    for (int d = 0; d < plan->n_rest; d++) row = row * plan->rest_keep[d] + plan->rest_keep[d] / 2;
    return row;
}

static void reorder_row(reorder *r, char *plain, char *stored, bool mean, char *room) {
    const mpno_kernels *kernels = r->plan->kernels;
    const int64_t channels = r->call->channels;
    const mpno_format format = r->call->spectrum_format;
    int bad = 0;
    if (r->to_spectrum) {
        kernels->load(room, plain, r->plain_format, channels);
        bad = kernels->store(stored, format, room, channels);
    } else {
        kernels->load(room, stored, format, channels);
        if (mean) kernels->channel_affine(room, room, NULL, r->call->mean, 1, channels);
        bad = kernels->store(plain, r->plain_format, room, channels);
    }
    if (bad) atomic_store_explicit(&r->bad, true, memory_order_relaxed);
}

static void reorder_modes(void *argument, int64_t row, int thread) {
    reorder *r = argument;
    const int64_t keep = r->plan->keep, batch = r->call->batch, channels = r->call->channels;
    const size_t from = (size_t)channels * mpno_format_bytes(r->plain_format),
                 to = (size_t)channels * mpno_format_bytes(r->call->spectrum_format);
    const bool mean = r->call->mean != NULL && !r->to_spectrum && row == mean_row(r->plan);
    for (int64_t half = 0; half < 2 * batch; half++)
        for (int64_t k = 0; k < keep; k++)
            reorder_row(r, r->plain + (size_t)((row * 2 * batch + half) * keep + k) * from,
                        r->spectrum + (size_t)((row * keep + k) * 2 * batch + half) * to,
                        mean && k == 0 && half % 2 == 0,
                        r->rooms + (size_t)thread * row_bytes(r->plan, channels));
}

size_t mpno_columns_scratch_bytes(const mpno_columns *columns, int64_t batch, int64_t channels,
                                  int n_threads) {
    const size_t rest =
        columns->rest == NULL
            ? 0
            : mpno_fft_scratch_bytes(columns->rest, columns->keep * channels, n_threads);
    return plain_bytes(columns, batch, channels) +
           (size_t)n_threads * row_bytes(columns, channels) + rest;
}

static mpno_fft_call rest_call(const mpno_columns *plan, const mpno_columns_call *call) {
    return (mpno_fft_call){.batch = call->batch,
                           .channels = plan->keep * call->channels,
                           .scale = 1,
                           .weighting = MPNO_FFT_PLAIN,
                           .field_format = call->columns_format,
                           .spectrum_format = plan->arithmetic,
                           .n_threads = call->n_threads,
                           .scratch = (char *)call->scratch +
                                      plain_bytes(plan, call->batch, call->channels) +
                                      (size_t)call->n_threads * row_bytes(plan, call->channels)};
}

static reorder make_reorder(const mpno_columns *plan, const mpno_columns_call *call, void *columns,
                            void *spectrum, bool to_spectrum) {
    const bool line = plan->rest == NULL;
    return (reorder){
        .plan = plan,
        .call = call,
        .plain = line ? columns : call->scratch,
        .plain_format = line ? call->columns_format : plan->arithmetic,
        .spectrum = spectrum,
        .rooms = (char *)call->scratch + plain_bytes(plan, call->batch, call->channels),
        .to_spectrum = to_spectrum};
}

int mpno_columns_forward(const mpno_columns *plan, const mpno_columns_call *call,
                         const void *columns, void *spectrum) {
    const mpno_fft_call rest = rest_call(plan, call);
    reorder r = make_reorder(plan, call, (void *)(uintptr_t)columns, spectrum, true);
    if (plan->rest != NULL) (void)mpno_fft_forward(plan->rest, &rest, columns, r.plain);
    mpno_parallel(call->n_threads, plan->modes / plan->keep, reorder_modes, &r);
    return r.bad;
}

int mpno_columns_inverse(const mpno_columns *plan, const mpno_columns_call *call,
                         const void *spectrum, void *columns) {
    const mpno_fft_call rest = rest_call(plan, call);
    reorder r = make_reorder(plan, call, columns, (void *)(uintptr_t)spectrum, false);
    mpno_parallel(call->n_threads, plan->modes / plan->keep, reorder_modes, &r);
    return plan->rest != NULL ? mpno_fft_inverse(plan->rest, &rest, r.plain, columns) : r.bad;
}
