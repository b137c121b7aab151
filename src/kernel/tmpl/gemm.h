/* SPDX-License-Identifier: MIT
 * gemm: C[m][n] = A[m][k] B[k][n] (+ C); gemm_tn: C[k][n] += A[m][k]^T B[m][n].
 * Every element is one chain sum = fma(a, b, sum) in the order of the inner index, starting from 0
 * or from C: its value does not depend on m, n, tiles or blocks and is the same on every ISA with
 * FMA.
 * Error: |C - exact| <= (K + 1) u sum |a||b| to first order, K the inner length (Higham, Accuracy
 * and Stability of Numerical Algorithms, section 3.1).
 * Loops: blocks of GEMM_DEPTH of the inner index; panels of up to VEC_TILE_VECTORS vectors of
 * columns; tiles of rows. A panel of B is copied to the stack when many rows use it (its lines lie
 * ldb apart and would evict each other) or when its last vector is partial (padded with 0, so that
 * tiles never read beyond B).
 * Parameters: kernels_f32.h; the shapes VEC_TILE_* of the vocabulary. */

#ifndef GEMM_DEPTH
#define GEMM_DEPTH 256 /* a packed panel has 8 KiB (portable), 24 (AVX2) or 64 (AVX-512) */
#endif

/* One tile of `rows` x `vectors` (constants at every call), `depth` terms. Element (i, p) of A
 * stands at i a_row + p a_step, row p of B at p b_step; B is read in whole vectors, of the last
 * vector of C only `last` elements are touched. */
KERNEL_INLINE void K(tile)(const int rows, const int vectors, int64_t depth, const T *a,
                           int64_t a_row, int64_t a_step, const T *b, int64_t b_step, T *c,
                           int64_t ldc, int64_t last, int accumulate) {
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
                               int64_t last, int accumulate) {
    switch (vectors * 16 + rows) {
#define TILE_CASE(r, v)                                                              \
    case (v)*16 + (r):                                                               \
        K(tile)(r, v, depth, a, a_row, a_step, b, b_step, c, ldc, last, accumulate); \
        break;
        VEC_TILES(TILE_CASE)
#undef TILE_CASE
        default:
            break;
    }
}

static void K(pack)(T *panel, const T *b, int64_t ldb, int64_t depth, int vectors, int64_t last) {
    for (int64_t p = 0; p < depth; p++, b += ldb) {
        int j = 0;
        for (; j < vectors - 1; j++, panel += LANES) V(store)(panel, V(load)(b + j * LANES));
        const T *from = b + j * LANES;
        V(store)(panel, last == LANES ? V(load)(from) : V(load_part)(from, last));
        panel += LANES;
    }
}

/* C[m][n] (+)= sum over p < depth of A(i, p) B[p][.], A by strides; a_row is a constant where that
 * helps. */
KERNEL_INLINE void K(multiply)(int64_t m, int64_t n, int64_t depth, const T *a, int64_t a_row,
                               int64_t a_step, const T *b, int64_t ldb, T *c, int64_t ldc,
                               int accumulate) {
    static const int max_rows[] = VEC_TILE_ROWS;
    _Alignas(64) T packed[GEMM_DEPTH * VEC_TILE_VECTORS * LANES];
    const int64_t n_vectors = (n + LANES - 1) / LANES;
    const int64_t n_panels = (n_vectors + VEC_TILE_VECTORS - 1) / VEC_TILE_VECTORS;
    for (int64_t p = 0; p < depth; p += GEMM_DEPTH) {
        const int64_t block = depth - p < GEMM_DEPTH ? depth - p : GEMM_DEPTH;
        int64_t first = 0; /* vector of columns */
        for (int64_t panel = 0; panel < n_panels; panel++) {
            const int vectors =
                (int)((n_vectors - first + n_panels - panel - 1) / (n_panels - panel));
            const int64_t column = first * LANES;
            const int64_t rest = n - column - (vectors - 1) * LANES;
            const int64_t last = rest < LANES ? rest : LANES;
            const int64_t n_tiles = (m + max_rows[vectors] - 1) / max_rows[vectors];
            const T *from = b + p * ldb + column;
            int64_t step = ldb;
            if (last < LANES || n_tiles > 2) {
                K(pack)(packed, from, ldb, block, vectors, last);
                from = packed;
                step = vectors * LANES;
            }
            int64_t row = 0;
            for (int64_t tile = 0; tile < n_tiles; tile++) {
                const int rows = (int)((m - row + n_tiles - tile - 1) / (n_tiles - tile));
                K(tile_any)
                (rows, vectors, block, a + row * a_row + p * a_step, a_row, a_step, from, step,
                 c + row * ldc + column, ldc, last, accumulate || p > 0);
                row += rows;
            }
            first += vectors;
        }
    }
}

static void K(gemm)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                    int64_t ldb, void *c_, int64_t ldc, int accumulate) {
    T *c = c_;
    if (k <= 0 && !accumulate) {
        for (int64_t i = 0; i < m; i++) {
            for (int64_t j = 0; j < n; j++) c[i * ldc + j] = 0;
        }
    }
    if (m > 0 && n > 0) K(multiply)(m, n, k, a, lda, 1, b, ldb, c, ldc, accumulate);
}

static void K(gemm_tn)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                       int64_t ldb, void *c, int64_t ldc) {
    if (k > 0 && n > 0) K(multiply)(k, n, m, a, 1, lda, b, ldb, c, ldc, 1);
}
