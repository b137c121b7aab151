/* SPDX-License-Identifier: MIT
 * Plans and drives the transform of fft.h: one task per (sample, block of channels); the last axis is transformed first
 * and only its kept columns go on to the axis before, and so on; backwards the other way round. An axis before the last
 * is transformed column by column, rows [K_d+1]..[K_last][2][block] apart, so that of a 3-D field only
 * [N_1][K_2][K_3][2][block] survives per task. No data is touched here: kernels do that. */
#include "transform/fft/fft.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/parallel.h"
#include "number/format.h"
#include "transform/fft/real_line.h"

#define BLOCK_BYTES 64                     /* channels of one block, in bytes of arithmetic */
#define MAX_SIZE ((int64_t)1 << 28)        /* of one dimension: table indices stay far from overflow */
#define MAX_POINTS ((int64_t)1 << 40)

struct mpno_fft {
    mpno_fft_problem problem;
    const mpno_fft_kernels *kernels;
    mpno_line forward[MPNO_FFT_MAX_DIMS], inverse[MPNO_FFT_MAX_DIMS]; /* real data: not the last */
    mpno_real_line real_forward, real_inverse;                        /* real data: the last */
    int64_t modes, points;
    int64_t columns[MPNO_FFT_MAX_DIMS]; /* kept columns behind dimension d: product of keep[d+1 ..] */
    int64_t scratch_rows;               /* complex rows of one block */
    double flops;
};

/* The second condition follows from the first; it shows the compiler that recursion over d ends. */
static bool is_last(const mpno_fft *fft, int d) { return d + 1 >= fft->problem.ndim || d + 1 >= MPNO_FFT_MAX_DIMS; }

