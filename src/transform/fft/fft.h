/* SPDX-License-Identifier: MIT
 * Pruned discrete Fourier transform of channels-last fields, 1 to 4 dimensions, any size.
 *
 *   forward   X[k][b][c] = scale w_k sum_n x[b][n][c] exp(-2 pi i sum_d k_d n_d / N_d), kept k only
 *   inverse   x[b][n][c] = scale Re sum_k w_k X[k][b][c] exp(+2 pi i sum_d k_d n_d / N_d)
 *
 * (no Re when the data are complex). With equal scale and weighting each is the adjoint of the
 * other under <a,b> = Re sum conj(a) b. The transform of an FNO is forward (1/N, PLAIN) and inverse
 * (1, HERMITIAN); their gradients are inverse (1/N, PLAIN) and forward (1, HERMITIAN). Because of
 * the Re, whatever is not Hermitian in X drops out: what `irfft` should do and upstream enforces
 * since 2026.
 *
 * Layouts. Field [batch][N1]..[Nd][channels] (complex: [batch][N1]..[Nd][2][channels]); spectrum
 * [modes][batch][2][channels], modes row-major over (k_1, .., k_d). Kept frequencies: K_d = keep[d]
 * consecutive integers k = -floor(K/2) .. K-floor(K/2)-1 in every dimension, but 0 .. K-1
 * (K <= N/2+1) in the last one when the data are real. With one channel use batch = 1 and let the
 * samples be the channels ([N1]..[Nd][samples]).
 *
 * Storage in any format and codec (the transform in two parts below: f64, f32, f16, bf16);
 * butterflies and twiddles in `arithmetic` (f32 or f64), one rounding per stored value, after
 * scaling. With arithmetic f16 or bf16 samples, twiddles and the results of every butterfly are
 * rounded to it, and scaling comes after the last one: sums that leave its range are infinite.
 * Factors 2, 3, 5, 7 have butterflies, other primes are summed up in f32 and rounded once. Not for
 * the transform in two parts (below). Channels never mix, but in scales of blocks: a value that is
 * not finite stays in its channel. Error: docs/theory (transform). */
#ifndef MPNO_TRANSFORM_FFT_H
#define MPNO_TRANSFORM_FFT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/context.h"
#include "kernel/codec.h"
#include "mpno/format.h"

#define MPNO_FFT_MAX_DIMS 4

typedef enum mpno_fft_kind { MPNO_FFT_REAL, MPNO_FFT_COMPLEX } mpno_fft_kind;

/* w_k. HERMITIAN (real data only): 2, but 1 for k_last = 0 and, N_last even, k_last = N_last/2. */
typedef enum mpno_fft_weighting { MPNO_FFT_PLAIN, MPNO_FFT_HERMITIAN } mpno_fft_weighting;

typedef struct mpno_fft_problem {
    mpno_fft_kind kind;
    mpno_format arithmetic; /* MPNO_F32 or MPNO_F64; MPNO_F16 or MPNO_BF16: as a reference */
    int ndim;
    int64_t size[MPNO_FFT_MAX_DIMS];
    int64_t keep[MPNO_FFT_MAX_DIMS];
    bool accurate; /* passes, whose mpno_fft_growth grows least with n, not least time */
} mpno_fft_problem;

typedef struct mpno_fft mpno_fft; /* immutable after create: share freely between threads */

MPNO_WARN_UNUSED mpno_status mpno_fft_create(mpno_ctx *ctx, const mpno_fft_problem *problem,
                                             mpno_fft **out);
void mpno_fft_destroy(mpno_ctx *ctx, mpno_fft **fft);

const mpno_fft_problem *mpno_fft_get_problem(const mpno_fft *fft);
int64_t mpno_fft_modes(const mpno_fft *fft);   /* product of keep */
/* |k|^2 of kept mode m, in the order of spectra. */
int64_t mpno_fft_square(const mpno_fft *fft, int64_t m);
int64_t mpno_fft_points(const mpno_fft *fft);  /* product of size */
int64_t mpno_fft_lines(const mpno_fft *fft);   /* product of size without the last */
int64_t mpno_fft_columns(const mpno_fft *fft); /* lines times keep[last] */
/* Bytes of scratch for one call on n_threads threads with `channels` channels, any batch. Scratch:
 * 64-byte aligned, not cleared. */
size_t mpno_fft_scratch_bytes(const mpno_fft *fft, int64_t channels, int n_threads);
/* The same for groups of `channels` each. */
size_t mpno_fft_groups_scratch_bytes(const mpno_fft *fft, int64_t channels, int64_t groups,
                                     int n_threads);
