/* SPDX-License-Identifier: MIT
 * Small loops over fields, weights and sums that the graph's ops need besides kernel.h: never the
 * hot part of a step, so one portable body per arithmetic type T serves every ISA. Pure like all
 * kernels. */
#ifndef MPNO_KERNEL_FIELD_KERNELS_H
#define MPNO_KERNEL_FIELD_KERNELS_H

#include <stdint.h>

#include "mpno/format.h"
#include "mpno/loss.h"

#define MPNO_GRID_MAX_DIMS 4

/* A complex field has two rows of channels a point, the real before the imaginary one: planes = 2
 * (0 means 1), and `points` counts rows, the product of the sizes times the planes. */
typedef struct mpno_grid {
    int ndim;
    int64_t size[MPNO_GRID_MAX_DIMS];
    int64_t points;
    int planes;
} mpno_grid;

/* Sums of a group norm's affine form: sums[2c] = sum x, sums[2c+1] = sum x^2 over the points of one
 * sample. */
typedef struct mpno_norm_shape {
    int64_t points, channels, groups;
    double eps;
    int uncentred; /* the mean counts as 0: x over the root of its mean square */
} mpno_norm_shape;

/* Functions that keep values from growing, by their formulas: CLIP min(max(x, -1), 1); SIGMOID
 * 1 / (1 + e^-x); RELU max(x, 0); SOFTSIGN x / (1 + |x|); ARCSINH asinh x. NaN gives NaN. Where
 * there are two slopes (CLIP, RELU) the derivative is 0. */
typedef enum mpno_squash {
    MPNO_SQUASH_CLIP,
    MPNO_SQUASH_SIGMOID,
    MPNO_SQUASH_RELU,
    MPNO_SQUASH_SOFTSIGN,
    MPNO_SQUASH_ARCSINH
} mpno_squash;

/* Mean and deviation of all channels of a sample (or of a batch), and 2 deviations around it. */
typedef struct mpno_sigma {
    double mean, deviation, low, high, n;
} mpno_sigma;

/* The box that a grid covers, its far end excluded. */
typedef struct mpno_box {
    double start[MPNO_GRID_MAX_DIMS], stop[MPNO_GRID_MAX_DIMS];
} mpno_box;

/* Which random numbers a dropout takes: numbers `first`, `first` + 1, .. of stream (seed, id). */
typedef struct mpno_drop {
    uint64_t seed, first;
    uint32_t id;
    double rate; /* share of values that become zero; the others are divided by 1 - rate */
} mpno_drop;

