/* SPDX-License-Identifier: MIT
 * bf16 products (kernel/bf16_kernels.h) for CPUs that multiply pairs of bf16: AMX and AVX512-BF16.
 * Operands are rounded into tiles of 16 rows x 32 bf16, 1 KiB without gaps:
 *   left tiles   rows of A, 32 terms of the inner index each;
 *   right tiles  16 pairs of rows of B, a pair of 16 columns interleaved: row p holds
 *                b[2p][0], b[2p + 1][0], b[2p][1], ..
 * padded with 0. An operand is a sequence of strips (16 rows of A or 16 columns of B), each the
 * tiles of the whole inner index in order. A packed B is that too.
 * Blocks of 2 x 2 strips are multiplied in registers.
 * Parameters, which stand before the include: begin_products() makes a thread ready;
 * multiply_block(rows, cols, block) does the block for 1 or 2 strips of each operand. */
#include <stdbool.h>
#include <string.h>

enum {
    SIDE = 16,           /* rows of a tile; columns of a right tile */
    DEPTH = 32,          /* terms of a tile */
    TILE = SIDE * DEPTH, /* elements */
    LEFT_ROWS = 64,      /* of gemm: the part of A on the stack */
    LEFT_TERMS = 256,
    TN_ROWS = 128, /* of gemm_tn: the parts of A and B on the stack */
    TN_COLS = 256
};

