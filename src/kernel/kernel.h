/* SPDX-License-Identifier: MIT
 * Table of inner loops, one per (ISA, arithmetic type T in {f32, f64}). Kernels are pure: no allocation, no I/O,
 * no status. From `transform` up the ladder only these functions dereference tensor data. Matrices are row-major with a
 * leading dimension in elements; "rows x channels" blocks are contiguous. Buffers of type T are 64-byte aligned at their
 * start unless said; destination and source may be the same pointer in elementwise kernels, nowhere else.
 * Every kernel of kernels.def is checked against kernel/ref (plain C, f64 sums, never tuned). */
#ifndef MPNO_KERNEL_KERNEL_H
#define MPNO_KERNEL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/cpu.h"
#include "mpno/format.h"

/* A complex matrix as two planes of real numbers: element (i, j) stands at i row + j step, its
 * imaginary part `plane` behind its real one (a negative one: before it). Where the planes of a
 * matrix Z change roles one reads and writes i conj(Z), so that one product serves for all:
 * of A and C exchanged C = A conj(B), of B and C exchanged C = conj(A) B.
 * next: of B, as many bytes as B has, without gaps, that will be read next and are fetched into the cache meanwhile; or
 * NULL. */
typedef struct mpno_planes {
    void *data;
    int64_t row, step, plane;
    const void *next;
} mpno_planes;

#define MPNO_LINE_GROUP 12 /* frequencies that line_take holds at a time */
#define MPNO_LINE_FOURS 3  /* fours and pairs of samples that line_give holds */
#define MPNO_LINE_PAIRS 6

/* The samples of a line, or of a part of one, in fours h, N/2 - h, N/2 + h, N - h or in pairs about a centre. Row i of every
 * even one is behind its first, of every odd one before it. Its columns are [2][keep][channels], cosines before sines. */
typedef struct mpno_folded_line {
    int ways;             /* 4 or 2 */
    int quarter;          /* fours: N/4 and 3N/4 follow, where row 0 and row 3 would go on */
    int64_t rows;         /* fours or pairs */
    int64_t keep;         /* frequencies */
    int64_t channels;
    int64_t cosine_rows, sine_rows; /* of the table of line_take, which may have more than are used */
    void *row[4];         /* first rows */
    void *alone[2];       /* fours: the samples 0 and N/2; pairs: that of the centre and NULL, or both NULL */
} mpno_folded_line;

