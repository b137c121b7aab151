/* SPDX-License-Identifier: MIT
 * Modes between grids, see spectral.h. Each axis says which frequency of the grid in its j-th mode
 * has and which of the grid out it becomes; where these are the consecutive frequencies that a
 * transform keeps anyway the transform is pruned to them, elsewhere it keeps all and tables pick.
 */
#include "model/spectral.h"

#include <stdlib.h>

#include "core/memory.h"
#include "graph/tile.h"
#include "model/interpolation.h"

enum { MAX_FFTS = 4 * MPNO_MAX_BLOCKS };

struct mpno_plans {
    mpno_ctx *ctx;
    bool accurate;
    mpno_fft_problem problems[MAX_FFTS];
    mpno_fft *ffts[MAX_FFTS];
    mpno_columns *columns[MAX_FFTS][2]; /* forward, inverse; made when first asked for */
    int n_ffts;
    void **tables; /* owned */
    int n_tables;
};

mpno_status mpno_plans_create(mpno_ctx *ctx, bool accurate, mpno_plans **out) {
    MPNO_TRY(mpno_alloc(ctx, sizeof **out, out));
    (*out)->ctx = ctx;
    (*out)->accurate = accurate;
    return MPNO_OK;
}

void mpno_plans_destroy(mpno_plans **plans) {
    if (plans == NULL || *plans == NULL) return;
    mpno_ctx *ctx = (*plans)->ctx;
    for (int i = 0; i < (*plans)->n_ffts; i++) {
        mpno_fft_destroy(ctx, &(*plans)->ffts[i]);
        for (int k = 0; k < 2; k++) mpno_columns_destroy(ctx, &(*plans)->columns[i][k]);
    }
    for (int i = 0; i < (*plans)->n_tables; i++) mpno_free(ctx, (*plans)->tables[i]);
    mpno_free(ctx, (*plans)->tables);
    mpno_free(ctx, *plans);
    *plans = NULL;
}

mpno_status mpno_plans_table(mpno_plans *plans, size_t n, size_t size, void *out) {
    const size_t count = (size_t)plans->n_tables;
    MPNO_TRY(
        mpno_realloc_array(plans->ctx, &plans->tables, count, count + 1, sizeof *plans->tables));
    MPNO_TRY(mpno_alloc_array(plans->ctx, n, size, &plans->tables[count]));
    *(void **)out = plans->tables[plans->n_tables++];
    return MPNO_OK;
}

static bool same_problem(const mpno_fft_problem *a, const mpno_fft_problem *b) {
    bool same = a->kind == b->kind && a->arithmetic == b->arithmetic && a->ndim == b->ndim;
    for (int d = 0; same && d < a->ndim; d++)
        same = a->size[d] == b->size[d] && a->keep[d] == b->keep[d];
    return same;
}

/* Lines up to this length have their columns taken tile by tile: the table has 2 K numbers a point
 * and a line is never divided between threads. */
#define MAX_LINE 4096

/* The transform of a problem, whole and, where that is to be had, in two parts: forward with 1 /
 * the number of points, inverse with the weights of the half that is not stored. */
static mpno_status find_fft(mpno_plans *plans, const mpno_fft_problem *problem, bool inverse,
                            const mpno_fft **out, const mpno_columns **columns) {
    int i = 0;
    while (i < plans->n_ffts && !same_problem(&plans->problems[i], problem)) i++;
    if (i == plans->n_ffts) {
        MPNO_CHECK(plans->ctx, i < MAX_FFTS, MPNO_E_ARGUMENT,
                   "a network has at most %d different transforms", MAX_FFTS);
        plans->problems[i] = *problem;
        plans->problems[i].accurate = plans->accurate;
        MPNO_TRY(mpno_fft_create(plans->ctx, &plans->problems[i], &plans->ffts[i]));
        plans->n_ffts++;
    }
    *out = plans->ffts[i];
    mpno_columns **parts = &plans->columns[i][inverse];
    const bool wide = problem->arithmetic == MPNO_F32 || problem->arithmetic == MPNO_F64;
    if (*parts == NULL && problem->kind == MPNO_FFT_REAL && wide && !plans->accurate &&
        problem->size[problem->ndim - 1] <= MAX_LINE)
        MPNO_TRY(mpno_columns_create(plans->ctx, problem,
                                     mpno_tile_rows(problem->size[problem->ndim - 1]),
                                     inverse ? 1.0 : 1.0 / (double)mpno_fft_points(*out),
                                     inverse ? MPNO_FFT_HERMITIAN : MPNO_FFT_PLAIN, parts));
    *columns = *parts;
    return MPNO_OK;
}

