/* SPDX-License-Identifier: MIT
 * gemm: C[m][n] = A[m][k] B[k][n] (+ C); gemm_tn: C[k][n] += A[m][k]^T B[m][n]; gemm_packed: gemm
 * with B in the layout that pack makes, and a row added to every row of the result.
 * Every element is one chain sum = fma(a, b, sum) in the order of the inner index, starting from 0
 * or from C: its value does not depend on m, n, tiles or blocks and is the same on every ISA with
 * FMA. The added row is one more addition at the end.
 * Error: |C - exact| <= (K + 1) u sum |a||b| to first order, K the inner length (Higham, Accuracy
 * and Stability of Numerical Algorithms, section 3.1).
 * Loops: blocks of GEMM_DEPTH of the inner index; panels of up to VEC_TILE_VECTORS vectors of
 * columns; tiles of rows. A panel of B that is not packed is copied to the stack when its last
 * vector is partial (padded with 0, so that tiles never read beyond B), or when many rows use it
 * and it is not all of B (its lines lie ldb apart and would evict each other).
 * Packed layout: panel after panel, each [k][vectors][LANES], the last vector padded with 0.
 * Parameters: kernels_f32.h; the shapes VEC_TILE_* of the vocabulary. */

#ifndef GEMM_DEPTH
#define GEMM_DEPTH 128 /* a panel in use has 4 KiB (portable), 12 (AVX2) or 32 (AVX-512) */
#define GEMM_UNROLL _Pragma("GCC unroll 2") /* 4 was no faster */
#endif

/* One tile of `rows` x `vectors` (constants at every call), `depth` terms. Element (i, p) of A
 * stands at i a_row + p a_step, row p of B at p b_step; B is read in whole vectors, of the last
 * vector of C only `last` elements are touched. bias: added to every row, or NULL. */
KERNEL_INLINE void K(tile)(const int rows, const int vectors, int64_t depth, const T *a,
                           int64_t a_row, int64_t a_step, const T *b, int64_t b_step, T *c,
                           int64_t ldc, int64_t last, int accumulate, const T *bias) {
    VT sum[VEC_TILE_MAX_ROWS][VEC_TILE_VECTORS];
    KERNEL_UNROLL
    for (int i = 0; i < rows; i++) {
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            sum[i][j] = V(set1)(0);
            if (accumulate) {
                const T *from = c + i * ldc + j * LANES;
                const int whole = j < vectors - 1 || last == LANES;
                sum[i][j] = whole ? V(load)(from) : V(load_part)(from, last);
            }
        }
    }
    GEMM_UNROLL
    for (int64_t p = 0; p < depth; p++, a += a_step, b += b_step) {
        VT row[VEC_TILE_VECTORS];
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) row[j] = V(load)(b + j * LANES);
        KERNEL_UNROLL
        for (int i = 0; i < rows; i++) {
            const VT factor = V(set1)(a[i * a_row]);
            KERNEL_UNROLL
            for (int j = 0; j < vectors; j++) sum[i][j] = V(fma)(factor, row[j], sum[i][j]);
        }
    }
    if (bias != NULL) {
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            const int whole = j < vectors - 1 || last == LANES;
            const VT add = whole ? V(load)(bias + j * LANES) : V(load_part)(bias + j * LANES, last);
            KERNEL_UNROLL
            for (int i = 0; i < rows; i++) sum[i][j] = V(add)(sum[i][j], add);
        }
    }
    KERNEL_UNROLL
    for (int i = 0; i < rows; i++) {
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            T *to = c + i * ldc + j * LANES;
            if (j < vectors - 1 || last == LANES) {
                V(store)(to, sum[i][j]);
            } else {
                V(store_part)(to, sum[i][j], last);
            }
        }
    }
}

/* The tile of these sizes: one specialisation for each line of VEC_TILES. */
KERNEL_INLINE void K(tile_any)(int rows, int vectors, int64_t depth, const T *a, int64_t a_row,
                               int64_t a_step, const T *b, int64_t b_step, T *c, int64_t ldc,
                               int64_t last, int accumulate, const T *bias) {
    switch (vectors * 16 + rows) {
#define TILE_CASE(r, v)                                                                    \
    case (v)*16 + (r):                                                                     \
        K(tile)(r, v, depth, a, a_row, a_step, b, b_step, c, ldc, last, accumulate, bias); \
        break;
        VEC_TILES(TILE_CASE)
#undef TILE_CASE
        default:
            break;
    }
}

static void K(pack_panel)(T *panel, const T *b, int64_t ldb, int64_t depth, int vectors,
                          int64_t last) {
    for (int64_t p = 0; p < depth; p++, b += ldb) {
        int j = 0;
        for (; j < vectors - 1; j++, panel += LANES) V(store)(panel, V(load)(b + j * LANES));
        const T *from = b + j * LANES;
        V(store)(panel, last == LANES ? V(load)(from) : V(load_part)(from, last));
        panel += LANES;
    }
}

/* The columns of n that panel `index` holds. */
typedef struct K(panel) {
    int64_t column, last; /* the first; elements of the last vector */
    int vectors, n_panels;
} K(panel);

static K(panel) K(panel_at)(int64_t n, int64_t index) {
    const int64_t n_vectors = (n + LANES - 1) / LANES;
    const int64_t n_panels = (n_vectors + VEC_TILE_VECTORS - 1) / VEC_TILE_VECTORS;
    const int64_t first = n_vectors * index / n_panels;
    const int vectors = (int)(n_vectors * (index + 1) / n_panels - first);
    const int64_t rest = n - (first + vectors - 1) * LANES;
    return (K(panel)){first * LANES, rest < LANES ? rest : LANES, vectors, (int)n_panels};
}

