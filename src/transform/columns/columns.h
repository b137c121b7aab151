/* SPDX-License-Identifier: MIT
 * The transform of real fields in two parts, so that no field need be stored for it: lines along
 * the last axis become *columns*, their kept frequencies, inside the program that makes the lines,
 * and the other axes are transformed afterwards.
 *
 *   columns   c[j] = sum_n T[n][j] x[n] of each line (and x[n] = sum_j T[n][j] c[j] back),
 *             j = (plane, k): T[n][0, k] = scale w_k cos(2 pi k n / N), T[n][1, k] = -scale w_k sin
 *   spectrum  the unscaled complex transform of the columns over the other axes, as fft.h has it
 *
 * scale, w_k and the kept frequencies are those of fft.h, of which this is the transform (forward)
 * and its adjoint (inverse). Layout of columns: [batch][lines][2][K][channels], lines = product of
 * all sizes but the last, K = keep of the last axis. With few kept frequencies the product with T,
 * folded by its symmetries (lines.c), costs less than a fast transform, and a line may come in
 * parts; it is then also known by its inner products: T'T is diagonal (Parseval).
 */
#ifndef MPNO_TRANSFORM_COLUMNS_H
#define MPNO_TRANSFORM_COLUMNS_H

#include "kernel/kernel.h"
#include "transform/fft/fft.h"

/* Frequencies of one line that share a weight in T'T. */
typedef enum mpno_columns_class {
    MPNO_COLUMNS_MEAN,    /* k = 0 */
    MPNO_COLUMNS_MIDDLE,  /* 0 < k < N/2 */
    MPNO_COLUMNS_NYQUIST, /* k = N/2 */
    MPNO_COLUMNS_CLASSES
} mpno_columns_class;

/* How lines are transformed, see lines.c. */
typedef enum mpno_lines_method {
    MPNO_LINES_PLAIN,
    MPNO_LINES_PAIRS,
    MPNO_LINES_FOURS,
    MPNO_LINES_TURNED
} mpno_lines_method;

typedef struct mpno_columns {
    mpno_format arithmetic;
    int64_t n, keep, lines, modes; /* points of a line; K; of a sample; of the spectrum */
    int64_t part;                  /* points of a line that come together */
    mpno_lines_method method;
    /* What T is made of: plain take[0]; else for the kernels line_take and line_give, of an even
     * and of an odd number of points; phases of the centres of parts. */
    const void *take[2], *give[2], *phases;
    double mean; /* T[n][0, 0], for every n */
    /* Sum of T[n][plane, k]^2 over n. Imaginary parts at k = 0 and k = N/2 have none. */
    double square[MPNO_COLUMNS_CLASSES];
    int64_t middle_first, middle_count; /* k of the middle class */
    bool has_nyquist;
    const mpno_kernels *kernels;
    mpno_fft *rest; /* over the other axes; NULL in one dimension */
    void *owned;
} mpno_columns;

/* problem: of real data, of any size. part: as many points of a line come together, in the last
 * part those that are left; n or more: the whole line. */
MPNO_WARN_UNUSED mpno_status mpno_columns_create(mpno_ctx *ctx, const mpno_fft_problem *problem,
                                                 int64_t part, double scale,
                                                 mpno_fft_weighting weighting, mpno_columns **out);
void mpno_columns_destroy(mpno_ctx *ctx, mpno_columns **columns);

typedef struct mpno_columns_call {
    int64_t batch, channels;
    mpno_format columns_format, spectrum_format;
    const mpno_codec *columns_codec, *spectrum_codec; /* or NULL */
    const void *mean; /* of inverse: added to each line's frequency 0, [channels]; or NULL */
    int n_threads;
    void *scratch;
} mpno_columns_call;

/* |k|^2 of mode m of the spectrum. */
int64_t mpno_columns_square(const mpno_columns *columns, int64_t m);
size_t mpno_columns_scratch_bytes(const mpno_columns *columns, int64_t channels, int n_threads);
/* Return 1 when a stored value is not finite, else 0. Bits do not depend on n_threads. */
int mpno_columns_forward(const mpno_columns *plan, const mpno_columns_call *call,
                         const void *columns, void *spectrum);
int mpno_columns_inverse(const mpno_columns *plan, const mpno_columns_call *call,
                         const void *spectrum, void *columns);
/* Points first .. first + count - 1 of one line, a part of it: rows x channels of the arithmetic
 * type, and the line's columns, [2][K][channels] of it. Parts come in order, the first one with
 * first = 0. take: the columns are complete after the last part. give: makes the points. Scratch as
 * below, aligned; its content stays from part to part where mpno_columns_keep_parts says so. */
void mpno_columns_take(const mpno_columns *plan, int64_t first, int64_t count, const void *points,
                       int64_t channels, void *columns, void *scratch);
void mpno_columns_give(const mpno_columns *plan, int64_t first, int64_t count, const void *columns,
                       int64_t channels, void *points, void *scratch);
size_t mpno_columns_part_bytes(const mpno_columns *plan, int64_t channels);
bool mpno_columns_keep_parts(const mpno_columns *plan);
/* Norms of what lines become. Columns of a line: root of the sum of w |c|^2, w = 1 for k = 0 and
 * else 2; points: root of the mean square. Gain: the operator norm of T (inverse) or of T' is at
 * most this. Growth: their errors in units u, times gain and norm, and those of the transforms over
 * the other axes: as mpno_fft_growth. */
double mpno_columns_gain(const mpno_columns *columns, bool inverse);
double mpno_columns_line_growth(const mpno_columns *columns, bool inverse);
double mpno_columns_rest_growth(const mpno_columns *columns, bool inverse);
/* Additions and multiplications of one sample and channel: over the other axes; of one line. */
double mpno_columns_rest_flops(const mpno_columns *columns);
double mpno_columns_line_flops(const mpno_columns *columns);

#endif
