/* SPDX-License-Identifier: MIT
 * Conjugate gradients with a multigrid V-cycle: see multigrid.h. */
#include "pde/multigrid.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "pde/multigrid_levels.h"

/* The smoother damps the eigenvalues of inverse * A from 1/SMOOTHED of the largest on. */
#define SMOOTHED 5.0
enum { COARSEST = 27, PAD = 8 };

/* Shape of a level from its points per axis. */
static void shape_level(mpno_grid_level *level, int ndim, const int64_t n[MPNO_GRID_DIMS]) {
    int64_t stride = 1;
    level->ndim = ndim;
    level->first = 0;
    for (int t = MPNO_GRID_DIMS - 1; t >= 0; t--) {
        const bool used = t >= MPNO_GRID_DIMS - ndim;
        level->n[t] = n[t];
        level->stride[t] = stride;
        if (used) level->first += stride;
        stride *= used ? n[t] + 2 : 1;
    }
    level->total = stride;
}

static void add_offset(mpno_grid_level *level, const int o[MPNO_GRID_DIMS]) {
    memcpy(level->offset[level->n_offsets], o, sizeof level->offset[0]);
    level->n_offsets++;
}

/* The finest level couples along the axes, the others with all corners; half of the neighbours. */
static void choose_offsets(mpno_grid_level *level, bool finest) {
    const int n = level->ndim == 1 ? 3 : level->ndim == 2 ? 9 : 27;
    for (int q = n / 2 + 1; q < n; q++) {
        int o[MPNO_GRID_DIMS];
        mpno_grid_corner(level->ndim, q, o);
        const int axes = (o[0] != 0) + (o[1] != 0) + (o[2] != 0);
        if (!finest || axes == 1) add_offset(level, o);
    }
}

static int64_t points(const mpno_grid_level *level) {
    return level->n[0] * level->n[1] * level->n[2];
}

static void shape_levels(mpno_multigrid *grid) {
    int64_t n[MPNO_GRID_DIMS];
    for (int t = 0; t < MPNO_GRID_DIMS; t++) {
        const bool used = t >= MPNO_GRID_DIMS - grid->ndim;
        n[t] = used ? grid->intervals[t] - 1 : 1;
    }
    for (;;) {
        mpno_grid_level *level = &grid->level[grid->n_levels];
        shape_level(level, grid->ndim, n);
        choose_offsets(level, grid->n_levels == 0);
        grid->n_levels++;
        bool more = points(level) > COARSEST;
        for (int t = MPNO_GRID_DIMS - grid->ndim; t < MPNO_GRID_DIMS; t++) {
            more &= n[t] > 1;
            n[t] /= 2;
        }
        if (!more) break;
    }
    grid->n_coarsest = points(&grid->level[grid->n_levels - 1]);
}

/* The next array of n values; at NULL only counts. */
static double *take(double *base, int64_t *used, int64_t n) {
    double *at = base ? base + *used : NULL;
    *used += (n + PAD - 1) / PAD * PAD;
    return at;
}

static void place_level(mpno_grid_level *level, const mpno_grid_level *coarse, double *base,
                        int64_t *used) {
    double **arrays[] = {&level->center, &level->inverse, &level->x, &level->other,
                         &level->d,      &level->b,       &level->r};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        *arrays[i] = take(base, used, level->total);
    }
    for (int o = 0; o < level->n_offsets; o++) {
        level->coupling[o] = take(base, used, level->total);
    }
    const int corners = level->ndim == 1 ? 3 : level->ndim == 2 ? 9 : 27;
    for (int q = 0; coarse && q < corners; q++) {
        level->weight[q] = take(base, used, coarse->total);
    }
    if (!base) return;
    mpno_stencil *s = &level->stencil;
    const int64_t reach = level->total - 1 - 2 * level->first; /* from the first to the last one */
    *s = (mpno_stencil){.n = reach + 1, .center = level->center + level->first};
    s->n_offsets = level->n_offsets;
    for (int o = 0; o < level->n_offsets; o++) {
        for (int t = 0; t < MPNO_GRID_DIMS; t++) {
            s->stride[o] += level->offset[o][t] * level->stride[t];
        }
        s->coupling[o] = level->coupling[o] + level->first;
    }
}

static int64_t place_all(mpno_multigrid *grid, double *base) {
    int64_t used = 0;
    for (int k = 0; k < grid->n_levels; k++) {
        const bool last = k + 1 == grid->n_levels;
        place_level(&grid->level[k], last ? NULL : &grid->level[k + 1], base, &used);
    }
    const int64_t total = grid->level[0].total;
    grid->factor = take(base, &used, grid->n_coarsest * grid->n_coarsest);
    grid->u = take(base, &used, total);
    grid->p = take(base, &used, total);
    grid->q = take(base, &used, total);
    return used;
}

