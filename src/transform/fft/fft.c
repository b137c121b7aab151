/* SPDX-License-Identifier: MIT
 * Plans and drives the transform of fft.h, one *strip* of channels of one sample at a time. The
 * last axis is transformed first and only its kept columns go on to the axis before, and so on;
 * backwards the other way round. An axis before the last is transformed column by column, so that
 * of a strip of a 3-D field only [N_1][K_2][K_3][2][strip] survives. Threads take strips of their
 * own; where there are fewer strips than threads, or a strip does not fit into a cache, they share
 * one: first the planes n_1 = 0, 1, .., then the columns. No data is touched here: kernels do that.
 */
#include "transform/fft/fft.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "number/format.h"
#include "transform/fft/real_line.h"
#include "transform/fft/rows.h"

/* Channels of a strip, in bytes of arithmetic: rows of a field with 64 channels of f32 are read
 * whole. Strips of 64 bytes took twice the time (8 x 128 x 128 x 64 channels, keep 16 x 9: 8.4 ms;
 * 128 bytes 6 to 10, 256 bytes 3.8). */
#define STRIP_BYTES 256
#define SHARED_BYTES \
    ((size_t)1 << 20)     /* kept part of a strip from which threads share one: about an L2 cache */
#define PLANES_PER_TASK 8 /* of a shared strip in 2-D, where a plane is one line */
#define MAX_SIZE ((int64_t)1 << 28) /* of one dimension: table indices stay far from overflow */
#define MAX_POINTS ((int64_t)1 << 40)

struct mpno_fft {
    mpno_fft_problem problem;
    const mpno_fft_kernels *kernels;
    mpno_line forward[MPNO_FFT_MAX_DIMS], inverse[MPNO_FFT_MAX_DIMS]; /* real data: not the last */
    mpno_real_line real_forward, real_inverse;                        /* real data: the last */
    int64_t modes, points;
    int64_t
        columns[MPNO_FFT_MAX_DIMS]; /* kept columns behind dimension d: product of keep[d+1 ..] */
    double flops;
};

/* The second condition follows from the first; it shows the compiler that recursion over d ends. */
static bool is_last(const mpno_fft *fft, int d) {
    return d + 1 >= fft->problem.ndim || d + 1 >= MPNO_FFT_MAX_DIMS;
}

static bool is_last_real(const mpno_fft *fft, int d) {
    return fft->problem.kind == MPNO_FFT_REAL && is_last(fft, d);
}

/* ---- planning ---- */

static mpno_status check(mpno_ctx *ctx, const mpno_fft_problem *p) {
    MPNO_CHECK(ctx, p->ndim >= 1 && p->ndim <= MPNO_FFT_MAX_DIMS, MPNO_E_ARGUMENT,
               "fft: ndim is %d; give 1 to %d dimensions", p->ndim, MPNO_FFT_MAX_DIMS);
    MPNO_CHECK(ctx, p->kind == MPNO_FFT_REAL || p->kind == MPNO_FFT_COMPLEX, MPNO_E_ARGUMENT,
               "fft: kind is %d; give MPNO_FFT_REAL or MPNO_FFT_COMPLEX", (int)p->kind);
    MPNO_CHECK(ctx, p->arithmetic == MPNO_F32 || p->arithmetic == MPNO_F64, MPNO_E_ARGUMENT,
               "fft: arithmetic is format %d; give MPNO_F32 or MPNO_F64", (int)p->arithmetic);
    int64_t points = 1;
    for (int d = 0; d < p->ndim; d++) {
        int64_t n = p->size[d], k = p->keep[d];
        bool half = p->kind == MPNO_FFT_REAL && d + 1 == p->ndim;
        MPNO_CHECK(ctx, n >= 1 && n <= MAX_SIZE, MPNO_E_SHAPE,
                   "fft: size[%d] is %lld; a size is 1 to %lld", d, (long long)n,
                   (long long)MAX_SIZE);
        int64_t most = half ? n / 2 + 1 : n;
        MPNO_CHECK(ctx, k >= 1 && k <= most, MPNO_E_SHAPE,
                   "fft: keep[%d] is %lld; of size[%d] = %lld%s between 1 and %lld frequencies can "
                   "be kept",
                   d, (long long)k, d, (long long)n, half ? " (last dimension of real data)" : "",
                   (long long)most);
        MPNO_CHECK(ctx, n <= MAX_POINTS / points, MPNO_E_SHAPE,
                   "fft: more than 2^40 points; give a smaller grid");
        points *= n;
    }
    return MPNO_OK;
}

