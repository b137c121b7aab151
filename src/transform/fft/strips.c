/* SPDX-License-Identifier: MIT
 * Drives the transform of fft.h, one *strip* of channels of one sample at a time. The
 * last axis is transformed first and only its kept columns go on to the axis before, and so on;
 * backwards the other way round. An axis before the last is transformed column by column, so that
 * of a strip of a 3-D field only [N_1][K_2][K_3][2][strip] survives. Threads take strips of their
 * own; where there are fewer strips than threads, or a strip does not fit into a cache, they share
 * one: first the planes n_1 = 0, 1, .., then the columns. Between spectrum and columns the same is
 * done without the last axis. No data is touched here: kernels do that. */
#include <math.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "kernel/kernel.h"
#include "number/format.h"
#include "transform/fft/plan.h"

/* Channels of a strip, in bytes of arithmetic: rows of a field with 64 channels of f32 are read
 * whole. Strips of 64 bytes took twice the time (8 x 128 x 128 x 64 channels, keep 16 x 9: 8.4 ms;
 * 128 bytes 6 to 10, 256 bytes 3.8). */
#define STRIP_BYTES 256
#define SHARED_BYTES \
    ((size_t)1 << 20)     /* kept part of a strip from which threads share one: about an L2 cache */
#define PLANES_PER_TASK 8 /* of a shared strip in 2-D, where a plane is one line */