mpno_status mpno_multigrid_create(mpno_ctx *ctx, int ndim, const int64_t *intervals,
                                  mpno_multigrid **out) {
    *out = NULL;
    mpno_multigrid *grid = NULL;
    MPNO_CHECK(ctx, ndim >= 1 && ndim <= MPNO_GRID_DIMS, MPNO_E_ARGUMENT,
               "a grid of %d dimensions, expected 1 to %d", ndim, MPNO_GRID_DIMS);
    for (int t = 0; t < ndim; t++) {
        for (int s = 0; s < ndim; s++) {
            MPNO_CHECK(ctx, intervals[t] >= 2 && intervals[t] <= 2 * intervals[s], MPNO_E_ARGUMENT,
                       "a grid of %lld and %lld intervals: expected at least 2, and none more than "
                       "twice another",
                       (long long)intervals[t], (long long)intervals[s]);
        }
    }
    MPNO_TRY(mpno_alloc(ctx, sizeof *grid, &grid));
    grid->kernels = mpno_grid_kernels_get(ctx->isa);
    grid->ndim = ndim;
    for (int t = 0; t < ndim; t++) grid->intervals[MPNO_GRID_DIMS - ndim + t] = intervals[t];
    shape_levels(grid);
    const int64_t values = place_all(grid, NULL);
    mpno_status status = mpno_alloc_array(ctx, (size_t)values, sizeof(double), &grid->memory);
    if (status != MPNO_OK) {
        mpno_free(ctx, grid);
        return status;
    }
    place_all(grid, grid->memory);
    *out = grid;
    return MPNO_OK;
}

void mpno_multigrid_destroy(mpno_ctx *ctx, mpno_multigrid **grid) {
    if (!*grid) return;
    mpno_free(ctx, (*grid)->memory);
    mpno_free(ctx, *grid);
    *grid = NULL;
}

/* Weights between two levels, one corner and row after the other; up: from coarse to fine. */
static void transfer(const mpno_grid_kernels *kernels, const mpno_grid_level *level,
                     const mpno_grid_level *coarse, bool up) {
    const int corners = level->ndim == 1 ? 3 : level->ndim == 2 ? 9 : 27;
    const int64_t b0 = level->ndim == 3, b1 = level->ndim >= 2;
    if (!up) memset(coarse->b, 0, (size_t)coarse->total * sizeof(double));
    for (int64_t a0 = b0; a0 < b0 + coarse->n[0]; a0++) {
        for (int64_t a1 = b1; a1 < b1 + coarse->n[1]; a1++) {
            for (int q = 0; q < corners; q++) {
                int p[MPNO_GRID_DIMS];
                mpno_grid_corner(level->ndim, q, p);
                const int64_t k = a0 * coarse->stride[0] + a1 * coarse->stride[1] + 1;
                const int64_t i = (2 * a0 + p[0]) * level->stride[0] +
                                  (2 * a1 + p[1]) * level->stride[1] + 2 + p[2];
                const double *w = level->weight[q] + k;
                if (up) {
                    kernels->spread(coarse->n[2], w, coarse->other + k, level->other + i);
                } else {
                    kernels->gather(coarse->n[2], w, level->r + i, coarse->b + k);
                }
            }
        }
    }
}

/* other = M b on level k and below. */
static void cycle(const mpno_multigrid *grid, int k) {
    const mpno_grid_level *level = &grid->level[k];
    if (k + 1 == grid->n_levels) {
        mpno_multigrid_coarsest(grid);
        return;
    }
    const mpno_grid_kernels *kernels = grid->kernels;
    const mpno_stencil *a = &level->stencil;
    const int64_t at = level->first;
    /* Chebyshev of degree 2 on [largest / SMOOTHED, largest] */
    const double middle = level->largest * (1 + 1 / SMOOTHED) / 2;
    const double half = level->largest * (1 - 1 / SMOOTHED) / 2;
    const double rho0 = half / middle, rho1 = 1 / (2 * middle / half - rho0);
    const double keep = rho1 * rho0, step = 2 * rho1 / half;
    const double *inverse = level->inverse + at;
    double *x = level->x + at, *other = level->other + at, *d = level->d + at;
    const double *b = level->b + at;
    kernels->start(a->n, inverse, b, 1 / middle, d, x);
    kernels->relax(a, inverse, x, b, keep, step, d, other);
    kernels->residual(a, other, b, level->r + at);
    transfer(kernels, level, level + 1, false);
    cycle(grid, k + 1);
    transfer(kernels, level, level + 1, true);
    kernels->relax(a, inverse, other, b, 0, 1 / middle, d, x);
    kernels->relax(a, inverse, x, b, keep, step, d, other);
}