/* Additions and multiplications of one sample and channel, as executed (pruned). */
double mpno_fft_flops(const mpno_fft *fft);
/* Rounding errors in units u of f32 or f64 arithmetic: a transform divided by the square root of
 * its points, whose operator norm is then at most 1, is off by at most growth u times the norm of
 * what it is given (modes weigh 2 where they stand for their conjugates as well), but for
 * second-order terms of roundings, for which `growth` is enlarged, for two roundings where the
 * scale is no power of two, and underflow. docs/theory/certificates.md, statement B7. */
double mpno_fft_growth(const mpno_fft *fft, bool inverse);
/* One line: sizes, kept modes, algorithm per axis; n bytes with the final zero. */
void mpno_fft_describe(const mpno_fft *fft, char *text, size_t n);

typedef struct mpno_fft_call {
    int64_t batch, channels;
    double scale;
    mpno_fft_weighting weighting;
    mpno_format field_format, spectrum_format;
    const mpno_codec *field_codec, *spectrum_codec; /* mpno_fft_view, or NULL */
    int n_threads;
    void *scratch;
    /* The channels are those of `groups` spectra side by side, as many each (0 means 1):
     * [modes][groups][batch][2][channels / groups]. */
    int64_t groups;
    /* Of forward with 16-bit arithmetic: before the butterflies of an axis of N points its rows are
     * multiplied by 2^-ceil(log2 N), and the results by all these powers' inverse when they are
     * stored. So no sum leaves the range of the samples, and the scaling itself is exact but for
     * what becomes subnormal. Wider arithmetic needs no such care. */
    bool prescale;
    const void *mean; /* of inverse: added to what scale and weights make of Re X at frequency 0 of
                         group 0, [channels / groups] of the arithmetic type; or NULL */
} mpno_fft_call;

/* Return 1 when a stored value is not finite, else 0. Bits do not depend on n_threads. field and
 * spectrum do not overlap. */
int mpno_fft_forward(const mpno_fft *fft, const mpno_fft_call *call, const void *field,
                     void *spectrum);
int mpno_fft_inverse(const mpno_fft *fft, const mpno_fft_call *call, const void *spectrum,
                     void *field);

/* The transform in two parts, for those who rebuild a field line by line instead of storing it.
 *
 *   columns   [batch][lines][K_d][2][channels]: the field transformed along its last axis only, of
 *             each line the kept frequencies
 *   inverse   mpno_fft_inverse_columns, then mpno_fft_inverse_lines: x = Re sum_k c_k e^(2 pi i k
 *             n/N) along the last axis; scale and weights are in the columns
 *   forward   mpno_fft_forward_lines: c_k = scale sum_n x_n e^(-2 pi i k n/N), then
 *             mpno_fft_forward_columns with the rest of the scale and the weights
 *
 * With columns of the arithmetic type (and scale 1 in forward_lines) both parts together give the
 * bits of the whole transform. With columns of a 16-bit format they round once more, and forward
 * columns should have a scale such as 1/N, with which no sum leaves the range of the samples. */

/* As mpno_fft_forward and mpno_fft_inverse, with columns in the place of the field: field_format is
 * the format of the columns. */
int mpno_fft_forward_columns(const mpno_fft *fft, const mpno_fft_call *call, const void *columns,
                             void *spectrum);
int mpno_fft_inverse_columns(const mpno_fft *fft, const mpno_fft_call *call, const void *spectrum,
                             void *columns);

typedef struct mpno_fft_lines_call {
    int64_t channels;
    mpno_format columns_format;
    double scale;  /* of forward_lines */
    void *scratch; /* of one thread: 64-byte aligned, not cleared */
} mpno_fft_lines_call;

size_t mpno_fft_lines_scratch_bytes(const mpno_fft *fft, int64_t channels);
/* Lines first .. first + n - 1 of the batch (line l of sample b has number b lines + l) between
 * columns (of the whole batch) and `tile` [n][N_d][channels] (complex data: [n][N_d][2][channels])
 * of the arithmetic type, in the calling thread. Return 1 when a value written is not finite. */
int mpno_fft_inverse_lines(const mpno_fft *fft, const mpno_fft_lines_call *call,
                           const void *columns, int64_t first, int64_t n, void *tile);
int mpno_fft_forward_lines(const mpno_fft *fft, const mpno_fft_lines_call *call, const void *tile,
                           int64_t first, int64_t n, void *columns);

/* Parseval, real data: of the field x that mpno_fft_inverse_lines would make of `columns`,
 * sums[batch][channels][2] = sum x, sum x^2 over the points of a sample, in f64, the same for any
 * number of threads. With N points, c_k the kept columns, N/2 the Nyquist column of even N:
 *   sum x = N Re c_0,   sum x^2 = N (Re c_0)^2 + N (Re c_N/2)^2 + N/2 sum of the other |c_k|^2 */
void mpno_fft_column_sums(const mpno_fft *fft, int64_t batch, int64_t channels, mpno_format format,
                          const void *columns, int n_threads, double *sums);

#endif