/* ---- the modes of one axis ---- */

/* A mode that is dropped on the grid out. */
#define NOWHERE INT32_MIN

typedef struct axis {
    int64_t in, out; /* points */
    bool half;       /* of real data only frequencies from 0 on are stored */
    int64_t keep;    /* modes */
    int32_t *from;   /* of each mode: its frequency on the grid in, from -floor(in/2) on */
    int32_t *to;     /* on the grid out, or NOWHERE */
} axis;

/* Frequency k on a grid of n points, as a transform names it. */
static int32_t canonical(int64_t k, int64_t n) {
    const int64_t bin = (k % n + n) % n;
    return (int32_t)(bin < n - n / 2 ? bin : bin - n);
}

static int64_t full(const axis *a, int64_t n) {
    return a->half ? n / 2 + 1 : n;
}

/* Whether the modes are the consecutive ones that a transform of n points keeps when pruned. */
static bool consecutive(const axis *a, const int32_t *frequency, int64_t n) {
    bool all = a->keep <= full(a, n);
    for (int64_t j = 0; all && j < a->keep; j++)
        all = frequency[j] == (a->half ? j : j - a->keep / 2);
    return all;
}

/* Place of a frequency among the kept ones of a transform. */
static int64_t place(const axis *a, int32_t frequency, int64_t keep) {
    return a->half ? frequency : frequency + keep / 2;
}

static mpno_status allocate_axis(mpno_plans *plans, axis *a) {
    MPNO_TRY(mpno_plans_table(plans, (size_t)a->keep, sizeof(int32_t), &a->from));
    return mpno_plans_table(plans, (size_t)a->keep, sizeof(int32_t), &a->to);
}

/* The frequencies that both grids have. */
static mpno_status plain_axis(mpno_plans *plans, axis *a) {
    MPNO_TRY(allocate_axis(plans, a));
    for (int64_t j = 0; j < a->keep; j++)
        a->from[j] = a->to[j] = (int32_t)(a->half ? j : j - a->keep / 2);
    return MPNO_OK;
}

/* What upstream makes of an axis: the spectrum is put back in the order of the grid in and then
 * padded or cropped at its end. first: the frequency of mode 0; shifted: the modes stood in the
 * middle of the shifted spectrum. */
static mpno_status upstream_axis(mpno_plans *plans, axis *a, int64_t first, bool shifted) {
    MPNO_TRY(allocate_axis(plans, a));
    for (int64_t j = 0; j < a->keep; j++) {
        const int64_t bin = shifted ? ((first + j) % a->in + a->in) % a->in : j;
        a->from[j] = a->half ? (int32_t)j : canonical(first + j, a->in);
        a->to[j] = bin >= (a->half ? a->out / 2 + 1 : a->out) ? NOWHERE
                   : a->half                                  ? (int32_t)bin
                                                              : canonical(bin, a->out);
    }
    return MPNO_OK;
}

/* ---- all axes together ---- */

static mpno_status make_map(mpno_plans *plans, mpno_mode_map *map, int64_t n_modes,
                            int64_t n_given) {
    *map = (mpno_mode_map){.n_modes = n_modes, .n_given = n_given};
    MPNO_TRY(mpno_plans_table(plans, (size_t)n_modes, sizeof(int32_t), &map->take));
    MPNO_TRY(mpno_plans_table(plans, (size_t)n_given, sizeof(int32_t), &map->give));
    for (int64_t k = 0; k < n_modes; k++) map->take[k] = -1;
    for (int64_t k = 0; k < n_given; k++) map->give[k] = -1;
    return MPNO_OK;
}

static void relate(mpno_mode_map *map, int64_t mode, int64_t given) {
    map->take[mode] = (int32_t)given;
    map->give[given] = (int32_t)mode;
}

