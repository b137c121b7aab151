/* SPDX-License-Identifier: MIT
 * Products with one and a half vectors of columns (24 for AVX-512 f32), whose rows of C follow each
 * other without a gap: two rows are three whole vectors, the middle one the end of the first row
 * and the beginning of the second. A tile of single rows leaves half of every other vector empty, a
 * quarter of the multiply-adds. Each element is the chain of gemm.h.
 * Parameters: those of gemm.h; the verbs
 *   pair(a, b)   the lower half of a, the upper half of b;
 *   join(a, b)   the upper half of a, then the lower half of b. */

enum { K(PAIR_COLUMNS) = LANES + LANES / 2, K(MOST_PAIRS) = 8 };

/* `pairs` (a constant at every call) of rows; otherwise as K(tile). */
KERNEL_INLINE void K(pair_tile)(const int pairs, int64_t depth, const T *a, int64_t a_row,
                                int64_t a_step, const T *b, int64_t b_step, T *c, int accumulate,
                                const T *bias) {
    VT sum[K(MOST_PAIRS)][3];
    KERNEL_UNROLL
    for (int i = 0; i < pairs; i++) {
        KERNEL_UNROLL
        for (int j = 0; j < 3; j++)
            sum[i][j] = accumulate ? V(load)(c + (3 * i + j) * LANES) : V(set1)(0);
    }
    GEMM_UNROLL
    for (int64_t p = 0; p < depth; p++, a += a_step, b += b_step) {
        const VT left = V(load)(b), right = V(load)(b + LANES / 2), middle = V(join)(right, left);
        KERNEL_UNROLL
        for (int i = 0; i < pairs; i++) {
            const VT first = V(set1)(a[2 * i * a_row]), second = V(set1)(a[(2 * i + 1) * a_row]);
            sum[i][0] = V(fma)(first, left, sum[i][0]);
            sum[i][1] = V(fma)(V(pair)(first, second), middle, sum[i][1]);
            sum[i][2] = V(fma)(second, right, sum[i][2]);
        }
    }
    if (bias != NULL) {
        const VT left = V(load)(bias), right = V(load)(bias + LANES / 2),
                 middle = V(join)(right, left);
        KERNEL_UNROLL
        for (int i = 0; i < pairs; i++) {
            sum[i][0] = V(add)(sum[i][0], left);
            sum[i][1] = V(add)(sum[i][1], middle);
            sum[i][2] = V(add)(sum[i][2], right);
        }
    }
    KERNEL_UNROLL
    for (int i = 0; i < pairs; i++) {
        KERNEL_UNROLL
        for (int j = 0; j < 3; j++) V(store)(c + (3 * i + j) * LANES, sum[i][j]);
    }
}

KERNEL_INLINE void K(pair_tile_any)(int pairs, int64_t depth, const T *a, int64_t a_row,
                                    int64_t a_step, const T *b, int64_t b_step, T *c,
                                    int accumulate, const T *bias) {
    switch (pairs) {
#define PAIR_CASE(n)                                                              \
    case n:                                                                       \
        K(pair_tile)(n, depth, a, a_row, a_step, b, b_step, c, accumulate, bias); \
        break;
        PAIR_CASE(1)
        PAIR_CASE(2)
        PAIR_CASE(3)
        PAIR_CASE(4)
        PAIR_CASE(5)
        PAIR_CASE(6)
        PAIR_CASE(7)
        PAIR_CASE(8)
#undef PAIR_CASE
        default:
            break;
    }
}

/* K(multiply) for the first m rows, m even. */
static void K(multiply_pairs)(int64_t m, int64_t depth, const T *a, int64_t a_row, int64_t a_step,
                              const T *b, int64_t b_step, T *c, int accumulate, const T *bias) {
    const int64_t pairs = m / 2, n_tiles = (pairs + K(MOST_PAIRS) - 1) / K(MOST_PAIRS);
    for (int64_t p = 0; p < depth || p == 0; p += GEMM_DEPTH) {
        const int64_t block = depth - p < GEMM_DEPTH ? depth - p : GEMM_DEPTH;
        for (int64_t tile = 0, done = 0; tile < n_tiles; tile++) {
            const int64_t count = (pairs - done + n_tiles - tile - 1) / (n_tiles - tile);
            K(pair_tile_any)
            ((int)count, block, a + 2 * done * a_row + p * a_step, a_row, a_step, b + p * b_step,
             b_step, c + 2 * done * K(PAIR_COLUMNS), accumulate || p > 0,
             p + block == depth ? bias : NULL);
            done += count;
        }
    }
}
