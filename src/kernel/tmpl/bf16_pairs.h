/* SPDX-License-Identifier: MIT
 * bf16 products (kernel/bf16_kernels.h) for CPUs that multiply pairs of bf16: AMX and AVX512-BF16.
 * Operands are rounded into tiles of 16 rows x 32 bf16, 1 KiB without gaps:
 *   left tiles   rows of A, 32 terms of the inner index each;
 *   right tiles  16 pairs of rows of B, a pair of 16 columns interleaved: row p holds
 *                b[2p][0], b[2p + 1][0], b[2p][1], ..
 * padded with 0. An operand is a sequence of strips (16 rows of A or 16 columns of B), each the
 * tiles of the whole inner index in order. A packed B is that too.
 * Blocks of up to 2 x 4 strips are multiplied at once.
 * Parameters, which stand before the include: begin_products() makes a thread ready;
 * multiply_block(rows, block) does the block for 1 or 2 strips of A; TAKES_START: its sums may
 * begin with what is added; TAKES_PART: C may have any number of columns. */
#include <stdbool.h>
#include <string.h>

enum {
    SIDE = 16,           /* rows of a tile; columns of a right tile */
    DEPTH = 32,          /* terms of a tile */
    TILE = SIDE * DEPTH, /* elements */
    BLOCK_ROWS = 32,     /* of C, at most */
    BLOCK_COLS = 64,
    LEFT_ROWS = 64, /* of gemm: the part of A on the stack */
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

/* Rows of a left tile from those of A, of which low and high lanes are left. */
KERNEL_INLINE void round_rows(uint16_t *tile, const float *a, int64_t lda, int64_t rows,
                              __mmask16 low, __mmask16 high) {
    for (int64_t i = 0; i < rows; i++, a += lda) {
        const __m512 x = _mm512_maskz_loadu_ps(low, a), y = _mm512_maskz_loadu_ps(high, a + 16);
        _mm512_store_si512(tile + i * DEPTH, (__m512i)_mm512_cvtne2ps_pbh(y, x));
    }
}

/* A strip of left tiles from rows x depth of A. */
static void round_strip(uint16_t *strip, const float *a, int64_t lda, int64_t rows, int64_t depth) {
    for (; depth > 0; depth -= DEPTH, strip += TILE, a += DEPTH) {
        if (rows == SIDE && depth >= DEPTH) {
            round_rows(strip, a, lda, SIDE, 0xffff, 0xffff);
            continue;
        }
        round_rows(strip, a, lda, rows, first_lanes(depth), first_lanes(depth - 16));
        memset(strip + rows * DEPTH, 0, (size_t)((SIDE - rows) * DEPTH) * sizeof *strip);
    }
}

/* Row p of a right tile from rows 2p and 2p + 1 of B; whole: of a tile that B fills, else rows and
 * cols are what is left of B. */
KERNEL_INLINE __m512i pair_rows(const bool whole, const float *b, int64_t ldb, int64_t p,
                                int64_t rows, __mmask16 cols) {
    const __m512i interleave =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __mmask16 all = 0xffff, none = 0;
    const __mmask16 even = whole          ? all
                           : 2 * p < rows ? cols
                                          : none,
                    odd = whole              ? all
                          : 2 * p + 1 < rows ? cols
                                             : none;
    const __m512 x = _mm512_maskz_loadu_ps(even, b + 2 * p * ldb);
    const __m512 y = _mm512_maskz_loadu_ps(odd, b + (2 * p + 1) * ldb);
    return _mm512_permutexvar_epi16(interleave, (__m512i)_mm512_cvtne2ps_pbh(y, x));
}

/* A right tile from rows x cols of B. */
KERNEL_INLINE void pair_tile(const bool whole, uint16_t *tile, const float *b, int64_t ldb,
                             int64_t rows, __mmask16 cols) {
    for (int p = 0; p < SIDE; p++)
        _mm512_store_si512(tile + p * DEPTH, pair_rows(whole, b, ldb, p, rows, cols));
}

/* A strip of right tiles from depth x cols of B. */
static void pair_strip(uint16_t *strip, const float *b, int64_t ldb, int64_t depth, int64_t cols) {
    for (; depth > 0; depth -= DEPTH, strip += TILE, b += DEPTH * ldb)
        if (depth >= DEPTH && cols >= SIDE) {
            pair_tile(true, strip, b, ldb, DEPTH, 0xffff);
        } else {
            pair_tile(false, strip, b, ldb, depth, first_lanes(cols));
        }
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

/* A left tile from the transpose of rows x cols of A: pairs of rows of A, turned. */
KERNEL_INLINE void turn_tile(const bool whole, uint16_t *tile, const float *a, int64_t lda,
                             int64_t rows, __mmask16 cols) {
    __m512i words[16];
    for (int p = 0; p < SIDE; p++) words[p] = pair_rows(whole, a, lda, p, rows, cols);
    transpose_words(words);
    for (int p = 0; p < SIDE; p++) _mm512_store_si512(tile + p * DEPTH, words[p]);
}

/* A strip of left tiles from the transpose of depth x cols of A. */
static void turn_strip(uint16_t *strip, const float *a, int64_t lda, int64_t depth, int64_t cols) {
    for (; depth > 0; depth -= DEPTH, strip += TILE, a += DEPTH * lda)
        if (depth >= DEPTH && cols >= SIDE) {
            turn_tile(true, strip, a, lda, DEPTH, 0xffff);
        } else {
            turn_tile(false, strip, a, lda, depth, first_lanes(cols));
        }
}

/* What is left to do for a block of sums: to = from + add, rows x cols; add: a row (ld_add 0)
 * or `to` itself. */
typedef struct waiting_block {
    int64_t rows, cols;
    float *to;
    int64_t ld_to;
    const float *from;
    int64_t ld_from;
    const float *add;
    int64_t ld_add;
} waiting_block;

/* `vectors` of 16 columns, the last one of `last` lanes. */
KERNEL_INLINE void add_vectors(const int vectors, const __mmask16 last, const waiting_block *w) {
    float *to = w->to;
    const float *from = w->from, *add = w->add;
    for (int64_t i = 0; i < w->rows; i++, to += w->ld_to, from += w->ld_from, add += w->ld_add) {
        KERNEL_UNROLL
        for (int j = 0; j < vectors; j++) {
            const __mmask16 lanes = j + 1 < vectors ? (__mmask16)0xffff : last;
            const __m512 x = _mm512_maskz_loadu_ps(lanes, add + j * 16);
            _mm512_mask_storeu_ps(to + j * 16, lanes,
                                  _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, from + j * 16), x));
        }
    }
}

