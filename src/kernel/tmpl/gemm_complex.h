/* SPDX-License-Identifier: MIT
 * gemm_complex: C[m][n] = A[m][k] B[k][n] (+ C) of complex matrices in two planes. Each element of
 * either plane is one chain of 2 k fused multiply-adds in the order of the inner index, starting
 * from 0 or from C, so that its value does not depend on m, n, tiles or blocks:
 *   Re += Re a Re b, Re -= Im a Im b;   Im += Im a Re b, Im += Re a Im b
 * Error: |C - exact| <= (2 k + 1) u (sum of the magnitudes of all products) to first order, as in
 * gemm.h. Both planes together read each element of B once for a tile of rows, which is what counts
 * where B is the weight of one mode and comes from memory.
 * Loops: as in gemm.h, with the shapes VEC_COMPLEX_*. Few rows take panels as wide as registers
 * allow, so that B is read in order; more rows take panels of two vectors and tiles of more rows,
 * which load less. B is copied only where its last vector is partial. While the first tile reads a
 * panel it fetches as much of what B's planes tell will be read next: products of few rows wait for
 * memory otherwise (32 x 32 channels, one sample: half of the time). Parameters: kernels_f32.h. */

#ifndef COMPLEX_DEPTH
#define COMPLEX_DEPTH 64 /* both planes of a panel have at most 32 KiB */
#define COMPLEX_FEW_ROWS 12
#endif

/* What all tiles of a block share, in elements; planes follow at `.._plane`. */
typedef struct K(complex_block) {
    int64_t depth, a_row, a_step, a_plane, b_step, b_plane, c_row, c_plane, last;
    int accumulate;
} K(complex_block);

/* rows, vectors: constants at every call; next: what is read next, or NULL. Gives which lanes hold
 * a value that is not finite. */
KERNEL_INLINE MASK K(complex_tile)(const int rows, const int vectors, const K(complex_block) * o,
                                   const T *a, const T *b, T *c, const char *next) {
    VT re[VEC_COMPLEX_MAX_ROWS][VEC_COMPLEX_VECTORS], im[VEC_COMPLEX_MAX_ROWS][VEC_COMPLEX_VECTORS];
    const int64_t a_row = o->a_row, a_plane = o->a_plane, b_plane = o->b_plane, last = o->last;
    KERNEL_UNROLL
    for (int i = 0; i < rows; i++) {
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            re[i][j] = im[i][j] = V(set1)(0);
            if (o->accumulate) {
                const T *from = c + i * o->c_row + j * LANES;
                const int whole = j < vectors - 1 || last == LANES;
                re[i][j] = whole ? V(load)(from) : V(load_part)(from, last);
                from += o->c_plane;
                im[i][j] = whole ? V(load)(from) : V(load_part)(from, last);
            }
        }
    }
    for (int64_t p = 0; p < o->depth; p++, a += o->a_step, b += o->b_step) {
        VT b_re[VEC_COMPLEX_VECTORS], b_im[VEC_COMPLEX_VECTORS];
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            b_re[j] = V(load)(b + j * LANES);
            b_im[j] = V(load)(b + b_plane + j * LANES);
        }
        if (next != NULL) {
            const size_t bytes = 2 * (size_t)vectors * sizeof(VT);
            for (size_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(next + byte, 0, 2);
            next += bytes;
        }
        KERNEL_UNROLL
        for (int i = 0; i < rows; i++) {
            const VT a_re = V(set1)(a[i * a_row]), a_im = V(set1)(a[i * a_row + a_plane]);
            KERNEL_UNROLL
            for (int j = 0; j < vectors; j++) {
                re[i][j] = V(fma)(a_re, b_re[j], re[i][j]);
                im[i][j] = V(fma)(a_im, b_re[j], im[i][j]);
                re[i][j] = V(fnma)(a_im, b_im[j], re[i][j]);
                im[i][j] = V(fma)(a_re, b_im[j], im[i][j]);
            }
        }
    }
    const VT limit = V(set1)((T)INFINITY);
    MASK bad = V(less)(limit, limit); /* none */
    KERNEL_UNROLL
    for (int i = 0; i < rows; i++) {
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            T *to = c + i * o->c_row + j * LANES;
            if (j < vectors - 1 || last == LANES) {
                V(store)(to, re[i][j]);
                V(store)(to + o->c_plane, im[i][j]);
            } else {
                V(store_part)(to, re[i][j], last);
                V(store_part)(to + o->c_plane, im[i][j], last);
            }
            bad = V(mask_or)(bad, V(mask_not)(V(less)(V(abs)(re[i][j]), limit)));
            bad = V(mask_or)(bad, V(mask_not)(V(less)(V(abs)(im[i][j]), limit)));
        }
    }
    return bad;
}

