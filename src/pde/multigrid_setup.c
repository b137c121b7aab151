/* SPDX-License-Identifier: MIT
 * The coarse levels: interpolation that follows the matrix, and Galerkin products.
 *
 * A fine point i = 2 I + p has odd indices in the axes S where p is not 0. Along the other axes its
 * equation is summed up (the fine point takes the value of its line or plane), which leaves
 *   sum over neighbours o with o_S not 0 of a_o (u_i - u(i + o_S)) = 0,
 * where every u(i + o_S) has fewer odd indices: weights of points with one odd index are found
 * first, then those with two, then three. What the row sum lacks is the coupling to the boundary;
 * it counts where the boundary lies in an axis of S. Source: Dendy, J. Comput. Phys. 48 (1982) 366;
 * here the sum of the couplings stands for the diagonal, so that constants are kept inside. */
#include <math.h>
#include <string.h>

#include "pde/multigrid_levels.h"

enum { ZERO_CORNER = -2, NO_CORNER = -1 };

void mpno_grid_corner(int ndim, int q, int out[MPNO_GRID_DIMS]) {
    for (int t = MPNO_GRID_DIMS - 1; t >= 0; t--) {
        const bool used = t >= MPNO_GRID_DIMS - ndim;
        out[t] = used ? q % 3 - 1 : 0;
        if (used) q /= 3;
    }
}

static int corner_count(int ndim) {
    return ndim == 1 ? 3 : ndim == 2 ? 9 : 27;
}

/* Number of the corner, NO_CORNER when it is none. */
static int corner_number(int ndim, const int p[MPNO_GRID_DIMS]) {
    int q = 0;
    for (int t = MPNO_GRID_DIMS - ndim; t < MPNO_GRID_DIMS; t++) {
        if (p[t] < -1 || p[t] > 1) return NO_CORNER;
        q = 3 * q + p[t] + 1;
    }
    return q;
}

/* Neighbour m = 0 .. 2 n_offsets of a level: the point itself, then both ways of each offset. */
static void neighbour(const mpno_grid_level *level, int m, int out[MPNO_GRID_DIMS]) {
    for (int t = 0; t < MPNO_GRID_DIMS; t++) {
        const int o = m ? level->offset[(m - 1) / 2][t] : 0;
        out[t] = m % 2 ? o : -o;
    }
}

/* Values of the matrix at that neighbour, by the index of the point. */
static const double *entries(const mpno_grid_level *level, int m) {
    if (m == 0) return level->center;
    const double *c = level->coupling[(m - 1) / 2];
    return m % 2 ? c : c - level->stencil.stride[(m - 1) / 2];
}

typedef struct term {
    const double *coupling;
    int corner; /* whose weight it carries; NO_CORNER: one that this coarse point does not reach */
} term;

/* The couplings of a point of corner p that leave its line or plane. */
static int find_terms(const mpno_grid_level *level, const int p[MPNO_GRID_DIMS],
                      term terms[2 * MPNO_STENCIL_HALF]) {
    int n = 0;
    for (int m = 1; m <= 2 * level->n_offsets; m++) {
        int o[MPNO_GRID_DIMS], to[MPNO_GRID_DIMS];
        bool leaves = false, zero = true;
        neighbour(level, m, o);
        for (int t = 0; t < MPNO_GRID_DIMS; t++) {
            leaves |= p[t] && o[t];
            to[t] = p[t] ? p[t] + o[t] : 0;
            zero &= to[t] == 0;
        }
        if (!leaves) continue;
        terms[n++] = (term){entries(level, m), zero ? ZERO_CORNER : corner_number(level->ndim, to)};
    }
    return n;
}

/* Share of the coupling to the boundary that lies in the axes of p. */
static double boundary_part(const mpno_grid_level *level, const int p[MPNO_GRID_DIMS],
                            const int64_t at[MPNO_GRID_DIMS], int64_t i) {
    int all = 0, ours = 0;
    for (int t = MPNO_GRID_DIMS - level->ndim; t < MPNO_GRID_DIMS; t++) {
        const bool near = at[t] == 1 || at[t] == level->n[t];
        all += near;
        ours += near && p[t];
    }
    if (ours == 0) return 0;
    double rest = level->center[i];
    for (int m = 1; m <= 2 * level->n_offsets; m++) rest -= entries(level, m)[i];
    return fmax(rest, 0) * ours / all;
}

