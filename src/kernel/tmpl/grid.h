/* SPDX-License-Identifier: MIT
 * Template of the grid kernels: see kernel/grid_kernels.h. No parameters. A stencil is applied to a
 * block of points that stays in the first cache while one neighbour after the other is added. */
enum { GRID_BLOCK = 512, GRID_SUMS = 8 };

static void grid_neighbour(int64_t n, const double *restrict up, const double *restrict down,
                           const double *restrict x_up, const double *restrict x_down,
                           double *restrict y) {
    for (int64_t i = 0; i < n; i++) y[i] -= up[i] * x_up[i] + down[i] * x_down[i];
}

static void grid_centre(int64_t n, const double *restrict center, const double *restrict x,
                        double *restrict y) {
    for (int64_t i = 0; i < n; i++) y[i] = center[i] * x[i];
}

/* y = A x for n points from `first` on; y[0] is the value of point `first`. */
static void grid_block(const mpno_stencil *a, int64_t first, int64_t n, const double *x,
                       double *y) {
    grid_centre(n, a->center + first, x + first, y);
    for (int o = 0; o < a->n_offsets; o++) {
        const int64_t s = a->stride[o];
        const double *c = a->coupling[o] + first;
        grid_neighbour(n, c, c - s, x + first + s, x + first - s, y);
    }
}

static int64_t grid_length(int64_t n, int64_t first) {
    return n - first < GRID_BLOCK ? n - first : GRID_BLOCK;
}

static void grid_apply(const mpno_stencil *a, const double *x, double *y) {
    for (int64_t i = 0; i < a->n; i += GRID_BLOCK) {
        grid_block(a, i, grid_length(a->n, i), x, y + i);
    }
}

static void grid_difference(int64_t n, const double *restrict b, const double *restrict t,
                            double *restrict r) {
    for (int64_t i = 0; i < n; i++) r[i] = b[i] - t[i];
}

static void grid_residual(const mpno_stencil *a, const double *x, const double *b, double *r) {
    double t[GRID_BLOCK];
    for (int64_t i = 0; i < a->n; i += GRID_BLOCK) {
        const int64_t n = grid_length(a->n, i);
        grid_block(a, i, n, x, t);
        grid_difference(n, b + i, t, r + i);
    }
}

static void grid_correct(int64_t n, const double *restrict inverse, const double *restrict x,
                         const double *restrict b, const double *restrict t, double keep,
                         double step, double *restrict d, double *restrict y) {
    for (int64_t i = 0; i < n; i++) {
        d[i] = keep * d[i] + step * inverse[i] * (b[i] - t[i]);
        y[i] = x[i] + d[i];
    }
}

static void grid_relax(const mpno_stencil *a, const double *inverse, const double *x,
                       const double *b, double keep, double step, double *d, double *y) {
    double t[GRID_BLOCK];
    for (int64_t i = 0; i < a->n; i += GRID_BLOCK) {
        const int64_t n = grid_length(a->n, i);
        grid_block(a, i, n, x, t);
        grid_correct(n, inverse + i, x + i, b + i, t, keep, step, d + i, y + i);
    }
}

static void grid_start(int64_t n, const double *restrict inverse, const double *restrict b,
                       double step, double *restrict d, double *restrict y) {
    for (int64_t i = 0; i < n; i++) y[i] = d[i] = step * inverse[i] * b[i];
}

static double grid_dot(int64_t n, const double *restrict a, const double *restrict b) {
    double sum[GRID_SUMS] = {0};
    const int64_t whole = n / GRID_SUMS * GRID_SUMS;
    for (int64_t i = 0; i < whole; i += GRID_SUMS) {
        for (int64_t k = 0; k < GRID_SUMS; k++) sum[k] += a[i + k] * b[i + k];
    }
    for (int64_t i = whole; i < n; i++) sum[i - whole] += a[i] * b[i];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

static void grid_add(int64_t n, double factor, const double *restrict x, double *restrict y) {
    for (int64_t i = 0; i < n; i++) y[i] += factor * x[i];
}

static void grid_turn(int64_t n, double factor, const double *restrict z, double *restrict p) {
    for (int64_t i = 0; i < n; i++) p[i] = z[i] + factor * p[i];
}

static void grid_gather(int64_t n, const double *restrict w, const double *restrict fine,
                        double *restrict out) {
    for (int64_t k = 0; k < n; k++) out[k] += w[k] * fine[2 * k];
}

static void grid_spread(int64_t n, const double *restrict w, const double *restrict coarse,
                        double *restrict fine) {
    for (int64_t k = 0; k < n; k++) fine[2 * k] += w[k] * coarse[k];
}

static void grid_triple(int64_t n, double sign, const double *restrict u, const double *restrict a,
                        const double *restrict w, double *restrict out) {
    for (int64_t k = 0; k < n; k++) out[k] += sign * u[k] * a[2 * k] * w[k];
}

#define GRID_TABLE                                                                        \
    {                                                                                     \
        grid_apply, grid_residual, grid_relax, grid_start, grid_dot, grid_add, grid_turn, \
            grid_gather, grid_spread, grid_triple                                         \
    }
