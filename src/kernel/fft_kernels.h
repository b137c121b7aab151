/* SPDX-License-Identifier: MIT
 * Inner loops of the discrete Fourier transform, one table per (ISA, arithmetic type T in {f32,
 * f64}).
 *
 * Everything runs over *rows*: `width` contiguous T, one number per channel, width a multiple of
 * `lanes`. A complex row is two of them, the real and the imaginary plane. Scratch is 64-byte
 * aligned and rows of scratch are aligned to `lanes`; strides count elements. Channels never meet:
 * a value that is not finite stays in its channel. Kernels are pure: no allocation, no I/O, no
 * status.
 * Error: each addition, product or fused multiply-add rounds once; storing rounds once
 * more. */
#ifndef MPNO_KERNEL_FFT_KERNELS_H
#define MPNO_KERNEL_FFT_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"
#include "kernel/codec.h"
#include "mpno/format.h"

/* Complex rows of scratch: row r has its real plane at data + r stride and its imaginary plane
 * `plane` behind. Planes that change roles (data + plane, -plane) conjugate: the transform with
 * exp(+..) is the one with exp(-..) between such rows. */
typedef struct mpno_fft_rows {
    void *data;
    int64_t stride, plane;
} mpno_fft_rows;

/* A tensor seen as rows of `n` channels, `planes` (1 or 2) of them per index; strides in elements
 * of `format`. */
typedef struct mpno_fft_view {
    void *data;
    mpno_format format;
    int64_t row_stride, plane_stride, n;
    int planes;
    const void *next; /* what is read or written next, if it has no gaps, or NULL */
    /* Of load and store: how values are kept beyond the format, or NULL. A format that is not plain
     * has one; without, it is that of the format alone. */
    const mpno_codec *codec;
} mpno_fft_view;

#define MPNO_FFT_SUM_CHANNELS 16 /* a cache line of f32 */
#define MPNO_FFT_MAX_RADIX 31    /* largest odd prime with a butterfly of its own */

/* One step of a mixed-radix transform of l1 * radix * ido points (decimation in frequency, in
 * natural order at the end), with w = exp(-2 pi i / (radix ido)):
 *   out[i + ido (k + l1 j)] = w^(i j) sum_b in[i + ido (b + radix k)] exp(-2 pi i b j / radix) */
typedef struct mpno_fft_pass {
    int radix;
    int64_t l1, ido;
    const void *twiddles; /* [ido][radix - 1][2] of T: w^(i j), j >= 1; unused when ido == 1 */
    const void *roots;    /* [radix][2] of T: cos, sin of 2 pi m / radix; odd radices > 7 only */
} mpno_fft_pass;

#define MPNO_FFT_DIRECT_GROUP 12 /* frequencies of a forward transform in registers */
#define MPNO_FFT_DIRECT_BLOCK 3  /* h of an inverse transform in registers */

/* Real rows as a matrix product with cos and -sin of 2 pi k h / N, k = 0 .. last, h = 1 .. H with
 * H = floor(N/4) for even N (the other samples follow by symmetry), floor(N/2) for odd N.
 *   forward   even: for every group of `group` frequencies from k = 0 (the last may be smaller)
 *             [H][frequencies of the group] cosines; odd: the same from k = 1 with -sines
 *   inverse   even: for every block of MPNO_FFT_DIRECT_BLOCK h, then for each h that is left,
 *             [last][h of the block][2] cosine and -sine from k = 1. When 4 divides N, h = N/4 is
 *             always by itself. odd: not used */
typedef struct mpno_fft_direct {
    int64_t n, last, group; /* group: even, at most MPNO_FFT_DIRECT_GROUP */
    const void *even, *odd;
} mpno_fft_direct;