static void set_weight(mpno_grid_level *level, const mpno_grid_level *coarse, int q,
                       const int p[MPNO_GRID_DIMS], const term *terms, int n_terms,
                       const int64_t at[MPNO_GRID_DIMS]) {
    int64_t fine[MPNO_GRID_DIMS], i = 0, k = 0;
    for (int t = 0; t < MPNO_GRID_DIMS; t++) {
        const bool used = t >= MPNO_GRID_DIMS - level->ndim;
        fine[t] = 2 * at[t] + p[t];
        if (used && fine[t] > level->n[t]) return; /* on the border: the weight stays 0 */
        i += fine[t] * level->stride[t];
        k += at[t] * coarse->stride[t];
    }
    double sum = boundary_part(level, p, fine, i), ours = 0;
    for (int m = 0; m < n_terms; m++) {
        const double a = terms[m].coupling[i];
        sum += a;
        if (terms[m].corner == ZERO_CORNER) ours += a;
        if (terms[m].corner >= 0) ours += a * level->weight[terms[m].corner][k];
    }
    level->weight[q][k] = sum > 0 ? ours / sum : 0;
}

static int support(const int p[MPNO_GRID_DIMS]) {
    return (p[0] != 0) + (p[1] != 0) + (p[2] != 0);
}

/* First index of an axis inside. */
static int64_t begin(const mpno_grid_level *level, int t) {
    return t >= MPNO_GRID_DIMS - level->ndim;
}

static void make_corner(mpno_grid_level *level, const mpno_grid_level *coarse, int q) {
    int p[MPNO_GRID_DIMS];
    term terms[2 * MPNO_STENCIL_HALF];
    mpno_grid_corner(level->ndim, q, p);
    const int n_terms = find_terms(level, p, terms);
    const int64_t b0 = begin(coarse, 0), b1 = begin(coarse, 1);
    for (int64_t a0 = b0; a0 < b0 + coarse->n[0]; a0++) {
        for (int64_t a1 = b1; a1 < b1 + coarse->n[1]; a1++) {
            for (int64_t a2 = 1; a2 <= coarse->n[2]; a2++) {
                const int64_t at[MPNO_GRID_DIMS] = {a0, a1, a2};
                if (n_terms > 0) {
                    set_weight(level, coarse, q, p, terms, n_terms, at);
                } else {
                    level->weight[q][a0 * coarse->stride[0] + a1 * coarse->stride[1] + a2] = 1;
                }
            }
        }
    }
}

static void make_weights(mpno_grid_level *level, const mpno_grid_level *coarse) {
    const int n = corner_count(level->ndim);
    for (int odd = 0; odd <= level->ndim; odd++) {
        for (int q = 0; q < n; q++) {
            int p[MPNO_GRID_DIMS];
            mpno_grid_corner(level->ndim, q, p);
            if (support(p) == odd) make_corner(level, coarse, q);
        }
    }
}

/* out(I) += sign w_p(I) a_m(2 I + p) w_q(I + O) for all coarse points. */
static void add_product(const mpno_grid_kernels *kernels, const mpno_grid_level *level,
                        const mpno_grid_level *coarse, int pi, int m, int qi, int64_t shift,
                        double sign, double *out) {
    int p[MPNO_GRID_DIMS];
    mpno_grid_corner(level->ndim, pi, p);
    const double *a = entries(level, m);
    const int64_t b0 = begin(coarse, 0), b1 = begin(coarse, 1);
    for (int64_t a0 = b0; a0 < b0 + coarse->n[0]; a0++) {
        for (int64_t a1 = b1; a1 < b1 + coarse->n[1]; a1++) {
            const int64_t k = a0 * coarse->stride[0] + a1 * coarse->stride[1] + 1;
            const int64_t i =
                (2 * a0 + p[0]) * level->stride[0] + (2 * a1 + p[1]) * level->stride[1] + 2 + p[2];
            kernels->triple(coarse->n[2], sign, level->weight[pi] + k, a + i,
                            level->weight[qi] + k + shift, out + k);
        }
    }
}