static mpno_status plan_axes(mpno_ctx *ctx, mpno_fft *fft) {
    const mpno_fft_problem *p = &fft->problem;
    for (int d = 0; d < p->ndim; d++) {
        int64_t n = p->size[d], k = p->keep[d];
        if (is_last_real(fft, d)) {
            MPNO_TRY(mpno_real_line_create(ctx, p->arithmetic, n, k, false, &fft->real_forward));
            MPNO_TRY(mpno_real_line_create(ctx, p->arithmetic, n, k, true, &fft->real_inverse));
        } else {
            MPNO_TRY(mpno_line_create(ctx, p->arithmetic, n, -(k / 2), k, false, &fft->forward[d]));
            MPNO_TRY(mpno_line_create(ctx, p->arithmetic, n, -(k / 2), k, true, &fft->inverse[d]));
        }
    }
    return MPNO_OK;
}

static void count_flops(mpno_fft *fft) {
    const mpno_fft_problem *p = &fft->problem;
    double before = 1;
    for (int d = 0; d < p->ndim; d++) {
        double line = is_last_real(fft, d) ? fft->real_forward.flops : fft->forward[d].flops;
        fft->flops += line * before * (double)fft->columns[d];
        before *= (double)p->size[d];
    }
}

mpno_status mpno_fft_create(mpno_ctx *ctx, const mpno_fft_problem *problem, mpno_fft **out) {
    *out = NULL;
    MPNO_TRY(check(ctx, problem));
    mpno_fft *fft = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *fft, &fft));
    fft->problem = *problem;
    fft->kernels = mpno_fft_kernels_get(ctx->isa, problem->arithmetic);
    fft->modes = fft->points = 1;
    for (int d = problem->ndim - 1; d >= 0; d--) {
        fft->columns[d] = fft->modes;
        fft->modes *= problem->keep[d];
        fft->points *= problem->size[d];
    }
    mpno_status status = plan_axes(ctx, fft);
    if (status != MPNO_OK) {
        mpno_fft_destroy(ctx, &fft);
        return status;
    }
    count_flops(fft);
    *out = fft;
    return MPNO_OK;
}

void mpno_fft_destroy(mpno_ctx *ctx, mpno_fft **fft) {
    if (!fft || !*fft) return;
    for (int d = 0; d < MPNO_FFT_MAX_DIMS; d++) {
        mpno_line_destroy(ctx, &(*fft)->forward[d]);
        mpno_line_destroy(ctx, &(*fft)->inverse[d]);
    }
    mpno_real_line_destroy(ctx, &(*fft)->real_forward);
    mpno_real_line_destroy(ctx, &(*fft)->real_inverse);
    mpno_free(ctx, *fft);
    *fft = NULL;
}

int64_t mpno_fft_modes(const mpno_fft *fft) {
    return fft->modes;
}
int64_t mpno_fft_points(const mpno_fft *fft) {
    return fft->points;
}
double mpno_fft_flops(const mpno_fft *fft) {
    return fft->flops;
}

void mpno_fft_describe(const mpno_fft *fft, char *text, size_t n) {
    const mpno_fft_problem *p = &fft->problem;
    char line[1024];
    size_t used = 0;
    used += (size_t)snprintf(line, sizeof line, "%s %s", p->kind == MPNO_FFT_REAL ? "rfft" : "fft",
                             mpno_format_get(p->arithmetic)->name);
    for (int d = 0; d < p->ndim && used < sizeof line; d++) {
        used += (size_t)snprintf(line + used, sizeof line - used, "%c%lld", d ? 'x' : ' ',
                                 (long long)p->size[d]);
    }
    for (int d = 0; d < p->ndim && used < sizeof line; d++) {
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%lld", d ? "x" : " keep ",
                                 (long long)p->keep[d]);
    }
    for (int d = 0; d < p->ndim && used < sizeof line; d++) {
        char there[160], back[160];
        if (is_last_real(fft, d)) {
            mpno_real_line_name(&fft->real_forward, there, sizeof there);
            mpno_real_line_name(&fft->real_inverse, back, sizeof back);
        } else {
            mpno_line_name(&fft->forward[d], there, sizeof there);
            mpno_line_name(&fft->inverse[d], back, sizeof back);
        }
        used += (size_t)snprintf(line + used, sizeof line - used, " (%lld: %s, back %s)",
                                 (long long)p->size[d], there, back);
    }
    if (n > 0) snprintf(text, n, "%s", line);
}