static void add_block(const waiting_block *w) {
    if (w->cols == BLOCK_COLS) {
        add_vectors(BLOCK_COLS / 16, 0xffff, w);
        return;
    }
    for (int64_t j = 0; j < w->cols; j += 16) {
        waiting_block strip = *w;
        strip.to += j;
        strip.from += j;
        strip.add += j;
        add_vectors(1, first_lanes(w->cols - j), &strip);
    }
}

/* Blocks are added while the next one is multiplied: sums that a tile register just stored are not
 * ready to be loaded, and loading them into tiles takes longer. */
typedef struct block_queue {
    _Alignas(64) float whole[2][BLOCK_ROWS * BLOCK_COLS]; /* sums by way of the stack, in turn */
    int turn;
    waiting_block waiting; /* rows 0: none */
} block_queue;

static inline void finish_block(block_queue *queue) {
    if (queue->waiting.rows > 0) add_block(&queue->waiting);
    queue->waiting.rows = 0;
}

/* C = A B + add for a block of at most BLOCK_ROWS x BLOCK_COLS; add: NULL, C itself, or a row
 * (ld_add 0). By way of the stack at the edges of C and where C is added to. */
static void queue_block(block_queue *queue, int64_t rows, int64_t cols, bf16_block block,
                        const float *add, int64_t ld_add) {
    waiting_block next = {.rows = rows,
                          .cols = cols,
                          .to = block.c,
                          .ld_to = block.ldc,
                          .add = add,
                          .ld_add = ld_add};
    const bool whole = rows % SIDE == 0 && (TAKES_PART || cols % SIDE == 0),
               starts = TAKES_START && whole;
    const bool direct = whole && (starts || ld_add == 0);
    block.cols = tiles_of(cols, SIDE);
    block.last = whole ? cols - (block.cols - 1) * SIDE : SIDE;
    if (starts) block.start = add, block.ld_start = ld_add;
    if (!direct) {
        queue->turn = !queue->turn;
        block.c = queue->whole[queue->turn];
        block.ldc = BLOCK_COLS;
    }
    static const float zeros[BLOCK_COLS];
    if (add == NULL) next.add = zeros; /* -0 becomes 0 */
    next.from = block.c;
    next.ld_from = block.ldc;
    if (rows > SIDE) {
        multiply_block(2, &block);
    } else {
        multiply_block(1, &block);
    }
    finish_block(queue);
    if (!starts && (!direct || add != NULL)) queue->waiting = next;
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
    block_queue queue;
    queue.turn = 0;
    queue.waiting.rows = 0;
    const int64_t strip = tiles_of(k, DEPTH) * TILE;
    begin_products();
    for (int64_t r = 0; r < m; r += LEFT_ROWS)
        for (int64_t p = 0; p == 0 || p < k; p += LEFT_TERMS) {
            const int64_t rows = at_most(m - r, LEFT_ROWS), terms = at_most(k - p, LEFT_TERMS);
            const int64_t left_strip = tiles_of(terms, DEPTH) * TILE;
            for (int64_t i = 0; i < rows; i += SIDE)
                round_strip(left + i / SIDE * left_strip, a + (r + i) * lda + p, lda,
                            at_most(rows - i, SIDE), terms);
            for (int64_t i = 0; i < rows; i += BLOCK_ROWS)
                for (int64_t j = 0; j < n; j += BLOCK_COLS) {
                    float *to = c + (r + i) * ldc + j;
                    const float *add = bias != NULL ? bias + j : NULL;
                    queue_block(
                        &queue, at_most(rows - i, BLOCK_ROWS), at_most(n - j, BLOCK_COLS),
                        (bf16_block){.a = left + i / SIDE * left_strip,
                                     .a_strip = left_strip,
                                     .b = (const uint16_t *)packed + j / SIDE * strip + p * SIDE,
                                     .b_strip = strip,
                                     .depth = tiles_of(terms, DEPTH),
                                     .pairs = tiles_of(terms, 2),
                                     .c = to,
                                     .ldc = ldc},
                        p > 0 ? to : add, p > 0 ? ldc : 0);
                }
            finish_block(&queue);
        }
}