static void K(pack)(void *packed, int64_t n, int64_t k, const void *b, int64_t ldb) {
    T *to = packed;
    K(panel) at = {.n_panels = n > 0};
    for (int i = 0; i < at.n_panels; i++) {
        at = K(panel_at)(n, i);
        K(pack_panel)(to + at.column * k, (const T *)b + at.column, ldb, k, at.vectors, at.last);
    }
}

#include "kernel/tmpl/gemm_column.h"
#ifdef VEC_PAIRS
#include "kernel/tmpl/gemm_pairs.h"
#endif

/* C[m][n] (+)= sum over p < depth of A(i, p) B[p][.] (+ bias), A by strides. ldb 0: B is packed. */
KERNEL_INLINE void K(multiply)(int64_t m, int64_t n, int64_t depth, const T *a, int64_t a_row,
                               int64_t a_step, const T *b, int64_t ldb, T *c, int64_t ldc,
                               int accumulate, const T *bias) {
    static const int max_rows[] = VEC_TILE_ROWS;
    _Alignas(64) T room[GEMM_DEPTH * VEC_TILE_VECTORS * LANES];
    if (n == 1 && a_step == 1 && m >= LANES) {
        const int64_t whole = m / LANES * LANES;
        K(multiply_column)
        (whole, depth, a, a_row, b, ldb > 0 ? ldb : LANES, c, ldc, accumulate, bias);
        a += whole * a_row;
        c += whole * ldc;
        if ((m -= whole) == 0) return;
    }
#ifdef VEC_PAIRS
    if (n == K(PAIR_COLUMNS) && ldc == n && m > 1) {
        const int64_t even = m / 2 * 2;
        K(multiply_pairs)
        (even, depth, a, a_row, a_step, b, ldb > 0 ? ldb : 2 * LANES, c, accumulate, bias);
        a += even * a_row;
        c += even * ldc;
        if ((m -= even) == 0) return;
    }
#endif
    for (int64_t p = 0; p < depth || p == 0; p += GEMM_DEPTH) {
        const int64_t block = depth - p < GEMM_DEPTH ? depth - p : GEMM_DEPTH;
        K(panel) at = {.n_panels = 1};
        for (int panel = 0; panel < at.n_panels; panel++) {
            at = K(panel_at)(n, panel);
            const int most = max_rows[at.vectors];
            const int64_t n_tiles = (m + most - 1) / most;
            const int64_t step = ldb > 0 ? ldb : at.vectors * LANES;
            const T *from = b + (ldb > 0 ? at.column : at.column * depth) + p * step;
            int64_t b_step = step;
            if (ldb > 0 && (at.last < LANES || (n_tiles > 2 && at.n_panels > 1))) {
                K(pack_panel)(room, from, ldb, block, at.vectors, at.last);
                from = room;
                b_step = at.vectors * LANES;
            }
            const T *add = bias != NULL && p + block == depth ? bias + at.column : NULL;
            int64_t row = 0;
            for (int64_t tile = 0; tile < n_tiles; tile++) {
                const int rows = (int)((m - row + n_tiles - tile - 1) / (n_tiles - tile));
                K(tile_any)
                (rows, at.vectors, block, a + row * a_row + p * a_step, a_row, a_step, from, b_step,
                 c + row * ldc + at.column, ldc, at.last, accumulate || p > 0, add);
                row += rows;
            }
        }
    }
}

static void K(gemm)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                    int64_t ldb, void *c, int64_t ldc, int accumulate) {
    if (m > 0 && n > 0) K(multiply)(m, n, k, a, lda, 1, b, ldb, c, ldc, accumulate, NULL);
}

static void K(gemm_packed)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                           const void *packed, const void *bias, void *c, int64_t ldc) {
    if (m > 0 && n > 0) K(multiply)(m, n, k, a, lda, 1, packed, 0, c, ldc, 0, bias);
}

/* gemm_tn with fewer columns than lanes: C^T += B^T A, whose rows are A's and need no padding. */
static void K(gemm_tn_narrow)(int64_t m, int64_t n, int64_t k, const T *a, int64_t lda, const T *b,
                              int64_t ldb, T *c, int64_t ldc) {
    enum { WIDTH = VEC_TILE_VECTORS * LANES };
    _Alignas(64) T turned[16][WIDTH]; /* of which LANES / 2 rows are used */
    for (int64_t first = 0; first < k; first += WIDTH) {
        const int64_t width = k - first < WIDTH ? k - first : WIDTH;
        T *at = c + first * ldc;
        for (int64_t j = 0; j < n; j++)
            for (int64_t i = 0; i < width; i++) turned[j][i] = at[i * ldc + j];
        K(multiply)(n, width, m, b, 1, ldb, a + first, lda, turned[0], WIDTH, 1, NULL);
        for (int64_t j = 0; j < n; j++)
            for (int64_t i = 0; i < width; i++) at[i * ldc + j] = turned[j][i];
    }
}

static void K(gemm_tn)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                       int64_t ldb, void *c, int64_t ldc) {
    if (k <= 0 || n <= 0 || m <= 0) return;
    if (2 * n <= LANES && k >= LANES) {
        K(gemm_tn_narrow)(m, n, k, a, lda, b, ldb, c, ldc);
    } else {
        K(multiply)(k, n, m, a, 1, lda, b, ldb, c, ldc, 1, NULL);
    }
}