/* Index of mode k of the axes among the kept modes of a transform; -1: it has not got it. */
static int64_t kept_index(const axis *axes, int ndim, int64_t k, const mpno_fft_problem *problem,
                          bool out) {
    int64_t index = 0, stride = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        const axis *a = &axes[d];
        const int32_t frequency = (out ? a->to : a->from)[k % a->keep];
        k /= a->keep;
        if (frequency == NOWHERE) return -1;
        index += place(a, frequency, problem->keep[d]) * stride;
        stride *= problem->keep[d];
    }
    return index;
}

static int64_t product(const int64_t *n, int ndim) {
    int64_t total = 1;
    for (int d = 0; d < ndim; d++) total *= n[d];
    return total;
}

/* Transforms and tables of modes from those of the axes. */
static mpno_status join_axes(mpno_plans *plans, const axis *axes, const mpno_fft_problem *like,
                             const mpno_transforms *arithmetic, mpno_spectral *s) {
    mpno_fft_problem in = *like, out = *like;
    in.arithmetic = arithmetic->forward, out.arithmetic = arithmetic->inverse;
    bool pick = false, spread = false;
    int64_t total = 1;
    for (int d = 0; d < like->ndim; d++) {
        const axis *a = &axes[d];
        const bool plain_in = consecutive(a, a->from, a->in),
                   plain_out = consecutive(a, a->to, a->out);
        in.size[d] = a->in, out.size[d] = a->out;
        in.keep[d] = plain_in ? a->keep : full(a, a->in);
        out.keep[d] = plain_out ? a->keep : full(a, a->out);
        pick |= !plain_in, spread |= !plain_out;
        total *= a->keep;
    }
    MPNO_TRY(find_fft(plans, &in, false, &s->forward, &s->lines_in));
    MPNO_TRY(find_fft(plans, &out, true, &s->inverse, &s->lines_out));
    s->before.take = s->after.take = NULL;
    if (pick) MPNO_TRY(make_map(plans, &s->before, total, product(in.keep, like->ndim)));
    if (spread) MPNO_TRY(make_map(plans, &s->after, product(out.keep, like->ndim), total));
    for (int64_t k = 0; k < total; k++) {
        if (pick) relate(&s->before, k, kept_index(axes, like->ndim, k, &in, false));
        const int64_t index = spread ? kept_index(axes, like->ndim, k, &out, true) : -1;
        if (index >= 0) relate(&s->after, index, k);
    }
    return MPNO_OK;
}