typedef struct mpno_kernels {
    mpno_format arithmetic; /* T */
    mpno_isa isa;

    /* dst[n] of T <- src[n] of `format`. src has the alignment of its element only. */
    void (*load)(void *dst, const void *src, mpno_format format, int64_t n);
    /* dst[n] of `format` <- src[n] of T, to nearest even. Returns 1 when a stored value is not finite, else 0. */
    int (*store)(void *dst, mpno_format format, const void *src, int64_t n);

    /* C[m][n] = A[m][k] B[k][n] (+ C when accumulate). All of type T. */
    void (*gemm)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb,
                 void *c, int64_t ldc, int accumulate);
    /* C[k][n] += A[m][k]^T B[m][n]: weight gradients. */
    void (*gemm_tn)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb,
                    void *c, int64_t ldc);

    /* C[m][n] = A[m][k] B[k][n] (+ C when accumulate), complex; columns of B and C are neighbours
     * (step is 1 and not looked at). Returns 1 when an element of C is not finite, else 0. */
    int (*gemm_complex)(int64_t m, int64_t n, int64_t k, const mpno_planes *a, const mpno_planes *b,
                        const mpno_planes *c, int accumulate);
    /* C[m][n] = A[m][n] B[m][n] (+ C when accumulate), element by element, complex; step is 1 and not looked at. C may be
     * A or B. */
    void (*multiply_complex)(int64_t m, int64_t n, const mpno_planes *a, const mpno_planes *b, const mpno_planes *c,
                             int accumulate);
    /* dst[cols][rows] = src[rows][cols]^T, leading dimensions as in gemm. */
    void (*transpose)(void *dst, int64_t ld_dst, const void *src, int64_t ld_src, int64_t rows, int64_t cols);

    /* The same products with a B that many of them share: pack lays B[k][n] out in at most
     * mpno_packed_count(n, k) elements, in an order that is the table's own; gemm_packed gives
     * C[m][n] = A B (+ bias[n] in every row, unless NULL), bitwise gemm followed by an addition. */
    void (*pack)(void *packed, int64_t n, int64_t k, const void *b, int64_t ldb);
    void (*gemm_packed)(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *packed,
                        const void *bias, void *c, int64_t ldc);

    /* Elementwise, n values. GELU is the exact (erf) form x/2 (1 + erf(x/sqrt 2)). */
    void (*gelu)(void *dst, const void *x, int64_t n);
    void (*gelu_grad)(void *dst, const void *x, const void *dy, int64_t n); /* dy * gelu'(x) */
    void (*tanh)(void *dst, const void *x, int64_t n);
    void (*tanh_grad)(void *dst, const void *x, const void *dy, int64_t n); /* dy * (1 - tanh(x)^2) */
    void (*add)(void *dst, const void *a, const void *b, int64_t n);
    void (*negate)(void *dst, const void *x, int64_t n);

    /* rows x channels with one number per channel. NULL scale means 1, NULL shift means 0. */
    void (*channel_affine)(void *dst, const void *x, const void *scale, const void *shift, int64_t rows, int64_t channels);
    /* dst = p[c] x + q[c] y + r[c] */
    void (*channel_combine)(void *dst, const void *x, const void *p, const void *y, const void *q, const void *r,
                            int64_t rows, int64_t channels);
    /* The same of operands as they are stored, in the type of arithmetic, f16 or bf16 (of two not
     * one in each of the last), bitwise load and then the kernel. dst may be an operand of the type
     * of arithmetic. */
    void (*add_stored)(void *dst, const void *a, mpno_format a_format, const void *b,
                       mpno_format b_format, int64_t n);
    void (*affine_stored)(void *dst, const void *x, mpno_format format, const void *scale,
                          const void *shift, int64_t rows, int64_t channels);
    void (*combine_stored)(void *dst, const void *x, mpno_format x_format, const void *p,
                           const void *y, mpno_format y_format, const void *q, const void *r,
                           int64_t rows, int64_t channels);

    /* Columns = sums of the samples of a line times a table of cosines and of sines, each frequency's from its own row:
     *   for cosines, then for sines without frequency 0: for every group of MPNO_LINE_GROUP frequencies (the last may be
     *   smaller and is padded to an even number) [rows][frequencies], rows: alone (cosines only), fours or pairs, quarter.
     * In fours, where the cosine of N/4 is not 0 its frequency is even, and where the sine is not, odd. The sine of frequency 0
     * becomes 0. Does not write to the samples. */
    void (*line_take)(const mpno_folded_line *line, const void *table, void *columns);
    /* The transpose: the samples from columns. Table: alone [keep][2], cosine and sine (which counts as 0), for every block of
     * MPNO_LINE_FOURS or MPNO_LINE_PAIRS rows (the last one padded) [keep][rows of the block][2], quarter [keep][2]. */
    void (*line_give)(const mpno_folded_line *line, const void *table, const void *columns);
    /* dst[2][rows][channels] = src factor (+ dst when accumulate), complex: factors[rows][2], conjugated or not. dst may be
     * src. */
    void (*rotate)(void *dst, const void *src, const void *factors, int conjugate, int accumulate, int64_t rows,
                   int64_t channels);

    /* Sums over rows, added to acc (f64, one or two per channel), in row order. */
    void (*sum_rows)(double *acc, const void *x, int64_t rows, int64_t channels);                  /* acc[c] += sum x */
    void (*dot_rows)(double *acc, const void *x, const void *y, int64_t rows, int64_t channels);   /* acc[c] += sum x y */
    void (*sum_squares)(double *acc, const void *x, int64_t rows, int64_t channels); /* acc[2c] += sum x, acc[2c+1] += sum x^2 */
} mpno_kernels;

/* Rows of 16 elements hold every vector: no table's layout needs more. */
static inline size_t mpno_packed_count(int64_t n, int64_t k) {
    return (size_t)((n + 15) / 16 * 16 * k);
}

/* Asks for `bytes` from `data` on to come to the caches; waits for nothing and changes nothing. */
static inline void mpno_fetch_ahead(const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)data + i, 0, 2);
}

/* isa is a cap: the best table compiled in that does not exceed it. Never NULL for arithmetic in {MPNO_F32, MPNO_F64}. */
const mpno_kernels *mpno_kernels_get(mpno_isa isa, mpno_format arithmetic);
/* The definition in plain C. */
const mpno_kernels *mpno_kernels_reference(mpno_format arithmetic);

#endif