/* ---- strips of channels and their scratch ---- */

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static int64_t round_up(int64_t n, int64_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

static int64_t strip_width(const mpno_fft *fft, int64_t channels) {
    int64_t most = STRIP_BYTES / (int64_t)mpno_rows_element(fft->kernels);
    return round_up(channels < most ? channels : most, fft->kernels->lanes);
}

/* Elements of T of the line in work, whatever its dimension. */
static int64_t line_scratch(const mpno_fft *fft, int64_t width) {
    const mpno_fft_problem *p = &fft->problem;
    int64_t most = 0;
    for (int d = 0; d < p->ndim; d++) {
        if (is_last_real(fft, d)) {
            most = larger(most, mpno_real_line_scratch(&fft->real_forward, fft->kernels, width));
            most = larger(most, mpno_real_line_scratch(&fft->real_inverse, fft->kernels, width));
        } else {
            int64_t loaded = is_last(fft, d) ? p->size[d] * 2 * width : 0;
            most = larger(most, loaded + mpno_line_scratch(&fft->forward[d], fft->kernels, width));
            most = larger(most, loaded + mpno_line_scratch(&fft->inverse[d], fft->kernels, width));
        }
    }
    return most;
}

/* Elements of [N_d][K_d+1]..[K_last][2][width]: what is kept of the dimensions behind d. */
static int64_t level_scratch(const mpno_fft *fft, int d, int64_t width) {
    return is_last(fft, d) ? 0 : fft->problem.size[d] * fft->columns[d] * 2 * width;
}

typedef struct layout {
    int64_t width; /* of a strip */
    size_t
        thread_bytes; /* a cache line with a flag, one column, the inner levels, the line in work */
    size_t level_bytes; /* the outer level: one per thread, or one in all */
    bool shared;
} layout;

static layout make_layout(const mpno_fft *fft, int64_t channels) {
    layout l = {.width = strip_width(fft, channels)};
    int64_t count = fft->problem.keep[0] * 2 * l.width + line_scratch(fft, l.width);
    for (int d = 1; d < fft->problem.ndim; d++) count += level_scratch(fft, d, l.width);
    size_t element = mpno_rows_element(fft->kernels);
    l.thread_bytes = MPNO_ALIGN + (size_t)round_up(count * (int64_t)element, MPNO_ALIGN);
    l.level_bytes = (size_t)round_up(level_scratch(fft, 0, l.width) * (int64_t)element, MPNO_ALIGN);
    l.shared = l.level_bytes > SHARED_BYTES;
    return l;
}

size_t mpno_fft_scratch_bytes(const mpno_fft *fft, int64_t channels, int n_threads) {
    layout l = make_layout(fft, channels);
    size_t threads = n_threads < 1 ? 1 : (size_t)n_threads;
    return threads * l.thread_bytes + (l.shared ? 1 : threads) * l.level_bytes;
}

/* ---- one strip ---- */

/* One strip in the hands of one thread. */
typedef struct strip {
    const mpno_fft *fft;
    const mpno_fft_call *call;
    char *field, *spectrum;
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

/* Line number `line` of the field along the last dimension. */
static mpno_fft_view field_view(const strip *s, int64_t line) {
    const mpno_fft_problem *p = &s->fft->problem;
    const int planes = p->kind == MPNO_FFT_REAL ? 1 : 2;
    const int64_t channels = s->call->channels, row = planes * channels, n = p->size[p->ndim - 1];
    int64_t start = (s->sample * (s->fft->points / n) + line) * n * row + s->first;
    return (mpno_fft_view){
        .data = s->field + (size_t)start * mpno_format_bytes(s->call->field_format),
        .format = s->call->field_format,
        .row_stride = row,
        .plane_stride = channels,
        .n = s->n,
        .planes = planes};
}

/* Modes mode, mode + step, .. of the spectrum. */
static mpno_fft_view spectrum_view(const strip *s, int64_t mode, int64_t step) {
    const int64_t channels = s->call->channels, row = s->call->batch * 2 * channels;
    int64_t start = mode * row + s->sample * 2 * channels + s->first;
    return (mpno_fft_view){
        .data = s->spectrum + (size_t)start * mpno_format_bytes(s->call->spectrum_format),
        .format = s->call->spectrum_format,
        .row_stride = step * row,
        .plane_stride = channels,
        .n = s->n,
        .planes = 2};
}

/* scale * w_k for frequency k of the last dimension. */
static double weight(const strip *s, int64_t k) {
    const mpno_fft_problem *p = &s->fft->problem;
    int64_t n = p->size[p->ndim - 1];
    bool twice = p->kind == MPNO_FFT_REAL && s->call->weighting == MPNO_FFT_HERMITIAN && k != 0 &&
                 2 * k != n;
    return twice ? 2 * s->call->scale : s->call->scale;
}

/* Moves the K_0 modes of one of the columns behind dimension 0 between spectrum and s->column. In
 * one dimension the column is the last dimension itself and its rows have weights of their own. */
static void move_column(strip *s, int64_t column, bool to_spectrum) {
    const mpno_fft *fft = s->fft;
    const mpno_fft_problem *p = &fft->problem;
    for (int64_t r = 0, end; r < p->keep[0]; r = end) {
        double scale = weight(s, p->ndim == 1 ? r : column % p->keep[p->ndim - 1]);
        end = p->keep[0];
        if (p->ndim == 1) {
            for (end = r + 1; end < p->keep[0] && weight(s, end) == scale;) end++;
        }
        mpno_fft_view view = spectrum_view(s, r * fft->columns[0] + column, fft->columns[0]);
        mpno_fft_rows rows = dense(s, s->column, r);
        if (to_spectrum) {
            s->bad |= fft->kernels->store(&view, &rows, end - r, scale);
        } else {
            fft->kernels->load(&rows, &view, end - r, s->width, scale);
        }
    }
}

/* Dimensions d .. of part `index` of the field (row-major over the dimensions before d) to out,
 * [K_d]..[K_last][2][width]. */
static void forward_part(strip *s, int d, int64_t index, void *out) {
    const mpno_fft *fft = s->fft;
    const int64_t n = fft->problem.size[d], columns = fft->columns[d];
    mpno_fft_rows to = dense(s, out, 0);
    if (is_last(fft, d)) {
        mpno_fft_view view = field_view(s, index);
        if (is_last_real(fft, d)) {
            mpno_real_line_forward(&fft->real_forward, fft->kernels, &to, &view, s->width, s->tmp);
        } else {
            mpno_fft_rows loaded = dense(s, s->tmp, 0);
            fft->kernels->load(&loaded, &view, n, s->width, 1.0);
            mpno_line_run(&fft->forward[d], fft->kernels, &to, &loaded, s->width,
                          dense(s, s->tmp, n).data);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++)
        forward_part(s, d + 1, index * n + i, dense(s, s->level[d], i * columns).data);
    for (int64_t c = 0; c < columns; c++) {
        mpno_fft_rows from = column_of(s, s->level[d], d, c);
        to = column_of(s, out, d, c);
        mpno_line_run(&fft->forward[d], fft->kernels, &to, &from, s->width, s->tmp);
    }
}

static void inverse_part(strip *s, int d, int64_t index, void *in) {
    const mpno_fft *fft = s->fft;
    const int64_t n = fft->problem.size[d], columns = fft->columns[d];
    mpno_fft_rows from = dense(s, in, 0);
    if (is_last(fft, d)) {
        mpno_fft_view view = field_view(s, index);
        if (is_last_real(fft, d)) {
            s->bad |= mpno_real_line_inverse(&fft->real_inverse, fft->kernels, &view, &from,
                                             s->width, s->tmp);
        } else {
            mpno_fft_rows whole = dense(s, s->tmp, 0);
            mpno_line_run(&fft->inverse[d], fft->kernels, &whole, &from, s->width,
                          dense(s, s->tmp, n).data);
            s->bad |= fft->kernels->store(&view, &whole, n, 1.0);
        }
        return;
    }
    for (int64_t c = 0; c < columns; c++) {
        mpno_fft_rows to = column_of(s, s->level[d], d, c);
        from = column_of(s, in, d, c);
        mpno_line_run(&fft->inverse[d], fft->kernels, &to, &from, s->width, s->tmp);
    }
    for (int64_t i = 0; i < n; i++)
        inverse_part(s, d + 1, index * n + i, dense(s, s->level[d], i * columns).data);
}

/* Column c behind dimension 0, between spectrum and the outer level. */
static void outer_column(strip *s, int64_t c, bool inverse) {
    const mpno_fft *fft = s->fft;
    mpno_fft_rows modes = dense(s, s->column, 0), level = column_of(s, s->level[0], 0, c);
    if (inverse) {
        move_column(s, c, false);
        mpno_line_run(&fft->inverse[0], fft->kernels, &level, &modes, s->width, s->tmp);
    } else {
        mpno_line_run(&fft->forward[0], fft->kernels, &modes, &level, s->width, s->tmp);
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
    bool inverse;
    layout layout;
    int64_t strips_per_sample;
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

static strip begin(const job *j, int64_t index, int thread, int level) {
    const mpno_fft *fft = j->fft;
    const int64_t channels = j->call->channels;
    strip s = {.fft = fft, .call = j->call, .field = j->field, .spectrum = j->spectrum};
    s.sample = index / j->strips_per_sample;
    s.first = index % j->strips_per_sample * j->layout.width;
    s.n = channels - s.first < j->layout.width ? channels - s.first : j->layout.width;
    s.width = round_up(s.n, fft->kernels->lanes);
    s.column = thread_scratch(j, thread) + MPNO_ALIGN;
    void *next = dense(&s, s.column, fft->problem.keep[0]).data;
    for (int d = 1; d < fft->problem.ndim; d++) {
        s.level[d] = next;
        next = mpno_rows_offset(fft->kernels, next, level_scratch(fft, d, s.width));
    }
    s.tmp = next;
    s.level[0] = thread_scratch(j, j->n_threads) + (size_t)level * j->layout.level_bytes;
    return s;
}

static void strip_task(void *argument, int64_t index, int thread) {
    const job *j = argument;
    strip s = begin(j, index, thread, j->layout.shared ? 0 : thread);
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
    strip s = begin(j, j->shared_strip, thread, 0);
    outer_column(&s, index, j->inverse);
    *flag(j, thread) |= s.bad;
}

static void plane_task(void *argument, int64_t index, int thread) {
    const job *j = argument;
    strip s = begin(j, j->shared_strip, thread, 0);
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

static int run(const mpno_fft *fft, const mpno_fft_call *call, void *field, void *spectrum,
               bool inverse) {
    if (call->batch <= 0 || call->channels <= 0) return 0;
    job j = {.fft = fft, .call = call, .field = field, .spectrum = spectrum, .inverse = inverse};
    j.layout = make_layout(fft, call->channels);
    j.strips_per_sample = (call->channels + j.layout.width - 1) / j.layout.width;
    j.n_threads = call->n_threads < 1 ? 1 : call->n_threads;
    const int64_t strips = call->batch * j.strips_per_sample;
    for (int i = 0; i < j.n_threads; i++) *flag(&j, i) = 0;
    if (fft->problem.ndim > 1 && j.n_threads > 1 && (j.layout.shared || strips < j.n_threads)) {
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
    return run(fft, call, (void *)(uintptr_t)field, spectrum, false);
}

int mpno_fft_inverse(const mpno_fft *fft, const mpno_fft_call *call, const void *spectrum,
                     void *field) {
    return run(fft, call, field, (void *)(uintptr_t)spectrum, true);
}