static inline int64_t at_most(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t tiles_of(int64_t n, int64_t size) {
    return (n + size - 1) / size;
}

static inline __mmask16 first_lanes(int64_t n) {
    return n >= 16 ? (__mmask16)0xffff : n <= 0 ? (__mmask16)0 : (__mmask16)((1u << n) - 1u);
}

/* A strip of left tiles from rows x depth of A. */
static void round_strip(uint16_t *strip, const float *a, int64_t lda, int64_t rows, int64_t depth) {
    for (int64_t t = 0; t < tiles_of(depth, DEPTH); t++, strip += TILE) {
        const int64_t left = depth - t * DEPTH;
        const __mmask16 low = first_lanes(left), high = first_lanes(left - 16);
        const float *from = a + t * DEPTH;
        for (int64_t i = 0; i < rows; i++, from += lda) {
            const __m512 x = _mm512_maskz_loadu_ps(low, from);
            const __m512 y = _mm512_maskz_loadu_ps(high, from + 16);
            _mm512_store_si512(strip + i * DEPTH, (__m512i)_mm512_cvtne2ps_pbh(y, x));
        }
        if (rows < SIDE)
            memset(strip + rows * DEPTH, 0, (size_t)((SIDE - rows) * DEPTH) * sizeof *strip);
    }
}

/* Row p of a right tile from rows 2p and 2p + 1 of B; rows and cols: what is left of B. */
static inline __m512i pair_rows(const float *b, int64_t ldb, int64_t p, int64_t rows,
                                __mmask16 cols) {
    const __m512i interleave =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512 x = _mm512_maskz_loadu_ps(2 * p < rows ? cols : 0, b + 2 * p * ldb);
    const __m512 y = _mm512_maskz_loadu_ps(2 * p + 1 < rows ? cols : 0, b + (2 * p + 1) * ldb);
    return _mm512_permutexvar_epi16(interleave, (__m512i)_mm512_cvtne2ps_pbh(y, x));
}

/* A strip of right tiles from depth x cols of B. */
static void pair_strip(uint16_t *strip, const float *b, int64_t ldb, int64_t depth, int64_t cols) {
    const __mmask16 lanes = first_lanes(cols);
    for (int64_t t = 0; t < tiles_of(depth, DEPTH); t++, strip += TILE, b += DEPTH * ldb)
        for (int64_t p = 0; p < SIDE; p++)
            _mm512_store_si512(strip + p * DEPTH, pair_rows(b, ldb, p, depth - t * DEPTH, lanes));
}

/* Transposes 16 x 16 words of 32 bits. */
static inline void transpose_words(__m512i r[16]) {
    __m512i s[16];
    for (int i = 0; i < 16; i += 2) {
        s[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        s[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(s[i], s[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(s[i], s[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(s[i + 1], s[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(s[i + 1], s[i + 3]);
    }
    for (int i = 0; i < 16; i += 8)
        for (int j = i; j < i + 4; j++) {
            s[j] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0x88);
            s[j + 4] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0xdd);
        }
    for (int j = 0; j < 8; j++) {
        r[j] = _mm512_shuffle_i32x4(s[j], s[j + 8], 0x88);
        r[j + 8] = _mm512_shuffle_i32x4(s[j], s[j + 8], 0xdd);
    }
}

/* A strip of left tiles from the transpose of depth x cols of A: pairs of rows of A, turned. */
static void turn_strip(uint16_t *strip, const float *a, int64_t lda, int64_t depth, int64_t cols) {
    const __mmask16 lanes = first_lanes(cols);
    for (int64_t t = 0; t < tiles_of(depth, DEPTH); t++, strip += TILE, a += DEPTH * lda) {
        __m512i words[16];
        for (int p = 0; p < SIDE; p++) words[p] = pair_rows(a, lda, p, depth - t * DEPTH, lanes);
        transpose_words(words);
        for (int p = 0; p < SIDE; p++) _mm512_store_si512(strip + p * DEPTH, words[p]);
    }
}

/* to = from + add, rows x cols of at most 32; ld_add 0: the same row everywhere. */
static void add_block(float *to, int64_t ld_to, const float *from, int64_t ld_from,
                      const float *add, int64_t ld_add, int64_t rows, int64_t cols) {
    const __mmask16 low = first_lanes(cols), high = first_lanes(cols - 16);
    for (int64_t i = 0; i < rows; i++, to += ld_to, from += ld_from) {
        __m512 x = _mm512_maskz_loadu_ps(low, from), y = _mm512_maskz_loadu_ps(high, from + 16);
        if (add != NULL) {
            const float *at = add + i * ld_add;
            x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(low, at));
            y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(high, at + 16));
        }
        _mm512_mask_storeu_ps(to, low, x);
        _mm512_mask_storeu_ps(to + 16, high, y);
    }
}

/* A block of at most 2 x 2 strips: C = A B + add. add: NULL, C itself, or a row (ld_add 0). It is
 * added afterwards: loading sums into tiles takes longer. By way of a whole block on the stack at
 * the edges of C and where C is added to. */
static void block_of(int64_t rows, int64_t cols, bf16_block block, const float *add,
                     int64_t ld_add) {
    _Alignas(64) float whole[2 * SIDE * 2 * SIDE];
    const bool direct = rows == 2 * SIDE && cols == 2 * SIDE && ld_add == 0;
    float *c = block.c;
    const int64_t ldc = block.ldc;
    if (!direct) {
        block.c = whole;
        block.ldc = 2 * SIDE;
    }
    if (rows > SIDE && cols > SIDE) {
        multiply_block(2, 2, &block);
    } else if (rows > SIDE) {
        multiply_block(2, 1, &block);
    } else if (cols > SIDE) {
        multiply_block(1, 2, &block);
    } else {
        multiply_block(1, 1, &block);
    }
    if (!direct || add != NULL) add_block(c, ldc, block.c, block.ldc, add, ld_add, rows, cols);
}

static void pack(void *packed, int64_t n, int64_t k, const float *b, int64_t ldb) {
    const int64_t strip = tiles_of(k, DEPTH) * TILE;
    for (int64_t j = 0; j < n; j += SIDE)
        pair_strip((uint16_t *)packed + j / SIDE * strip, b + j, ldb, k, at_most(n - j, SIDE));
}

/* Operands on the stack are rounded as a whole before the first product: a tile that was just
 * written is not ready to be loaded. */
static void gemm(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const void *packed,
                 const float *bias, float *c, int64_t ldc) {
    _Alignas(64) uint16_t left[LEFT_ROWS * LEFT_TERMS];
    const int64_t strip = tiles_of(k, DEPTH) * TILE;
    begin_products();
    for (int64_t r = 0; r < m; r += LEFT_ROWS)
        for (int64_t p = 0; p == 0 || p < k; p += LEFT_TERMS) {
            const int64_t rows = at_most(m - r, LEFT_ROWS), terms = at_most(k - p, LEFT_TERMS);
            const int64_t left_strip = tiles_of(terms, DEPTH) * TILE;
            for (int64_t i = 0; i < rows; i += SIDE)
                round_strip(left + i / SIDE * left_strip, a + (r + i) * lda + p, lda,
                            at_most(rows - i, SIDE), terms);
            for (int64_t i = 0; i < rows; i += 2 * SIDE)
                for (int64_t j = 0; j < n; j += 2 * SIDE) {
                    float *to = c + (r + i) * ldc + j;
                    const float *add = bias != NULL ? bias + j : NULL;
                    block_of(
                        at_most(rows - i, 2 * SIDE), at_most(n - j, 2 * SIDE),
                        (bf16_block){.a = left + i / SIDE * left_strip,
                                     .a_strip = left_strip,
                                     .b = (const uint16_t *)packed + j / SIDE * strip + p * SIDE,
                                     .b_strip = strip,
                                     .depth = tiles_of(terms, DEPTH),
                                     .c = to,
                                     .ldc = ldc},
                        p > 0 ? to : add, p > 0 ? ldc : 0);
                }
        }
}

/* C[height][width] += A^T B for rows <= TN_ROWS, height and width <= TN_COLS. */
static void gemm_tn_part(int64_t rows, int64_t width, int64_t height, const float *a, int64_t lda,
                         const float *b, int64_t ldb, float *c, int64_t ldc) {
    _Alignas(64) uint16_t right[TN_COLS * TN_ROWS], left[TN_COLS * TN_ROWS];
    const int64_t depth = tiles_of(rows, DEPTH), strip = depth * TILE;
    for (int64_t i = 0; i < height; i += SIDE)
        turn_strip(left + i / SIDE * strip, a + i, lda, rows, at_most(height - i, SIDE));
    for (int64_t j = 0; j < width; j += SIDE)
        pair_strip(right + j / SIDE * strip, b + j, ldb, rows, at_most(width - j, SIDE));
    for (int64_t i = 0; i < height; i += 2 * SIDE)
        for (int64_t j = 0; j < width; j += 2 * SIDE) {
            float *to = c + i * ldc + j;
            block_of(at_most(height - i, 2 * SIDE), at_most(width - j, 2 * SIDE),
                     (bf16_block){left + i / SIDE * strip, strip, right + j / SIDE * strip, strip,
                                  depth, to, ldc},
                     to, ldc);
        }
}

static void gemm_tn(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
                    int64_t ldb, float *c, int64_t ldc) {
    begin_products();
    for (int64_t r = 0; r < m; r += TN_ROWS)
        for (int64_t i = 0; i < k; i += TN_COLS)
            for (int64_t j = 0; j < n; j += TN_COLS)
                gemm_tn_part(at_most(m - r, TN_ROWS), at_most(n - j, TN_COLS),
                             at_most(k - i, TN_COLS), a + r * lda + i, lda, b + r * ldb + j, ldb,
                             c + i * ldc + j, ldc);
}