/* Couplings of the finest level: harmonic means over h^2. */
static void set_matrix(mpno_multigrid *grid, const double *a) {
    mpno_grid_level *level = &grid->level[0];
    int64_t node[MPNO_GRID_DIMS]; /* strides of the array of nodes */
    double scale[MPNO_GRID_DIMS];
    const int first_axis = MPNO_GRID_DIMS - grid->ndim;
    int64_t stride = 1;
    for (int t = MPNO_GRID_DIMS - 1; t >= 0; t--) {
        node[t] = stride;
        stride *= t >= first_axis ? grid->intervals[t] + 1 : 1;
        scale[t] = 2 * (double)(grid->intervals[t] * grid->intervals[t]);
    }
    const int64_t b0 = first_axis == 0, b1 = first_axis <= 1;
    for (int64_t a0 = b0; a0 < b0 + level->n[0]; a0++) {
        for (int64_t a1 = b1; a1 < b1 + level->n[1]; a1++) {
            const int64_t row = a0 * level->stride[0] + a1 * level->stride[1];
            const double *v = a + a0 * node[0] + a1 * node[1];
            const int64_t at[MPNO_GRID_DIMS] = {a0, a1, 0};
            for (int64_t i = 1; i <= level->n[2]; i++) level->center[row + i] = 0;
            for (int o = 0; o < level->n_offsets; o++) {
                const int t = level->offset[o][0] ? 0 : level->offset[o][1] ? 1 : 2;
                double *c = level->coupling[o] + row;
                for (int64_t i = 1; i <= level->n[2]; i++) {
                    const double up = scale[t] * v[i] * v[i + node[t]] / (v[i] + v[i + node[t]]);
                    const double down = scale[t] * v[i] * v[i - node[t]] / (v[i] + v[i - node[t]]);
                    level->center[row + i] += up + down;
                    c[i] = (t == 2 ? i : at[t]) < level->n[t] ? up : 0;
                }
            }
        }
    }
}

/* Copies between the array of all nodes and the inside of a bordered one. */
static void copy_inside(const mpno_multigrid *grid, double *nodes, double *inside, bool in) {
    const mpno_grid_level *level = &grid->level[0];
    const int64_t b0 = grid->ndim == 3, b1 = grid->ndim >= 2;
    const int64_t row_nodes = grid->intervals[2] + 1;
    const int64_t plane = row_nodes * (grid->ndim >= 2 ? grid->intervals[1] + 1 : 1);
    for (int64_t a0 = b0; a0 < b0 + level->n[0]; a0++) {
        for (int64_t a1 = b1; a1 < b1 + level->n[1]; a1++) {
            double *from = nodes + a0 * plane + a1 * row_nodes + 1;
            double *to = inside + a0 * level->stride[0] + a1 * level->stride[1] + 1;
            memcpy(in ? to : from, in ? from : to, (size_t)level->n[2] * sizeof(double));
        }
    }
}

/* Steps of conjugate gradients from u = x until |b|, the residual, is at most `goal`. */
static int iterate(mpno_multigrid *grid, double goal, int most) {
    const mpno_grid_kernels *kernels = grid->kernels;
    const mpno_grid_level *level = &grid->level[0];
    const mpno_stencil *a = &level->stencil;
    const int64_t at = level->first;
    double *r = level->b + at, *z = level->other + at;
    double *p = grid->p + at, *q = grid->q + at, *u = grid->u + at;
    double before = 0;
    int n = 0;
    for (; n < most && sqrt(kernels->dot(a->n, r, r)) > goal; n++) {
        cycle(grid, 0);
        const double rz = kernels->dot(a->n, r, z);
        kernels->turn(a->n, n ? rz / before : 0, z, p);
        kernels->apply(a, p, q);
        const double step = rz / kernels->dot(a->n, p, q);
        kernels->add(a->n, step, p, u);
        kernels->add(a->n, -step, q, r);
        before = rz;
    }
    return n;
}

bool mpno_multigrid_solve(mpno_multigrid *grid, const double *a, const double *f, double tolerance,
                          int most, double *u, mpno_multigrid_result *result) {
    const mpno_grid_kernels *kernels = grid->kernels;
    mpno_grid_level *level = &grid->level[0];
    const int64_t at = level->first, n = level->stencil.n;
    const size_t bytes = (size_t)level->total * sizeof(double);
    int64_t nodes = 1;
    for (int t = MPNO_GRID_DIMS - grid->ndim; t < MPNO_GRID_DIMS; t++) {
        nodes *= grid->intervals[t] + 1;
    }
    set_matrix(grid, a);
    mpno_multigrid_setup(grid);
    memset(grid->u, 0, bytes);
    memset(grid->p, 0, bytes);
    memset(level->b, 0, bytes);
    memset(level->r, 0, bytes);
    memcpy(u, f, (size_t)nodes * sizeof(double));
    copy_inside(grid, u, level->b, true);
    const double norm = sqrt(kernels->dot(n, level->b + at, level->b + at));
    double rest = norm;
    *result = (mpno_multigrid_result){0, 0};
    /* The residual of the recursion drifts from the true one: start anew from the true one. */
    for (int turn = 0; turn < 3 && rest > tolerance * norm; turn++) {
        result->iterations += iterate(grid, tolerance * norm, most - result->iterations);
        copy_inside(grid, u, level->b, true);
        kernels->residual(&level->stencil, grid->u + at, level->b + at, level->r + at);
        rest = sqrt(kernels->dot(n, level->r + at, level->r + at));
        memcpy(level->b + at, level->r + at, (size_t)n * sizeof(double));
    }
    result->residual = norm > 0 ? rest / norm : 0;
    memset(u, 0, (size_t)nodes * sizeof(double));
    copy_inside(grid, u, grid->u, false);
    return rest <= tolerance * norm;
}