static bool is_last_real(const mpno_fft *fft, int d) { return fft->problem.kind == MPNO_FFT_REAL && is_last(fft, d); }

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
        MPNO_CHECK(ctx, n >= 1 && n <= MAX_SIZE, MPNO_E_SHAPE, "fft: size[%d] is %lld; a size is 1 to %lld", d,
                   (long long)n, (long long)MAX_SIZE);
        int64_t most = half ? n / 2 + 1 : n;
        MPNO_CHECK(ctx, k >= 1 && k <= most, MPNO_E_SHAPE,
                   "fft: keep[%d] is %lld; of size[%d] = %lld%s between 1 and %lld frequencies can be kept", d,
                   (long long)k, d, (long long)n, half ? " (last dimension of real data)" : "", (long long)most);
        MPNO_CHECK(ctx, n <= MAX_POINTS / points, MPNO_E_SHAPE, "fft: more than 2^40 points; give a smaller grid");
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

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Scratch of one block: [N_d][columns_d] of every dimension before the last, one column, and the line in work. */
static void plan_scratch(mpno_fft *fft) {
    const mpno_fft_problem *p = &fft->problem;
    const int last = p->ndim - 1;
    int64_t rows = p->keep[0], line = 0, before = 1;
    for (int d = 0; d <= last; d++) {
        double flops;
        if (is_last_real(fft, d)) {
            line = larger(line, larger(fft->real_forward.tmp_rows, fft->real_inverse.tmp_rows));
            flops = fft->real_forward.flops;
        } else {
            int64_t samples = d == last ? p->size[d] : 0; /* complex fields are loaded first */
            line = larger(line, samples + larger(fft->forward[d].tmp_rows, fft->inverse[d].tmp_rows));
            flops = fft->forward[d].flops;
        }
        if (d < last) rows += p->size[d] * fft->columns[d];
        fft->flops += flops * (double)before * (double)fft->columns[d];
        before *= p->size[d];
    }
    fft->scratch_rows = rows + line;
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
    plan_scratch(fft);
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

int64_t mpno_fft_modes(const mpno_fft *fft) { return fft->modes; }
int64_t mpno_fft_points(const mpno_fft *fft) { return fft->points; }
double mpno_fft_flops(const mpno_fft *fft) { return fft->flops; }

void mpno_fft_describe(const mpno_fft *fft, char *text, size_t n) {
    const mpno_fft_problem *p = &fft->problem;
    char line[1024];
    size_t used = 0;
    used += (size_t)snprintf(line, sizeof line, "%s %s", p->kind == MPNO_FFT_REAL ? "rfft" : "fft",
                             mpno_format_get(p->arithmetic)->name);
    for (int d = 0; d < p->ndim && used < sizeof line; d++) {
        used += (size_t)snprintf(line + used, sizeof line - used, "%c%lld", d ? 'x' : ' ', (long long)p->size[d]);
    }
    for (int d = 0; d < p->ndim && used < sizeof line; d++) {
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%lld", d ? "x" : " keep ", (long long)p->keep[d]);
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
        used += (size_t)snprintf(line + used, sizeof line - used, " (%lld: %s, back %s)", (long long)p->size[d], there,
                                 back);
    }
    if (n > 0) snprintf(text, n, "%s", line);
}

/* ---- blocks of channels and their scratch ---- */

static int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

static int64_t block_channels(const mpno_fft *fft, int64_t channels) {
    int64_t most = BLOCK_BYTES / (int64_t)mpno_format_bytes(fft->problem.arithmetic);
    int64_t lanes = fft->kernels->lanes;
    return channels < most ? round_up(channels, lanes) : round_up(most, lanes);
}

/* One line of flags, then the rows of a block. */
static size_t thread_bytes(const mpno_fft *fft, int64_t channels) {
    size_t row = 2 * (size_t)block_channels(fft, channels) * mpno_format_bytes(fft->problem.arithmetic);
    return MPNO_ALIGN + (size_t)round_up((int64_t)((size_t)fft->scratch_rows * row), MPNO_ALIGN);
}

size_t mpno_fft_scratch_bytes(const mpno_fft *fft, int64_t channels, int n_threads) {
    return (size_t)(n_threads < 1 ? 1 : n_threads) * thread_bytes(fft, channels);
}

/* ---- execution ---- */

typedef struct job {
    const mpno_fft *fft;
    const mpno_fft_call *call;
    char *field, *spectrum;
    bool inverse;
    int64_t block, n_blocks;
    size_t thread_bytes;
} job;

/* One (sample, block of channels) in the scratch of one thread. */
typedef struct task {
    const mpno_fft *fft;
    const mpno_fft_call *call;
    char *field, *spectrum;
    int64_t sample, first, n, width; /* channels first .. first + n - 1 in rows of width */
    size_t bytes;                    /* of one T */
    void *column, *level[MPNO_FFT_MAX_DIMS], *tmp;
    int bad;
} task;

static void *at(const task *t, void *base, int64_t complex_rows) {
    return (char *)base + (size_t)(complex_rows * 2 * t->width) * t->bytes;
}

static task begin(const job *j, int64_t index, int thread) {
    const mpno_fft_problem *p = &j->fft->problem;
    task t = {.fft = j->fft, .call = j->call, .field = j->field, .spectrum = j->spectrum};
    t.sample = index / j->n_blocks;
    t.first = index % j->n_blocks * j->block;
    t.n = j->call->channels - t.first < j->block ? j->call->channels - t.first : j->block;
    t.width = round_up(t.n, j->fft->kernels->lanes);
    t.bytes = mpno_format_bytes(p->arithmetic);
    t.column = (char *)j->call->scratch + (size_t)thread * j->thread_bytes + MPNO_ALIGN;
    void *next = at(&t, t.column, p->keep[0]);
    for (int d = 0; d + 1 < p->ndim; d++) {
        t.level[d] = next;
        next = at(&t, next, p->size[d] * j->fft->columns[d]);
    }
    t.tmp = next;
    return t;
}

/* Line number `line` of the field along the last dimension. */
static mpno_fft_view field_view(const task *t, int64_t line) {
    const mpno_fft_problem *p = &t->fft->problem;
    const int planes = p->kind == MPNO_FFT_REAL ? 1 : 2;
    const int64_t channels = t->call->channels, row = planes * channels;
    const int64_t lines = t->fft->points / p->size[p->ndim - 1];
    int64_t start = (t->sample * lines + line) * p->size[p->ndim - 1] * row + t->first;
    return (mpno_fft_view){.data = t->field + (size_t)start * mpno_format_bytes(t->call->field_format),
                           .format = t->call->field_format,
                           .row_stride = row,
                           .plane_stride = channels,
                           .n = t->n,
                           .planes = planes};
}

/* Modes mode, mode + step, .. of the spectrum. */
static mpno_fft_view spectrum_view(const task *t, int64_t mode, int64_t step) {
    const int64_t channels = t->call->channels, row = t->call->batch * 2 * channels;
    int64_t start = mode * row + t->sample * 2 * channels + t->first;
    return (mpno_fft_view){.data = t->spectrum + (size_t)start * mpno_format_bytes(t->call->spectrum_format),
                           .format = t->call->spectrum_format,
                           .row_stride = step * row,
                           .plane_stride = channels,
                           .n = t->n,
                           .planes = 2};
}

/* scale * w_k for frequency k of the last dimension. */
static double weight(const task *t, int64_t k) {
    const mpno_fft_problem *p = &t->fft->problem;
    int64_t n = p->size[p->ndim - 1];
    bool twice = p->kind == MPNO_FFT_REAL && t->call->weighting == MPNO_FFT_HERMITIAN && k != 0 && 2 * k != n;
    return twice ? 2 * t->call->scale : t->call->scale;
}

/* Moves K_0 modes of one column (columns behind dimension 0 are numbered) between spectrum and t->column. In one
 * dimension the column is the last dimension itself and its rows have weights of their own. */
static void move_column(task *t, int64_t column, bool to_spectrum) {
    const mpno_fft *fft = t->fft;
    const mpno_fft_problem *p = &fft->problem;
    const int64_t rows = p->keep[0], row = 2 * t->width;
    for (int64_t r = 0, end; r < rows; r = end) {
        int64_t k = p->ndim == 1 ? r : column % p->keep[p->ndim - 1];
        double scale = weight(t, k);
        end = rows;
        if (p->ndim == 1) {
            for (end = r + 1; end < rows && weight(t, end) == scale;) end++;
        }
        mpno_fft_view view = spectrum_view(t, r * fft->columns[0] + column, fft->columns[0]);
        if (to_spectrum) {
            t->bad |= fft->kernels->store(&view, at(t, t->column, r), row, end - r, t->width, scale);
        } else {
            fft->kernels->load(at(t, t->column, r), row, &view, end - r, t->width, scale);
        }
    }
}

/* Dimensions d .. of the part `index` of the field (row-major over dimensions before d) into out: [K_d][columns_d]. */
static void forward_part(task *t, int d, int64_t index, void *out) {
    const mpno_fft *fft = t->fft;
    const mpno_fft_kernels *kernels = fft->kernels;
    const int64_t n = fft->problem.size[d], columns = fft->columns[d], row = 2 * t->width;
    if (is_last(fft, d)) {
        mpno_fft_view view = field_view(t, index);
        if (is_last_real(fft, d)) {
            mpno_real_line_forward(&fft->real_forward, kernels, out, row, &view, t->width, t->tmp);
        } else {
            kernels->load(t->tmp, row, &view, n, t->width, 1.0);
            mpno_line_run(&fft->forward[d], kernels, out, row, t->tmp, row, t->width, at(t, t->tmp, n));
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) forward_part(t, d + 1, index * n + i, at(t, t->level[d], i * columns));
    for (int64_t c = 0; c < columns; c++) {
        void *to = d == 0 ? out : at(t, out, c);
        mpno_line_run(&fft->forward[d], kernels, to, d == 0 ? row : columns * row, at(t, t->level[d], c), columns * row,
                      t->width, t->tmp);
        if (d == 0) move_column(t, c, true);
    }
}

static void inverse_part(task *t, int d, int64_t index, void *in) {
    const mpno_fft *fft = t->fft;
    const mpno_fft_kernels *kernels = fft->kernels;
    const int64_t n = fft->problem.size[d], columns = fft->columns[d], row = 2 * t->width;
    if (is_last(fft, d)) {
        mpno_fft_view view = field_view(t, index);
        if (is_last_real(fft, d)) {
            t->bad |= mpno_real_line_inverse(&fft->real_inverse, kernels, &view, in, row, t->width, t->tmp);
        } else {
            mpno_line_run(&fft->inverse[d], kernels, t->tmp, row, in, row, t->width, at(t, t->tmp, n));
            t->bad |= kernels->store(&view, t->tmp, row, n, t->width, 1.0);
        }
        return;
    }
    for (int64_t c = 0; c < columns; c++) {
        if (d == 0) move_column(t, c, false);
        void *from = d == 0 ? in : at(t, in, c);
        mpno_line_run(&fft->inverse[d], kernels, at(t, t->level[d], c), columns * row, from,
                      d == 0 ? row : columns * row, t->width, t->tmp);
    }
    for (int64_t i = 0; i < n; i++) inverse_part(t, d + 1, index * n + i, at(t, t->level[d], i * columns));
}

/* The flag of a thread lies in front of its rows, so that tasks write only to memory of their own. */
static int *flag(const job *j, int thread) {
    return (int *)(void *)((char *)j->call->scratch + (size_t)thread * j->thread_bytes);
}

static void run_task(void *argument, int64_t index, int thread) {
    const job *j = argument;
    task t = begin(j, index, thread);
    bool one_dimension = j->fft->problem.ndim == 1;
    if (j->inverse) {
        if (one_dimension) move_column(&t, 0, false);
        inverse_part(&t, 0, 0, t.column);
    } else {
        forward_part(&t, 0, 0, t.column);
        if (one_dimension) move_column(&t, 0, true);
    }
    *flag(j, thread) |= t.bad;
}

static int run(const mpno_fft *fft, const mpno_fft_call *call, void *field, void *spectrum, bool inverse) {
    if (call->batch <= 0 || call->channels <= 0) return 0;
    const int n_threads = call->n_threads < 1 ? 1 : call->n_threads;
    job j = {.fft = fft, .call = call, .field = field, .spectrum = spectrum, .inverse = inverse};
    j.block = block_channels(fft, call->channels);
    j.n_blocks = (call->channels + j.block - 1) / j.block;
    j.thread_bytes = thread_bytes(fft, call->channels);
    for (int i = 0; i < n_threads; i++) *flag(&j, i) = 0;
    mpno_parallel(n_threads, call->batch * j.n_blocks, run_task, &j);
    int bad = 0;
    for (int i = 0; i < n_threads; i++) bad |= *flag(&j, i);
    return bad;
}

int mpno_fft_forward(const mpno_fft *fft, const mpno_fft_call *call, const void *field, void *spectrum) {
    return run(fft, call, (void *)(uintptr_t)field, spectrum, false);
}

int mpno_fft_inverse(const mpno_fft *fft, const mpno_fft_call *call, const void *spectrum, void *field) {
    return run(fft, call, field, (void *)(uintptr_t)spectrum, true);
}