/* The tile of these sizes: one specialisation for each line of VEC_COMPLEX_TILES. */
KERNEL_INLINE int K(complex_tile_any)(int rows, int vectors, const K(complex_block) * o, const T *a,
                                      const T *b, T *c, const char *next) {
    switch (vectors * 16 + rows) {
#define TILE_CASE(r, v) \
    case (v)*16 + (r):  \
        return V(any)(K(complex_tile)(r, v, o, a, b, c, next));
        VEC_COMPLEX_TILES(TILE_CASE)
#undef TILE_CASE
        default:
            return 0;
    }
}

/* The columns of one panel against all rows. Gives whether a value is not finite. */
static int K(complex_panel)(int64_t m, int vectors, const K(complex_block) * o, const T *a,
                            const T *b, T *c, const char *next) {
    static const int max_rows[] = VEC_COMPLEX_ROWS;
    const int64_t n_tiles = (m + max_rows[vectors] - 1) / max_rows[vectors];
    int64_t row = 0;
    int bad = 0;
    for (int64_t tile = 0; tile < n_tiles; tile++) {
        const int rows = (int)((m - row + n_tiles - tile - 1) / (n_tiles - tile));
        bad |=
            K(complex_tile_any)(rows, vectors, o, a + row * o->a_row, b, c + row * o->c_row, next);
        row += rows;
        next = NULL; /* it was fetched */
    }
    return bad;
}

static int K(gemm_complex)(int64_t m, int64_t n, int64_t k, const mpno_planes *a,
                           const mpno_planes *b, const mpno_planes *c, int accumulate) {
    _Alignas(64) T room[2 * COMPLEX_DEPTH * VEC_COMPLEX_VECTORS * LANES];
    const int64_t n_vectors = (n + LANES - 1) / LANES;
    const int most = m <= COMPLEX_FEW_ROWS ? VEC_COMPLEX_VECTORS : 2;
    const char *next = b->next;
    int bad = 0;
    if (m <= 0) return 0;
    for (int64_t p = 0; p < k || p == 0; p += COMPLEX_DEPTH) {
        bad = 0; /* what counts is the end of the chains */
        for (int64_t vector = 0; vector < n_vectors; vector += most) {
            const int64_t left = n_vectors - vector, column = vector * LANES;
            const int vectors = (int)(left < most ? left : most);
            const int64_t rest = n - column - (vectors - 1) * LANES;
            const T *from = (const T *)b->data + p * b->row + column;
            K(complex_block)
            o = {.depth = k - p < COMPLEX_DEPTH ? k - p : COMPLEX_DEPTH,
                 .a_row = a->row,
                 .a_step = a->step,
                 .a_plane = a->plane,
                 .b_step = b->row,
                 .b_plane = b->plane,
                 .c_row = c->row,
                 .c_plane = c->plane,
                 .last = rest < LANES ? rest : LANES,
                 .accumulate = accumulate || p > 0};
            if (o.last < LANES) {
                o.b_step = vectors * LANES, o.b_plane = COMPLEX_DEPTH * o.b_step;
                K(pack_panel)(room, from, b->row, o.depth, vectors, o.last);
                K(pack_panel)(room + o.b_plane, from + b->plane, b->row, o.depth, vectors, o.last);
                from = room;
            }
            bad |= K(complex_panel)(m, vectors, &o, (const T *)a->data + p * a->step, from,
                                    (T *)c->data + column, next);
            if (next != NULL) next += (size_t)(2 * o.depth * vectors * LANES) * sizeof(T);
        }
    }
    return bad;
}