typedef struct mpno_fft_kernels {
    mpno_format arithmetic; /* T */
    /* What every number is rounded to that comes into a row: T itself, or f16 or bf16 (the table
     * of 16-bit arithmetic: T is f32, radices are prime and of any size, and what is called direct
     * does not exist) */
    mpno_format rounding;
    mpno_isa isa;
    int lanes;         /* width is a multiple of this */
    int largest_radix; /* a power of two: 16 for f64 on AVX-512, where 256 points take 14 % less
                          time, else 8; 2 with 16-bit arithmetic */

    /* dst = scale * view, one or two planes as the view has; lanes beyond view->n become 0. Of load
     * and store alone: rows may begin anywhere, and width is any. */
    void (*load)(const mpno_fft_rows *dst, const mpno_fft_view *view, int64_t rows, int64_t width,
                 double scale);
    /* view = scale * src, to nearest even. Returns 1 when a stored value is not finite, else 0. */
    int (*store)(const mpno_fft_view *view, const mpno_fft_rows *src, int64_t rows, double scale);
    void (*copy)(const mpno_fft_rows *out, const mpno_fft_rows *in, int64_t rows, int64_t width);
    /* `length` T in each row, one plane. */
    void (*zero)(void *dst, int64_t stride, int64_t rows, int64_t length);

    /* out and in differ. */
    void (*pass)(const mpno_fft_pass *pass, const mpno_fft_rows *out, const mpno_fft_rows *in,
                 int64_t width);
    /* out[r] = in[r] * factors[r], complex; factors: [rows][2] of T. out may be in. */
    void (*multiply)(const mpno_fft_rows *out, const mpno_fft_rows *in, const void *factors,
                     int64_t rows, int64_t width);

    /* Real lines of N = 2 M points as complex lines z[m] = x[2m] + i x[2m+1] of M points;
     * w = exp(-2 pi i / N). split: X[k] = DFT_N(x)[k] for k < rows <= M + 1 from Z = DFT_M(z).
     * twiddles: [rows][2] of T, w^k. */
    void (*split)(const mpno_fft_rows *out, const mpno_fft_rows *z, int64_t m, const void *twiddles,
                  int64_t rows, int64_t width);
    /* join: Z such that the inverse DFT_M (not scaled) of Z gives x = Re sum_{k < rows} in[k]
     * w^-kn; twiddles: [M][2]. */
    void (*join)(const mpno_fft_rows *z, int64_t m, const mpno_fft_rows *in, int64_t rows,
                 const void *twiddles, int64_t width);

    /* even[k] = sum_n x[n] cos(2 pi k n / N), odd[k] = -sum_n x[n] sin(2 pi k n / N): rows of
     * `length` T (a multiple of lanes), N = direct->n. even and odd are aligned to lanes, x only to
     * its elements. `next`: what will be read next, without gaps, or NULL: as many bytes as N rows
     * have are fetched into the cache meanwhile (of 16-bit rows, which were converted before, that
     * is twice as far: 3.8 to 2.9 ms for 1024 lines of 128 points). */
    void (*direct_forward)(const mpno_fft_direct *direct, void *even, void *odd, int64_t k_stride,
                           const void *x, int64_t x_stride, int64_t length, const void *next);
    /* The transpose: x[n] = sum_k even[k] cos(2 pi k n / N) - odd[k] sin(2 pi k n / N), one plane
     * of view->n (a multiple of lanes) channels in T or, when T is f32, in a 16-bit format. Returns
     * 1 when a stored value is not finite. */
    int (*direct_inverse)(const mpno_fft_direct *direct, const mpno_fft_view *x, const void *even,
                          const void *odd, int64_t k_stride);
    /* out[r] = even[|k|] + i sign(k) odd[|k|], k = first + r; even, odd: rows 0 .. max |k|. */
    void (*combine)(const mpno_fft_rows *out, const mpno_fft_rows *even, const mpno_fft_rows *odd,
                    int64_t first, int64_t rows, int64_t width);
    /* The transpose: even[k] = in[k] + in[-k], odd[k] = -i (in[k] - in[-k]) for k = 0 .. last; what
     * is not kept is 0. */
    void (*separate)(const mpno_fft_rows *even, const mpno_fft_rows *odd, const mpno_fft_rows *in,
                     int64_t first, int64_t rows, int64_t last, int64_t width);

    /* view: [lines][kept] complex rows of at most MPNO_FFT_SUM_CHANNELS channels, the columns of
     * real lines of n points; sums[view->n][2] = sum x, sum x^2 over those (fft.h, Parseval). */
    void (*column_sums)(const mpno_fft_view *view, int64_t lines, int64_t kept, int64_t n,
                        double *sums);
} mpno_fft_kernels;

/* isa is a cap, as in mpno_kernels_get. arithmetic: f64, f32, or f16 and bf16, with which every
 * result of a butterfly is rounded to that format; NULL for others. */
const mpno_fft_kernels *mpno_fft_kernels_get(mpno_isa isa, mpno_format arithmetic);

#endif
