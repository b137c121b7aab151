/* SPDX-License-Identifier: MIT
 * field_kernels.h in plain C for f32 and f64. Statistics and losses are formed in f64 whatever T
 * is: they are few, and their cancellations (variance from sums, small differences of neighbours)
 * would cost digits in f32. */
#include "kernel/field_kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/rng.h"
#include "kernel/portable/losses.h"

enum { REDUCE_BLOCK = 256 };

typedef struct norm_moments {
    double mean, rstd;
} norm_moments;

/* Mean and 1/sqrt(var + eps) of one group of `width` channels from their interleaved sums. */
static norm_moments group_moments(const double *sums, int64_t width, const mpno_norm_shape *shape) {
    const double n = (double)(shape->points * width);
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < width; c++) {
        sum += sums[2 * c];
        squares += sums[2 * c + 1];
    }
    const double mean = shape->uncentred ? 0 : sum / n, variance = squares / n - mean * mean;
    return (norm_moments){mean, 1.0 / sqrt((variance > 0 ? variance : 0) + shape->eps)};
}

static double squash_of(mpno_squash kind, double x) {
    switch (kind) {
        case MPNO_SQUASH_CLIP:
            return x > 1 ? 1 : x < -1 ? -1 : x;
        case MPNO_SQUASH_SIGMOID:
            return 1 / (1 + exp(-x));
        case MPNO_SQUASH_RELU:
            return x < 0 ? 0 : x;
        case MPNO_SQUASH_SOFTSIGN:
            return x / (1 + fabs(x));
        case MPNO_SQUASH_ARCSINH:
            return asinh(x);
    }
    return x;
}

static double squash_slope(mpno_squash kind, double x) {
    const double t = fabs(x), e = exp(-t);
    switch (kind) {
        case MPNO_SQUASH_CLIP:
            return t < 1;
        case MPNO_SQUASH_SIGMOID:
            return e / ((1 + e) * (1 + e));
        case MPNO_SQUASH_RELU:
            return x > 0;
        case MPNO_SQUASH_SOFTSIGN:
            return 1 / ((1 + t) * (1 + t));
        case MPNO_SQUASH_ARCSINH:
            return 1 / sqrt(1 + x * x);
    }
    return 1;
}

static mpno_sigma sigma_of(const double *sums, int64_t points, int64_t channels) {
    const double n = (double)(points * channels);
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < channels; c++) {
        sum += sums[2 * c];
        squares += sums[2 * c + 1];
    }
    const double mean = sum / n, variance = squares / n - mean * mean;
    const double deviation = variance > 0 ? sqrt(variance) : 0;
    return (mpno_sigma){mean, deviation, mean - 2 * deviation, mean + 2 * deviation, n};
}

static int reduce_samples(double *dst, const double *partials, int64_t samples, int64_t chunks,
                          int64_t count, int64_t stride) {
    int nonfinite = 0;
    for (int64_t s = 0; s < samples; s++)
        for (int64_t i = 0; i < count; i++) {
            double sum = 0;
            for (int64_t k = 0; k < chunks; k++) sum += partials[(s * chunks + k) * stride + i];
            dst[s * count + i] = sum;
            nonfinite |= !isfinite(sum);
        }
    return nonfinite;
}

static void weigh_sums(double *dst, const double *src, const double *weight, int parts,
                       int64_t samples, int64_t channels, int interleaved) {
    for (int64_t s = 0; s < samples; s++, src += parts * channels, dst += 2 * channels)
        for (int64_t c = 0; c < channels; c++) {
            double sum = 0;
            for (int i = 1; i < parts; i++) sum += weight[i] * src[i * channels + c];
            dst[interleaved ? 2 * c : c] = weight[0] * src[c];
            dst[interleaved ? 2 * c + 1 : channels + c] = sum;
        }
}

static void average_samples(double *dst, const double *src, int64_t batch, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int64_t s = 0; s < batch; s++) sum += src[s * count + i];
        for (int64_t s = 0; s < batch; s++) dst[s * count + i] = sum / (double)batch;
    }
}

/* Words 4 block .. 4 block + 3 of the dropout's stream. */
static void drop_words(const mpno_drop *drop, uint64_t block, uint32_t words[4]) {
    const uint32_t key[2] = {(uint32_t)drop->seed, (uint32_t)(drop->seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), drop->id,
                                 MPNO_STREAM_DROPOUT};
    mpno_philox4x32(counter, key, words);
}

#define T float
#define NAME(x) x##_f32
#include "kernel/tmpl/losses.h"
#include "kernel/tmpl/field_kernels.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "kernel/tmpl/losses.h"
#include "kernel/tmpl/field_kernels.h"
#undef T
#undef NAME

const mpno_field_kernels *mpno_field_kernels_get(mpno_format arithmetic) {
    return arithmetic == MPNO_F64 ? &table_f64 : &table_f32;
}
