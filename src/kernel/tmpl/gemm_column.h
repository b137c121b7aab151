/* SPDX-License-Identifier: MIT
 * Products with one column: a vector holds LANES rows of the result, for which blocks of A turn in
 * registers. A tile of gemm.h would use one element of each vector. Each element is the chain of
 * gemm.h. Parameters: those of gemm.h and transpose.h. */

/* c[i] (+)= sum over p < depth of a[i][p] b[p b_step] (+ *bias) for i < m, m a multiple of LANES.
 */
static void K(multiply_column)(int64_t m, int64_t depth, const T *a, int64_t lda, const T *b,
                               int64_t b_step, T *c, int64_t ldc, int accumulate, const T *bias) {
    _Alignas(64) T turned[LANES * LANES], column[LANES];
    for (int64_t row = 0; row < m; row += LANES, a += LANES * lda, c += LANES * ldc) {
        VT sum = V(set1)(0);
        if (accumulate) {
            for (int64_t i = 0; i < LANES; i++) column[i] = c[i * ldc];
            sum = V(load)(column);
        }
        for (int64_t p = 0; p < depth; p += LANES) {
            const int64_t terms = depth - p < LANES ? depth - p : LANES;
            if (terms == LANES) {
                K(transpose_block)(turned, LANES, a + p, lda, LANES, LANES);
            } else {
                K(transpose_block)(turned, LANES, a + p, lda, LANES, terms);
            }
            for (int64_t i = 0; i < terms; i++)
                sum = V(fma)(V(load)(turned + i * LANES), V(set1)(b[(p + i) * b_step]), sum);
        }
        if (bias != NULL) sum = V(add)(sum, V(set1)(*bias));
        if (ldc == 1) {
            V(store)(c, sum);
        } else {
            V(store)(column, sum);
            for (int64_t i = 0; i < LANES; i++) c[i * ldc] = column[i];
        }
    }
}