/* The part of W' A W between I and I + O. */
static void make_entry(const mpno_grid_kernels *kernels, const mpno_grid_level *level,
                       const mpno_grid_level *coarse, const int offset[MPNO_GRID_DIMS], double sign,
                       double *out) {
    int64_t shift = 0;
    memset(out, 0, (size_t)coarse->total * sizeof *out);
    for (int t = 0; t < MPNO_GRID_DIMS; t++) shift += offset[t] * coarse->stride[t];
    for (int pi = 0; pi < corner_count(level->ndim); pi++) {
        int p[MPNO_GRID_DIMS];
        mpno_grid_corner(level->ndim, pi, p);
        for (int m = 0; m <= 2 * level->n_offsets; m++) {
            int o[MPNO_GRID_DIMS], q[MPNO_GRID_DIMS];
            neighbour(level, m, o);
            for (int t = 0; t < MPNO_GRID_DIMS; t++) q[t] = p[t] + o[t] - 2 * offset[t];
            const int qi = corner_number(level->ndim, q);
            if (qi == NO_CORNER) continue;
            add_product(kernels, level, coarse, pi, m, qi, shift, m == 0 ? sign : -sign, out);
        }
    }
}

/* 1 / center, and the bound of Gershgorin. */
static void finish_level(mpno_grid_level *level) {
    const int64_t b0 = begin(level, 0), b1 = begin(level, 1);
    level->largest = 0;
    for (int64_t a0 = b0; a0 < b0 + level->n[0]; a0++) {
        for (int64_t a1 = b1; a1 < b1 + level->n[1]; a1++) {
            const int64_t row = a0 * level->stride[0] + a1 * level->stride[1];
            for (int64_t i = row + 1; i <= row + level->n[2]; i++) {
                double sum = level->center[i];
                for (int o = 0; o < level->n_offsets; o++) {
                    const double *c = level->coupling[o];
                    sum += fabs(c[i]) + fabs(c[i - level->stencil.stride[o]]);
                }
                level->inverse[i] = 1 / level->center[i];
                level->largest = fmax(level->largest, sum * level->inverse[i]);
            }
        }
    }
}

/* Number of the k-th point of the coarsest level in its arrays. */
static int64_t place(const mpno_grid_level *level, int64_t k) {
    const int64_t a2 = k % level->n[2], a1 = k / level->n[2] % level->n[1],
                  a0 = k / level->n[2] / level->n[1];
    return level->first + a0 * level->stride[0] + a1 * level->stride[1] + a2;
}

/* Cholesky factor L of the coarsest matrix, in the lower triangle. */
static void factorize(mpno_multigrid *grid) {
    const mpno_grid_level *level = &grid->level[grid->n_levels - 1];
    const int64_t n = grid->n_coarsest;
    double *l = grid->factor;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            const int64_t at = place(level, j), apart = place(level, i) - at;
            double v = i == j ? level->center[at] : 0;
            for (int o = 0; o < level->n_offsets; o++) {
                if (level->stencil.stride[o] == apart) v = -level->coupling[o][at];
            }
            for (int64_t k = 0; k < j; k++) v -= l[i * n + k] * l[j * n + k];
            l[i * n + j] = i == j ? sqrt(v) : v / l[j * n + j];
        }
    }
}

void mpno_multigrid_coarsest(const mpno_multigrid *grid) {
    const mpno_grid_level *level = &grid->level[grid->n_levels - 1];
    const int64_t n = grid->n_coarsest;
    const double *l = grid->factor;
    double *x = level->other;
    for (int64_t i = 0; i < n; i++) {
        double v = level->b[place(level, i)];
        for (int64_t k = 0; k < i; k++) v -= l[i * n + k] * x[place(level, k)];
        x[place(level, i)] = v / l[i * n + i];
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        double v = x[place(level, i)];
        for (int64_t k = i + 1; k < n; k++) v -= l[k * n + i] * x[place(level, k)];
        x[place(level, i)] = v / l[i * n + i];
    }
}

void mpno_multigrid_setup(mpno_multigrid *grid) {
    static const int none[MPNO_GRID_DIMS] = {0};
    finish_level(&grid->level[0]);
    for (int k = 0; k + 1 < grid->n_levels; k++) {
        mpno_grid_level *level = &grid->level[k], *coarse = level + 1;
        make_weights(level, coarse);
        make_entry(grid->kernels, level, coarse, none, 1, coarse->center);
        for (int o = 0; o < coarse->n_offsets; o++) {
            make_entry(grid->kernels, level, coarse, coarse->offset[o], -1, coarse->coupling[o]);
        }
        finish_level(coarse);
    }
    factorize(grid);
}