/* ---- strips of channels and their scratch ---- */

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static int64_t round_up(int64_t n, int64_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

int64_t mpno_fft_strip_width(const mpno_fft *fft, int64_t channels) {
    int64_t most = STRIP_BYTES / (int64_t)mpno_rows_element(fft->kernels);
    return round_up(channels < most ? channels : most, fft->kernels->lanes);
}

/* Elements of T of the line in work, whatever its dimension; the one before the last may come from
 * columns. */
static int64_t work_scratch(const mpno_fft *fft, int64_t width) {
    int64_t most = mpno_fft_line_scratch(fft, width);
    for (int d = 0; !mpno_fft_is_last(fft, d); d++) {
        const int64_t loaded = d + 2 == fft->problem.ndim ? fft->problem.size[d] * 2 * width : 0;
        most = larger(most, loaded + mpno_line_scratch(&fft->forward[d], fft->kernels, width));
        most = larger(most, loaded + mpno_line_scratch(&fft->inverse[d], fft->kernels, width));
    }
    return most;
}

/* Elements of [N_d][K_d+1]..[K_last][2][width]: what is kept of the dimensions behind d. */
static int64_t level_scratch(const mpno_fft *fft, int d, int64_t width) {
    return mpno_fft_is_last(fft, d) ? 0 : fft->problem.size[d] * fft->columns[d] * 2 * width;
}

typedef struct layout {
    int64_t width;          /* of a strip */
    int64_t unit, per_unit; /* channels in whole groups that strips share out; strips of a unit */
    size_t
        thread_bytes; /* a cache line with a flag, one column, the inner levels, the line in work */
    size_t level_bytes; /* the outer level: one per thread, or one in all */
    bool shared;
} layout;

/* A strip holds whole groups, which are moved one by one, or a part of one. */
static layout make_layout(const mpno_fft *fft, int64_t channels, int64_t groups) {
    const int64_t most = mpno_fft_strip_width(fft, channels * groups);
    const bool several = channels < most;
    layout l = {.unit = several ? most / channels * channels : channels};
    l.width = mpno_fft_strip_width(fft, l.unit);
    l.per_unit = (l.unit + l.width - 1) / l.width;
    int64_t count = fft->problem.keep[0] * 2 * l.width + work_scratch(fft, l.width);
    for (int d = 1; d < fft->problem.ndim; d++) count += level_scratch(fft, d, l.width);
    size_t element = mpno_rows_element(fft->kernels);
    l.thread_bytes = MPNO_ALIGN + (size_t)round_up(count * (int64_t)element, MPNO_ALIGN);
    l.level_bytes = (size_t)round_up(level_scratch(fft, 0, l.width) * (int64_t)element, MPNO_ALIGN);
    l.shared = l.level_bytes > SHARED_BYTES;
    return l;
}

size_t mpno_fft_scratch_bytes(const mpno_fft *fft, int64_t channels, int n_threads) {
    return mpno_fft_groups_scratch_bytes(fft, channels, 1, n_threads);
}

size_t mpno_fft_groups_scratch_bytes(const mpno_fft *fft, int64_t channels, int64_t groups,
                                     int n_threads) {
    layout l = make_layout(fft, channels, groups);
    size_t threads = n_threads < 1 ? 1 : (size_t)n_threads;
    return threads * l.thread_bytes + (l.shared ? 1 : threads) * l.level_bytes;
}

/* ---- one strip ---- */

/* One strip in the hands of one thread. */
typedef struct strip {
    const mpno_fft *fft;
    const mpno_fft_call *call;
    char *field, *spectrum;
    int64_t group;                   /* channels of one */
    bool columns;                    /* of the last axis in place of the field */
    int64_t sample, first, n, width; /* channels first .. first + n - 1 in rows of width */
    void *column, *level[MPNO_FFT_MAX_DIMS], *tmp;
    int bad;
} strip;

static mpno_fft_rows dense(const strip *s, void *base, int64_t row) {
    return mpno_rows_dense(mpno_rows_offset(s->fft->kernels, base, row * 2 * s->width), s->width);
}

/* Rows along dimension d of column c of [..][columns_d][2][width]. */
static mpno_fft_rows column_of(const strip *s, void *base, int d, int64_t c) {
    mpno_fft_rows rows = dense(s, base, c);
    rows.stride *= s->fft->columns[d];
    return rows;
}

/* Line number `line` of the field along the last dimension, or of the columns. */
static mpno_fft_view field_view(const strip *s, int64_t line) {
    const mpno_fft_problem *p = &s->fft->problem;
    const int planes = s->columns ? 2 : mpno_fft_planes(s->fft);
    const int64_t rows = s->columns ? p->keep[p->ndim - 1] : p->size[p->ndim - 1];
    const int64_t channels = s->call->channels, row = planes * channels;
    const int64_t lines = mpno_fft_lines(s->fft), number = s->sample * lines + line;
    const int64_t start = number * rows * row + s->first;
    const size_t bytes = mpno_format_bytes(s->call->field_format);
    char *data = s->field + (size_t)start * bytes;
    const bool more = number + 1 < s->call->batch * lines && s->n == row;
    return (mpno_fft_view){.data = data,
                           .format = s->call->field_format,
                           .codec = s->call->field_codec,
                           .row_stride = row,
                           .plane_stride = channels,
                           .n = s->n,
                           .planes = planes,
                           .next = more ? data + (size_t)(rows * row) * bytes : NULL};
}

/* Of the columns in place of the field: rows along the axis before the last, of column c in part
 * `index` of the field. */
static mpno_fft_view columns_view(const strip *s, int64_t index, int64_t c) {
    const mpno_fft_problem *p = &s->fft->problem;
    mpno_fft_view view = field_view(s, index * p->size[p->ndim - 2]);
    view.data = (char *)view.data + (size_t)(c * view.row_stride) * mpno_format_bytes(view.format);
    view.row_stride *= p->keep[p->ndim - 1];
    return view;
}

/* Modes mode, mode + step, .. of the spectrum, from `channel` to the end of its group or of the
 * strip. */
static mpno_fft_view spectrum_view(const strip *s, int64_t mode, int64_t step, int64_t channel) {
    const int64_t groups = s->call->channels / s->group, row = s->call->batch * 2 * s->group;
    const int64_t group = channel / s->group, within = channel % s->group;
    const int64_t start = (mode * groups + group) * row + s->sample * 2 * s->group + within;
    const int64_t left = s->first + s->n - channel;
    return (mpno_fft_view){
        .data = s->spectrum + (size_t)start * mpno_format_bytes(s->call->spectrum_format),
        .format = s->call->spectrum_format,
        .codec = s->call->spectrum_codec,
        .row_stride = step * groups * row,
        .plane_stride = s->group,
        .n = left < s->group - within ? left : s->group - within,
        .planes = 2};
}

/* Of the rows along axis d, before its butterflies (prescale). */
static double axis_scale(const strip *s, int d) {
    const mpno_fft_kernels *kernels = s->fft->kernels;
    if (!s->call->prescale || kernels->rounding == kernels->arithmetic) return 1;
    int bits = 0;
    while ((int64_t)1 << bits < s->fft->problem.size[d]) bits++;
    return ldexp(1.0, -bits);
}

/* scale * w_k for frequency k of the last dimension. */
static double weight(const strip *s, int64_t k, bool to_spectrum) {
    const mpno_fft_problem *p = &s->fft->problem;
    int64_t n = p->size[p->ndim - 1];
    double scale = s->call->scale;
    for (int d = 0; to_spectrum && d < p->ndim; d++) scale /= axis_scale(s, d);
    bool twice = p->kind == MPNO_FFT_REAL && s->call->weighting == MPNO_FFT_HERMITIAN && k != 0 &&
                 2 * k != n;
    return twice ? 2 * scale : scale;
}

/* Adds the mean where frequency 0 stands: behind dimension 0 in one of the columns. */
static void add_mean(strip *s, int64_t column) {
    const mpno_fft_problem *p = &s->fft->problem;
    int64_t at = 0;
    for (int d = 1; d < p->ndim; d++) at = at * p->keep[d] + p->keep[d] / 2;
    if (s->call->mean == NULL || column != at || s->first >= s->group) return;
    const mpno_fft_kernels *kernels = s->fft->kernels;
    void *row = dense(s, s->column, p->keep[0] / 2).data;
    const char *mean = (const char *)s->call->mean + (size_t)s->first * mpno_rows_element(kernels);
    const int64_t left = s->group - s->first, count = left < s->n ? left : s->n;
    mpno_kernels_get(kernels->isa, kernels->arithmetic)
        ->channel_affine(row, row, NULL, mean, 1, count);
}

/* Moves the K_0 modes of one of the columns behind dimension 0 between spectrum and s->column. In
 * one dimension the column is the last dimension itself and its rows have weights of their own. */
static void move_column(strip *s, int64_t column, bool to_spectrum) {
    const mpno_fft *fft = s->fft;
    const mpno_fft_problem *p = &fft->problem;
    for (int64_t r = 0, end; r < p->keep[0]; r = end) {
        double scale = weight(s, p->ndim == 1 ? r : column % p->keep[p->ndim - 1], to_spectrum);
        end = p->keep[0];
        if (p->ndim == 1) {
            for (end = r + 1; end < p->keep[0] && weight(s, end, to_spectrum) == scale;) end++;
        }
        const mpno_fft_rows whole = dense(s, s->column, r);
        for (int64_t c = 0; c < s->n;) {
            const mpno_fft_view view =
                spectrum_view(s, r * fft->columns[0] + column, fft->columns[0], s->first + c);
            const mpno_fft_rows rows = mpno_rows_part(fft->kernels, &whole, 0, c);
            if (to_spectrum) {
                s->bad |= fft->kernels->store(&view, &rows, end - r, scale);
            } else {
                const bool last = c + view.n == s->n;
                fft->kernels->load(&rows, &view, end - r, last ? s->width - c : view.n, scale);
            }
            c += view.n;
        }
    }
    if (!to_spectrum) add_mean(s, column);
}

/* Is the next level that of columns in place of the field? They are read and written in place. */
static bool before_columns(const strip *s, int d) {
    return s->columns && d + 2 == s->fft->problem.ndim;
}

/* Column c of part `index` along axis d, not the last: from the level behind it to out. */
static void forward_axis(strip *s, int d, int64_t index, int64_t c, const mpno_fft_rows *out) {
    const mpno_fft *fft = s->fft;
    const int64_t n = fft->problem.size[d];
    mpno_fft_rows in = column_of(s, s->level[d], d, c);
    void *tmp = s->tmp;
    if (before_columns(s, d)) {
        const mpno_fft_view view = columns_view(s, index, c);
        in = dense(s, s->tmp, 0);
        tmp = dense(s, s->tmp, n).data;
        fft->kernels->load(&in, &view, n, s->width, axis_scale(s, d));
    } else if (axis_scale(s, d) != 1) {
        const mpno_fft_view view = {.data = in.data,
                                    .format = fft->kernels->arithmetic,
                                    .row_stride = in.stride,
                                    .plane_stride = in.plane,
                                    .n = s->width,
                                    .planes = 2};
        fft->kernels->load(&in, &view, n, s->width, axis_scale(s, d));
    }
    mpno_line_run(&fft->forward[d], fft->kernels, out, &in, s->width, tmp);
}

static void inverse_axis(strip *s, int d, int64_t index, int64_t c, const mpno_fft_rows *in) {
    const mpno_fft *fft = s->fft;
    const int64_t n = fft->problem.size[d];
    mpno_fft_rows out = column_of(s, s->level[d], d, c);
    if (before_columns(s, d)) {
        const mpno_fft_view view = columns_view(s, index, c);
        out = dense(s, s->tmp, 0);
        mpno_line_run(&fft->inverse[d], fft->kernels, &out, in, s->width, dense(s, s->tmp, n).data);
        s->bad |= fft->kernels->store(&view, &out, n, 1.0);
    } else {
        mpno_line_run(&fft->inverse[d], fft->kernels, &out, in, s->width, s->tmp);
    }
}

/* Dimensions d .. of part `index` of the field (row-major over the dimensions before d) to out,
 * [K_d]..[K_last][2][width]. */
static void forward_part(strip *s, int d, int64_t index, void *out) {
    const mpno_fft *fft = s->fft;
    const int64_t n = fft->problem.size[d], columns = fft->columns[d];
    mpno_fft_rows to = dense(s, out, 0);
    if (mpno_fft_is_last(fft, d)) {
        mpno_fft_view view = field_view(s, index);
        if (s->columns) {
            fft->kernels->load(&to, &view, fft->problem.keep[d], s->width, 1.0);
        } else {
            mpno_fft_forward_line(fft, &to, &view, s->width, axis_scale(s, d), s->tmp);
        }
        return;
    }
    for (int64_t i = 0; i < n && !before_columns(s, d); i++)
        forward_part(s, d + 1, index * n + i, dense(s, s->level[d], i * columns).data);
    for (int64_t c = 0; c < columns; c++) {
        to = column_of(s, out, d, c);
        forward_axis(s, d, index, c, &to);
    }
}

static void inverse_part(strip *s, int d, int64_t index, void *in) {
    const mpno_fft *fft = s->fft;
    const int64_t n = fft->problem.size[d], columns = fft->columns[d];
    mpno_fft_rows from = dense(s, in, 0);
    if (mpno_fft_is_last(fft, d)) {
        mpno_fft_view view = field_view(s, index);
        s->bad |= s->columns ? fft->kernels->store(&view, &from, fft->problem.keep[d], 1.0)
                             : mpno_fft_inverse_line(fft, &view, &from, s->width, s->tmp);
        return;
    }
    for (int64_t c = 0; c < columns; c++) {
        from = column_of(s, in, d, c);
        inverse_axis(s, d, index, c, &from);
    }
    for (int64_t i = 0; i < n && !before_columns(s, d); i++)
        inverse_part(s, d + 1, index * n + i, dense(s, s->level[d], i * columns).data);
}

/* Column c behind dimension 0, between spectrum and the outer level. */
static void outer_column(strip *s, int64_t c, bool inverse) {
    mpno_fft_rows modes = dense(s, s->column, 0);
    if (inverse) {
        move_column(s, c, false);
        inverse_axis(s, 0, 0, c, &modes);
    } else {
        forward_axis(s, 0, 0, c, &modes);
        move_column(s, c, true);
    }
}

/* Plane n_1 = i, between the outer level and the field. */
static void outer_plane(strip *s, int64_t i, bool inverse) {
    void *plane = dense(s, s->level[0], i * s->fft->columns[0]).data;
    if (inverse) {
        inverse_part(s, 1, i, plane);
    } else {
        forward_part(s, 1, i, plane);
    }
}

/* ---- all strips ---- */

typedef struct job {
    const mpno_fft *fft;
    const mpno_fft_call *call;
    char *field, *spectrum;
    bool inverse, columns;
    layout layout;
    int64_t group, strips_per_sample;
    int n_threads;
    int64_t shared_strip, planes; /* of the strip that all threads share; planes per task */
} job;

static char *thread_scratch(const job *j, int thread) {
    return (char *)j->call->scratch + (size_t)thread * j->layout.thread_bytes;
}

/* The flag of a thread lies in front of its rows: tasks write only to memory of their own thread.
 */
static int *flag(const job *j, int thread) {
    return (int *)(void *)thread_scratch(j, thread);
}

static void begin(strip *s, const job *j, int64_t index, int thread, int level) {
    const mpno_fft *fft = j->fft;
    const int64_t unit = j->layout.unit;
    s->fft = fft;
    s->call = j->call;
    s->field = j->field;
    s->spectrum = j->spectrum;
    s->columns = j->columns;
    s->bad = 0;
    s->group = j->group;
    s->sample = index / j->strips_per_sample;
    const int64_t number = index % j->strips_per_sample, within = number % j->layout.per_unit;
    const int64_t begins = number / j->layout.per_unit * unit, left = j->call->channels - begins;
    const int64_t ends = begins + (left < unit ? left : unit);
    s->first = begins + within * j->layout.width;
    s->n = ends - s->first < j->layout.width ? ends - s->first : j->layout.width;
    s->width = round_up(s->n, fft->kernels->lanes);
    s->column = thread_scratch(j, thread) + MPNO_ALIGN;
    void *next = dense(s, s->column, fft->problem.keep[0]).data;
    for (int d = 1; d < fft->problem.ndim; d++) {
        s->level[d] = next;
        next = mpno_rows_offset(fft->kernels, next, level_scratch(fft, d, s->width));
    }
    s->tmp = next;
    s->level[0] = thread_scratch(j, j->n_threads) + (size_t)level * j->layout.level_bytes;
}

static void strip_task(void *argument, int64_t index, int thread) {
    const job *j = argument;
    strip s;
    begin(&s, j, index, thread, j->layout.shared ? 0 : thread);
    const int64_t planes = j->fft->problem.size[0], columns = j->fft->columns[0];
    if (j->fft->problem.ndim == 1) {
        if (j->inverse) {
            move_column(&s, 0, false);
            inverse_part(&s, 0, 0, s.column);
        } else {
            forward_part(&s, 0, 0, s.column);
            move_column(&s, 0, true);
        }
    } else if (j->inverse) {
        for (int64_t c = 0; c < columns; c++) outer_column(&s, c, true);
        for (int64_t i = 0; i < planes; i++) outer_plane(&s, i, true);
    } else {
        for (int64_t i = 0; i < planes; i++) outer_plane(&s, i, false);
        for (int64_t c = 0; c < columns; c++) outer_column(&s, c, false);
    }
    *flag(j, thread) |= s.bad;
}

static void column_task(void *argument, int64_t index, int thread) {
    const job *j = argument;
    strip s;
    begin(&s, j, j->shared_strip, thread, 0);
    outer_column(&s, index, j->inverse);
    *flag(j, thread) |= s.bad;
}

/* One column of one strip, when columns stand in place of the field behind dimension 0. Strips come
 * first: modes of neighbouring samples are neighbours. */
static void columns_task(void *argument, int64_t index, int thread) {
    const job *j = argument;
    const int64_t strips = j->call->batch * j->strips_per_sample;
    strip s;
    begin(&s, j, index % strips, thread, 0);
    outer_column(&s, index / strips, j->inverse);
    *flag(j, thread) |= s.bad;
}

static void plane_task(void *argument, int64_t index, int thread) {
    const job *j = argument;
    strip s;
    begin(&s, j, j->shared_strip, thread, 0);
    const int64_t size = j->fft->problem.size[0];
    for (int64_t i = index * j->planes; i < size && i < (index + 1) * j->planes; i++)
        outer_plane(&s, i, j->inverse);
    *flag(j, thread) |= s.bad;
}

static void run_shared(job *j) {
    const int64_t columns = j->fft->columns[0];
    j->planes = j->fft->problem.ndim == 2 ? PLANES_PER_TASK : 1;
    const int64_t plane_tasks = (j->fft->problem.size[0] + j->planes - 1) / j->planes;
    for (int64_t i = 0; i < j->call->batch * j->strips_per_sample; i++) {
        j->shared_strip = i;
        if (j->inverse) mpno_parallel(j->n_threads, columns, column_task, j);
        mpno_parallel(j->n_threads, plane_tasks, plane_task, j);
        if (!j->inverse) mpno_parallel(j->n_threads, columns, column_task, j);
    }
}

static int run(job j) {
    const mpno_fft *fft = j.fft;
    const mpno_fft_call *call = j.call;
    if (call->batch <= 0 || call->channels <= 0) return 0;
    const int64_t groups = call->groups < 1 ? 1 : call->groups;
    j.group = call->channels / groups;
    j.layout = make_layout(fft, j.group, groups);
    j.strips_per_sample = (call->channels + j.layout.unit - 1) / j.layout.unit * j.layout.per_unit;
    j.n_threads = call->n_threads < 1 ? 1 : call->n_threads;
    const int64_t strips = call->batch * j.strips_per_sample;
    for (int i = 0; i < j.n_threads; i++) *flag(&j, i) = 0;
    if (fft->problem.ndim == 2 && j.columns) {
        mpno_parallel(j.n_threads, strips * fft->columns[0], columns_task, &j);
    } else if (fft->problem.ndim > 1 && j.n_threads > 1 &&
               (j.layout.shared || strips < j.n_threads)) {
        run_shared(&j);
    } else {
        mpno_parallel(j.n_threads, strips, strip_task, &j);
    }
    int bad = 0;
    for (int i = 0; i < j.n_threads; i++) bad |= *flag(&j, i);
    return bad;
}

int mpno_fft_forward(const mpno_fft *fft, const mpno_fft_call *call, const void *field,
                     void *spectrum) {
    return run(
        (job){.fft = fft, .call = call, .field = (void *)(uintptr_t)field, .spectrum = spectrum});
}

int mpno_fft_inverse(const mpno_fft *fft, const mpno_fft_call *call, const void *spectrum,
                     void *field) {
    return run((job){.fft = fft,
                     .call = call,
                     .field = field,
                     .spectrum = (void *)(uintptr_t)spectrum,
                     .inverse = true});
}

int mpno_fft_forward_columns(const mpno_fft *fft, const mpno_fft_call *call, const void *columns,
                             void *spectrum) {
    return run((job){.fft = fft,
                     .call = call,
                     .field = (void *)(uintptr_t)columns,
                     .spectrum = spectrum,
                     .columns = true});
}

int mpno_fft_inverse_columns(const mpno_fft *fft, const mpno_fft_call *call, const void *spectrum,
                             void *columns) {
    return run((job){.fft = fft,
                     .call = call,
                     .field = columns,
                     .spectrum = (void *)(uintptr_t)spectrum,
                     .inverse = true,
                     .columns = true});
}
