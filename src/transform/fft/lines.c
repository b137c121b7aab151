/* SPDX-License-Identifier: MIT
 * Lines of the last axis (fft.h: the transform in two parts), in one thread, a strip of channels at
 * a time, and the sums of a field by Parseval's theorem from its columns.
 * Error of the sums: (rows + 3) 2^-53 of the sum of magnitudes. */
#include "core/memory.h"
#include "core/parallel.h"
#include "number/format.h"
#include "transform/fft/plan.h"

int64_t mpno_fft_line_scratch(const mpno_fft *fft, int64_t width) {
    const int last = fft->problem.ndim - 1;
    const mpno_fft_kernels *kernels = fft->kernels;
    int64_t there, back;
    if (fft->problem.kind == MPNO_FFT_REAL) {
        there = mpno_real_line_scratch(&fft->real_forward, kernels, width);
        back = mpno_real_line_scratch(&fft->real_inverse, kernels, width);
    } else {
        const int64_t loaded = fft->problem.size[last] * 2 * width;
        there = loaded + mpno_line_scratch(&fft->forward[last], kernels, width);
        back = loaded + mpno_line_scratch(&fft->inverse[last], kernels, width);
    }
    return there > back ? there : back;
}

void mpno_fft_forward_line(const mpno_fft *fft, const mpno_fft_rows *to, const mpno_fft_view *view,
                           int64_t width, double scale, void *tmp) {
    const int last = fft->problem.ndim - 1;
    if (fft->problem.kind == MPNO_FFT_REAL) {
        mpno_real_line_forward(&fft->real_forward, fft->kernels, to, view, width, scale, tmp);
    } else {
        const int64_t n = fft->problem.size[last];
        mpno_fft_rows loaded = mpno_rows_dense(tmp, width);
        fft->kernels->load(&loaded, view, n, width, scale);
        mpno_line_run(&fft->forward[last], fft->kernels, to, &loaded, width,
                      mpno_rows_part(fft->kernels, &loaded, n, 0).data);
    }
}

int mpno_fft_inverse_line(const mpno_fft *fft, const mpno_fft_view *view, const mpno_fft_rows *from,
                          int64_t width, void *tmp) {
    const int last = fft->problem.ndim - 1;
    if (fft->problem.kind == MPNO_FFT_REAL)
        return mpno_real_line_inverse(&fft->real_inverse, fft->kernels, view, from, width, tmp);
    const int64_t n = fft->problem.size[last];
    mpno_fft_rows whole = mpno_rows_dense(tmp, width);
    mpno_line_run(&fft->inverse[last], fft->kernels, &whole, from, width,
                  mpno_rows_part(fft->kernels, &whole, n, 0).data);
    return fft->kernels->store(view, &whole, n, 1.0);
}

/* ---- lines of a tile ---- */

size_t mpno_fft_lines_scratch_bytes(const mpno_fft *fft, int64_t channels) {
    const int64_t width = mpno_fft_strip_width(fft, channels);
    const int64_t kept = fft->problem.keep[fft->problem.ndim - 1] * 2 * width;
    return (size_t)(kept + mpno_fft_line_scratch(fft, width)) * mpno_rows_element(fft->kernels);
}

/* A strip of one line, on both sides. */
typedef struct line_views {
    mpno_fft_view field, columns;
    int64_t width, kept;
    mpno_fft_rows rows; /* the columns as the transform sees them: the tensor itself or scratch */
    bool in_place;
    void *tmp;
} line_views;

