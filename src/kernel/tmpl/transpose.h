/* SPDX-License-Identifier: MIT
 * transpose: dst[cols][rows] = src[rows][cols]^T, moved, not rounded. Blocks of LANES x LANES turn
 * in registers: of n rows, interleaving row i with row i + n / 2 sends the element at (row,
 * column), as one number, to (row, column) rotated by one bit; so log2 n times make the transpose.
 * Parameters: kernels_f32.h. */

/* One block. Of the source `rows` rows and `cols` columns are read, the same of dst written. */
KERNEL_INLINE void K(transpose_block)(T *dst, int64_t dst_ld, const T *src, int64_t src_ld,
                                      int64_t rows, int64_t cols) {
    enum { HALF = LANES / 2 };
    VT row[LANES], next[LANES];
    if (rows == LANES && cols == LANES) {
        KERNEL_UNROLL
        for (int i = 0; i < HALF; i++) {
            row[i] = V(load)(src + i * src_ld);
            row[i + HALF] = V(load)(src + (i + HALF) * src_ld);
        }
    } else {
        KERNEL_UNROLL
        for (int i = 0; i < HALF; i++) {
            const int j = i + HALF;
            row[i] = i < rows ? V(load_part)(src + i * src_ld, cols) : V(set1)(0);
            row[j] = j < rows ? V(load_part)(src + j * src_ld, cols) : V(set1)(0);
        }
    }
    KERNEL_UNROLL
    for (int bit = 1; bit < LANES; bit *= 2) {
        KERNEL_UNROLL
        for (int i = 0; i < HALF; i++) {
            next[2 * i] = V(zip_low)(row[i], row[i + HALF]);
            next[2 * i + 1] = V(zip_high)(row[i], row[i + HALF]);
        }
        KERNEL_UNROLL
        for (int i = 0; i < HALF; i++) {
            row[2 * i] = next[2 * i];
            row[2 * i + 1] = next[2 * i + 1];
        }
    }
    if (rows == LANES && cols == LANES) {
        KERNEL_UNROLL
        for (int i = 0; i < HALF; i++) {
            V(store)(dst + i * dst_ld, row[i]);
            V(store)(dst + (i + HALF) * dst_ld, row[i + HALF]);
        }
    } else {
        KERNEL_UNROLL
        for (int i = 0; i < HALF; i++) {
            const int j = i + HALF;
            if (i < cols) V(store_part)(dst + i * dst_ld, row[i], rows);
            if (j < cols) V(store_part)(dst + j * dst_ld, row[j], rows);
        }
    }
}

static void K(transpose)(void *dst_, int64_t dst_ld, const void *src_, int64_t src_ld, int64_t rows,
                         int64_t cols) {
    const T *src = src_;
    T *dst = dst_;
    for (int64_t r = 0; r < rows; r += LANES) { /* whole rows: the source may come from memory */
        const int64_t high = rows - r < LANES ? rows - r : LANES;
        for (int64_t c = 0; c < cols; c += LANES) {
            const int64_t wide = cols - c < LANES ? cols - c : LANES;
            T *to = dst + c * dst_ld + r;
            const T *from = src + r * src_ld + c;
            if (high == LANES && wide == LANES) {
                K(transpose_block)(to, dst_ld, from, src_ld, LANES, LANES);
            } else {
                K(transpose_block)(to, dst_ld, from, src_ld, high, wide);
            }
        }
    }
}