/* C[height][width] += A^T B for rows <= TN_ROWS, height and width <= TN_COLS. */
static void gemm_tn_part(int64_t rows, int64_t width, int64_t height, const float *a, int64_t lda,
                         const float *b, int64_t ldb, float *c, int64_t ldc) {
    _Alignas(64) uint16_t right[TN_COLS * TN_ROWS], left[TN_COLS * TN_ROWS];
    const int64_t depth = tiles_of(rows, DEPTH), strip = depth * TILE;
    block_queue queue;
    queue.turn = 0;
    queue.waiting.rows = 0;
    for (int64_t i = 0; i < height; i += SIDE)
        turn_strip(left + i / SIDE * strip, a + i, lda, rows, at_most(height - i, SIDE));
    for (int64_t j = 0; j < width; j += SIDE)
        pair_strip(right + j / SIDE * strip, b + j, ldb, rows, at_most(width - j, SIDE));
    for (int64_t i = 0; i < height; i += BLOCK_ROWS)
        for (int64_t j = 0; j < width; j += BLOCK_COLS) {
            float *to = c + i * ldc + j;
            queue_block(&queue, at_most(height - i, BLOCK_ROWS), at_most(width - j, BLOCK_COLS),
                        (bf16_block){.a = left + i / SIDE * strip,
                                     .a_strip = strip,
                                     .b = right + j / SIDE * strip,
                                     .b_strip = strip,
                                     .depth = depth,
                                     .pairs = tiles_of(rows, 2),
                                     .c = to,
                                     .ldc = ldc},
                        to, ldc);
        }
    finish_block(&queue);
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