static line_views view_line(const mpno_fft *fft, const mpno_fft_lines_call *call, void *columns,
                            int64_t line, void *tile, int64_t tile_line, int64_t channel) {
    const int last = fft->problem.ndim - 1, planes = mpno_fft_planes(fft);
    const int64_t channels = call->channels, most = mpno_fft_strip_width(fft, channels);
    const int64_t count = channels - channel < most ? channels - channel : most;
    const int64_t kept = fft->problem.keep[last], n = fft->problem.size[last];
    const int64_t column_at = line * kept * 2 * channels + channel;
    line_views v = {.width = most, .kept = kept};
    v.columns = (mpno_fft_view){
        .data = (char *)columns + (size_t)column_at * mpno_format_bytes(call->columns_format),
        .format = call->columns_format,
        .row_stride = 2 * channels,
        .plane_stride = channels,
        .n = count,
        .planes = 2};
    v.field = (mpno_fft_view){
        .data = mpno_rows_offset(fft->kernels, tile, tile_line * n * planes * channels + channel),
        .format = fft->problem.arithmetic,
        .row_stride = planes * channels,
        .plane_stride = channels,
        .n = count,
        .planes = planes};
    v.rows = mpno_rows_dense(call->scratch, most);
    v.tmp = mpno_rows_part(fft->kernels, &v.rows, kept, 0).data;
    v.in_place = call->columns_format == fft->problem.arithmetic &&
                 channels % fft->kernels->lanes == 0 && (uintptr_t)columns % MPNO_ALIGN == 0;
    if (v.in_place) {
        v.rows = (mpno_fft_rows){v.columns.data, 2 * channels, channels};
        v.width = count;
    }
    return v;
}

int mpno_fft_inverse_lines(const mpno_fft *fft, const mpno_fft_lines_call *call,
                           const void *columns, int64_t first, int64_t n, void *tile) {
    const int64_t step = mpno_fft_strip_width(fft, call->channels);
    int bad = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < call->channels; c += step) {
            const line_views v =
                view_line(fft, call, (void *)(uintptr_t)columns, first + i, tile, i, c);
            if (!v.in_place) fft->kernels->load(&v.rows, &v.columns, v.kept, v.width, 1.0);
            bad |= mpno_fft_inverse_line(fft, &v.field, &v.rows, v.width, v.tmp);
        }
    }
    return bad;
}

int mpno_fft_forward_lines(const mpno_fft *fft, const mpno_fft_lines_call *call, const void *tile,
                           int64_t first, int64_t n, void *columns) {
    const int64_t step = mpno_fft_strip_width(fft, call->channels);
    int bad = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < call->channels; c += step) {
            const line_views v =
                view_line(fft, call, columns, first + i, (void *)(uintptr_t)tile, i, c);
            mpno_fft_forward_line(fft, &v.rows, &v.field, v.width, 1.0, v.tmp);
            bad |= fft->kernels->store(&v.columns, &v.rows, v.kept, call->scale);
        }
    }
    return bad;
}

/* ---- sums by Parseval's theorem ---- */

typedef struct sums_job {
    const mpno_fft *fft;
    const char *columns;
    int64_t channels, parts; /* parts: tasks of a sample */
    mpno_format format;
    double *sums;
} sums_job;

static void sums_task(void *argument, int64_t index, int thread) {
    (void)thread;
    const sums_job *j = argument;
    const int last = j->fft->problem.ndim - 1;
    const int64_t sample = index / j->parts, channel = index % j->parts * MPNO_FFT_SUM_CHANNELS;
    const int64_t left = j->channels - channel;
    const int64_t at = sample * mpno_fft_columns(j->fft) * 2 * j->channels + channel;
    const mpno_fft_view view = {
        .data = (void *)(uintptr_t)(j->columns + (size_t)at * mpno_format_bytes(j->format)),
        .format = j->format,
        .row_stride = 2 * j->channels,
        .plane_stride = j->channels,
        .n = left < MPNO_FFT_SUM_CHANNELS ? left : MPNO_FFT_SUM_CHANNELS,
        .planes = 2};
    j->fft->kernels->column_sums(&view, mpno_fft_lines(j->fft), j->fft->problem.keep[last],
                                 j->fft->problem.size[last],
                                 j->sums + 2 * (sample * j->channels + channel));
}

void mpno_fft_column_sums(const mpno_fft *fft, int64_t batch, int64_t channels, mpno_format format,
                          const void *columns, int n_threads, double *sums) {
    sums_job j = {.fft = fft,
                  .columns = columns,
                  .channels = channels,
                  .parts = (channels + MPNO_FFT_SUM_CHANNELS - 1) / MPNO_FFT_SUM_CHANNELS,
                  .format = format,
                  .sums = sums};
    mpno_parallel(n_threads < 1 ? 1 : n_threads, batch * j.parts, sums_task, &j);
}