static mpno_fft_problem problem_of(const mpno_fno_config *config) {
    return (mpno_fft_problem){.kind = config->complex_data ? MPNO_FFT_COMPLEX : MPNO_FFT_REAL,
                              .ndim = config->ndim};
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

void mpno_fno_weight_modes(const mpno_fno_config *config, int64_t layer, int64_t *weight,
                           int64_t *used) {
    const int last = config->ndim - 1;
    const bool whole = config->max_n_modes[0] > 0 && config->compat == MPNO_COMPAT_NEURALOP;
    for (int d = 0; d < config->ndim; d++) {
        used[d] = config->layer_modes[layer][d];
        if (used[d] == 0) used[d] = config->n_modes[d];
        weight[d] = config->max_n_modes[d] > 0 ? config->max_n_modes[d] : config->n_modes[d];
    }
    if (config->complex_data) return;
    used[last] = used[last] / 2 + 1;
    if (!whole)
        weight[last] = weight[last] / 2 + 1; /* upstream keeps the half that is never used */
}

/* For each mode the block of the weight that it meets: the block of the same frequency. Upstream
 * crops the centre instead, which is one frequency off when an odd number of modes is kept from an
 * even one. */
static mpno_status make_rows(mpno_plans *plans, const mpno_fno_config *config, const axis *axes,
                             const int64_t *weight, mpno_spectral *s) {
    int64_t total = 1;
    int32_t *rows, *in_order;
    for (int d = 0; d < config->ndim; d++) {
        const axis *a = &axes[d];
        const bool centre = config->compat == MPNO_COMPAT_NEURALOP;
        total *= a->keep;
        s->first_row[d] = a->half  ? 0
                          : centre ? (weight[d] - a->keep) / 2
                                   : weight[d] / 2 - a->keep / 2;
    }
    MPNO_TRY(mpno_plans_table(plans, (size_t)total, sizeof *rows, &rows));
    MPNO_TRY(mpno_plans_table(plans, (size_t)total, sizeof *in_order, &in_order));
    for (int64_t k = 0; k < total; k++) {
        int64_t rest = k, block = 0, stride = 1;
        for (int d = config->ndim - 1; d >= 0; d--) {
            block += (rest % axes[d].keep + s->first_row[d]) * stride;
            rest /= axes[d].keep;
            stride *= weight[d];
        }
        rows[k] = (int32_t)block;
        in_order[k] = (int32_t)k;
    }
    s->mode_rows = rows;
    s->in_order = in_order;
    return MPNO_OK;
}

mpno_status mpno_spectral_plan(mpno_plans *plans, const mpno_fno_config *config, int64_t layer,
                               const mpno_transforms *arithmetic, const mpno_grid *in,
                               const mpno_grid *out, mpno_spectral *spectral) {
    const bool upstream = config->compat == MPNO_COMPAT_NEURALOP;
    const mpno_fft_problem problem = problem_of(config);
    int64_t weight[MPNO_MAX_AXES], used[MPNO_MAX_AXES];
    axis axes[MPNO_MAX_AXES];
    mpno_fno_weight_modes(config, layer, weight, used);
    for (int d = 0; d < config->ndim; d++) {
        const bool last = d == config->ndim - 1;
        axis *a = &axes[d];
        *a = (axis){.in = in->size[d], .out = out->size[d], .half = last && !config->complex_data};
        a->keep = least(used[d], full(a, a->in));
        if (!upstream) {
            a->keep = least(a->keep, full(a, a->out));
            MPNO_TRY(plain_axis(plans, a));
        } else if (last && config->complex_data) {
            /* shifted only when there are several axes, and never shifted back */
            const int64_t first = config->ndim > 1 ? -(a->in / 2) : 0;
            MPNO_TRY(upstream_axis(plans, a, first, false));
        } else {
            MPNO_TRY(upstream_axis(plans, a, -(a->keep / 2), !a->half));
        }
    }
    for (int d = 0; d < config->ndim; d++) spectral->kept[d] = axes[d].keep;
    MPNO_TRY(join_axes(plans, axes, &problem, arithmetic, spectral));
    return make_rows(plans, config, axes, weight, spectral);
}

/* ---- skips ---- */

/* The frequencies below the Nyquist frequency of both grids: that one stands for two frequencies on
 * a finer grid, and is kept only where the grid stays as it is. */
static mpno_status symmetric_axis(mpno_plans *plans, axis *a) {
    const int64_t n = least(a->in, a->out);
    a->keep = a->in == a->out ? full(a, n) : a->half ? (n + 1) / 2 : n - (n + 1) % 2;
    return plain_axis(plans, a);
}

/* Upstream's in three dimensions and more: floor(m/2) frequencies from 0 on, and ceil(m/2) below,
 * m the smaller number of points. */
static mpno_status corner_axis(mpno_plans *plans, axis *a) {
    const int64_t m = least(full(a, a->in), full(a, a->out));
    a->keep = m;
    MPNO_TRY(allocate_axis(plans, a));
    for (int64_t j = 0; j < m; j++) {
        const int64_t k = a->half ? j : j - (m + 1) / 2;
        a->from[j] = a->half ? (int32_t)k : canonical(k, a->in);
        a->to[j] = a->half ? (int32_t)k : canonical(k, a->out);
    }
    return MPNO_OK;
}

mpno_status mpno_resampling_plan(mpno_plans *plans, const mpno_fno_config *config,
                                 mpno_format arithmetic, const mpno_grid *in, const mpno_grid *out,
                                 mpno_resampling *resampling) {
    const bool upstream = config->compat == MPNO_COMPAT_NEURALOP && !config->complex_data;
    const mpno_fft_problem problem = problem_of(config);
    const mpno_transforms both = {arithmetic, arithmetic};
    axis axes[MPNO_MAX_AXES];
    *resampling = (mpno_resampling){0};
    if (upstream && config->ndim <= 2)
        return mpno_interpolation_plan(plans, in, out, &resampling->lines);
    for (int d = 0; d < config->ndim; d++) {
        axes[d] = (axis){.in = in->size[d],
                         .out = out->size[d],
                         .half = d == config->ndim - 1 && !config->complex_data};
        MPNO_TRY(upstream ? corner_axis(plans, &axes[d]) : symmetric_axis(plans, &axes[d]));
    }
    return join_axes(plans, axes, &problem, &both, &resampling->spectral);
}