typedef struct mpno_field_kernels {
    /* dst[rows][channels + ndim] = x[rows][channels] followed by the coordinates
     * start_d + (stop_d - start_d) i_d / N_d of rows first, first + 1, ...; of a complex field the
     * imaginary rows get zeros. */
    void (*grid_embed)(void *dst, const void *x, int64_t first, int64_t rows, int64_t channels,
                       const mpno_grid *grid, const mpno_box *box);
    /* dst[rows][count] = the first `count` of the channels of x[rows][channels] */
    void (*take_channels)(void *dst, const void *x, int64_t rows, int64_t channels, int64_t count);
    /* dst[n] = x[n], with a random share of the values dropped */
    void (*dropout)(void *dst, const void *x, int64_t n, const mpno_drop *drop);
    /* Complex rows in pairs (real, imaginary): dst = i x, or -i x when sign is negative. dst and x
     * do not overlap. */
    void (*times_i)(void *dst, const void *x, int64_t rows, int64_t channels, int sign);
    /* One mode: dst[batch][2][channels] = x[batch][2][channels] w[2][channels] (or its conjugate)
     */
    void (*mode_scale)(void *dst, const void *x, const void *w, int64_t batch, int64_t channels,
                       int conjugate);
    /* dst[i ..] = src[i ..] for all indices of these sizes, the first one the outermost; ndim 0: one
     * value */
    void (*copy_strided)(void *dst, const int64_t *dst_stride, const void *src,
                         const int64_t *src_stride, const int64_t *size, int ndim);
    /* Sums over the samples of a batch that comes in parts go on from `chain` (f64, as many as there
     * are results) and leave it where the next part goes on, so that they have the bits of the whole
     * batch; NULL: the batch is whole. dst holds the sum so far. */

    /* dst[2][channels] = sum over the batch of conj(x) dy */
    void (*mode_scale_dw)(void *dst, const void *x, const void *dy, int64_t batch, int64_t channels,
                          double *chain);
    /* dst[outer][m][inner] = sum_j matrix[m][j] x[outer][j][inner], j < n; transposed: matrix is
     * [n][m]. f64 sums. */
    void (*apply_matrix)(void *dst, const void *x, const double *matrix, int transposed,
                         int64_t outer, int64_t m, int64_t n, int64_t inner);

    /* dst[count] of T = sum over samples of (sum over chunks of partials[sample][chunk][stride]),
     * f64, in that order. Returns 1 when a sum is not finite. */
    int (*reduce)(void *dst, const void *partials, int64_t samples, int64_t chunks, int64_t count,
                  int64_t stride, double *chain);
    /* dst[samples][count] = sum over chunks of partials[sample][chunk][stride], all f64 */
    int (*reduce_samples)(double *dst, const double *partials, int64_t samples, int64_t chunks,
                          int64_t count, int64_t stride);
    /* dst[samples][2][channels] (interleaved: [channels][2]) of src[samples][parts][channels]:
     * weight[0] src[0], and the sum over i > 0 of weight[i] src[i]; all f64 */
    void (*weigh_sums)(double *dst, const double *src, const double *weight, int parts,
                       int64_t samples, int64_t channels, int interleaved);
    /* dst[count] of T <- src[count]. Returns 1 when a value is not finite in T. */
    int (*narrow)(void *dst, const double *src, int64_t count);

    /* y = scale x + shift of (x - mean) / sqrt(var + eps) * gamma + beta; gamma, beta may be NULL
     * (1, 0). */
    void (*norm_coefficients)(void *scale, void *shift, const double *sums, const void *gamma,
                              const void *beta, const mpno_norm_shape *shape);
    /* dx = p x + q dy + r. grads[c] = sum dy, grads[channels + c] = sum dy x. */
    void (*norm_grad_coefficients)(void *p, void *q, void *r, const double *sums,
                                   const double *grads, const void *gamma,
                                   const mpno_norm_shape *shape);
    /* Gradients of gamma and beta, [channels] each, from all samples' sums and grads. Returns 1
     * when a value is not finite. */
    int (*norm_weight_grads)(void *dgamma, void *dbeta, const double *sums, const double *grads,
                             int64_t batch, const mpno_norm_shape *shape, double *gamma_chain,
                             double *beta_chain);

    /* dst[n] = f(x), and dy f'(x); in f64, rounded once. */
    void (*squash)(void *dst, const void *x, mpno_squash kind, int64_t n);
    void (*squash_grad)(void *dst, const void *x, const void *dy, mpno_squash kind, int64_t n);
    /* dst[n] = factor x[n] */
    void (*scale)(void *dst, const void *x, double factor, int64_t n);
    double (*value)(const void *x); /* x[0] */
    /* From sums (moments) of `channels` channels over `points` points. */
    mpno_sigma (*sigma_of)(const double *sums, int64_t points, int64_t channels);
    /* dst[n] = min(max(x, low), high); NaN gives NaN */
    void (*sigma_clip)(void *dst, const void *x, const mpno_sigma *sigma, int64_t n);
    /* sums[c] += sum of dy where x < low, sums[channels + c] += sum of dy where x > high */
    void (*sigma_clip_sums)(double *sums, const void *dy, const void *x, const mpno_sigma *sigma,
                            int64_t rows, int64_t channels);
    /* The gradient of sigma_clip, limits and all: dst[n] = dy inside of them, plus p x + r of the
     * sums. */
    void (*sigma_clip_dx)(void *dst, const void *dy, const void *x, const double *sums,
                          const mpno_sigma *sigma, int64_t n, int64_t channels);

    /* dst[s][count] = mean over the samples of src[.][count], for every sample s */
    void (*average_samples)(double *dst, const double *src, int64_t batch, int64_t count);
    /* The sums that samples with this mean and variance would have: dst[s][2c], dst[s][2c+1]. */
    void (*moments_of)(double *dst, const void *mean, const void *variance, int64_t batch,
                       int64_t points, int64_t channels);
    /* x += rate (to - x), n values; and one more for a counter. */
    void (*move)(void *x, const void *to, double rate, int64_t n);
    void (*count_one)(void *x);
    /* Mean and unbiased variance of all samples from averaged sums. Returns 1 when not finite. */
    int (*statistics_of)(void *mean, void *variance, const double *sums, int64_t batch,
                         int64_t points, int64_t channels);

    /* One sample: out[channels][1 + n_terms] = the weighted loss of a channel, then for each term
     * the factor that loss_grad needs. Definitions: mpno/loss.h. */
    void (*loss)(const mpno_objective *objective, double *out, const void *prediction,
                 const void *target, const mpno_grid *grid, int64_t channels);
    /* One sample: dprediction of scale * sum_c loss_c. Returns 1 when a value is not finite. */
    int (*loss_grad)(const mpno_objective *objective, void *dprediction, const void *prediction,
                     const void *target, const double *loss, double scale, const mpno_grid *grid,
                     int64_t channels);
} mpno_field_kernels;

/* arithmetic: MPNO_F32 or MPNO_F64. */
const mpno_field_kernels *mpno_field_kernels_get(mpno_format arithmetic);

#endif
