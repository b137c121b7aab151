/* SPDX-License-Identifier: MIT
 * What losses of either arithmetic type share: blocks of rows, axes, and what the sums mean. A
 * sample is cut into chunks of channels and these into blocks of rows, so that inner loops run over
 * memory in order whatever the number of channels is. */
#ifndef MPNO_KERNEL_PORTABLE_LOSSES_H
#define MPNO_KERNEL_PORTABLE_LOSSES_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kernel/differences.h"
#include "kernel/field_kernels.h"

enum { LOSS_BLOCK = 256, LOSS_CHANNELS = 128 }; /* values of a block, channels of a chunk */

typedef struct loss_axis {
    int64_t inner; /* rows between neighbours */
    mpno_differences rows;
} loss_axis;

typedef struct loss_chunk {
    int64_t channels, channel, width; /* channels channel .. channel + width - 1 of all */
    int64_t rows, points, block_rows;
    int ndim, planes;
    double cell; /* volume of the domain that belongs to a point */
    loss_axis axis[MPNO_GRID_MAX_DIMS];
} loss_chunk;

/* rows x width values from `at` on, rows `pitch` apart; also as `runs` of `length` in a row. */
typedef struct loss_block {
    int64_t at, row, rows, width, pitch, runs, length;
} loss_block;

static inline void start_chunks(loss_chunk *k, const mpno_objective *o, const mpno_grid *grid,
                                int64_t channels, bool squared) {
    *k = (loss_chunk){.channels = channels, .rows = grid->points, .ndim = grid->ndim};
    k->planes = grid->planes > 1 ? grid->planes : 1;
    k->points = grid->points / k->planes;
    k->cell = 1;
    bool h1 = false;
    for (int t = 0; t < o->n_terms; t++) h1 = h1 || o->term[t].kind == MPNO_LOSS_H1;
    int64_t inner = grid->points;
    for (int d = 0; d < grid->ndim; d++) {
        const double h = (o->measure[d] > 0 ? o->measure[d] : 1.0) / (double)grid->size[d];
        k->cell *= h;
        inner /= grid->size[d];
        k->axis[d].inner = inner;
        const mpno_axis axis = {grid->size[d], inner * channels, h, o->one_sided[d]};
        if (h1) mpno_differences_make(&k->axis[d].rows, &axis, squared);
    }
}

static inline bool next_chunk(loss_chunk *k) {
    k->channel += k->width;
    const int64_t left = k->channels - k->channel;
    k->width = left < LOSS_CHANNELS ? left : LOSS_CHANNELS;
    if (left > 0) k->block_rows = LOSS_BLOCK / k->width / k->planes * k->planes;
    return left > 0;
}

static inline loss_block block_at(const loss_chunk *k, int64_t row) {
    loss_block b = {.at = row * k->channels + k->channel,
                    .row = row,
                    .rows = k->rows - row < k->block_rows ? k->rows - row : k->block_rows,
                    .width = k->width,
                    .pitch = k->channels};
    const bool whole = b.width == b.pitch;
    b.runs = whole ? 1 : b.rows;
    b.length = whole ? b.rows * b.width : b.width;
    return b;
}

static inline loss_block first_block(const loss_chunk *k) {
    return block_at(k, 0);
}

static inline void next_block(const loss_chunk *k, loss_block *b) {
    *b = block_at(k, b->row + b->rows);
}

/* |e|; of complex values in the place of their real part, and zero in that of the imaginary one. */
static inline void moduli(double *e, const loss_chunk *k, const loss_block *b) {
    for (int64_t i = 0; k->planes == 1 && i < b->rows * b->width; i++) e[i] = fabs(e[i]);
    for (int64_t r = 0; k->planes == 2 && r < b->rows; r += 2) {
        double *re = e + r * b->width, *im = re + b->width;
        for (int64_t c = 0; c < b->width; c++) {
            re[c] = sqrt(re[c] * re[c] + im[c] * im[c]);
            im[c] = 0;
        }
    }
}

/* Sums of all places of each channel, by halves. */
static inline void gather(double *total, double *sum, const loss_chunk *k) {
    int64_t rows = k->rows < k->block_rows ? k->rows : k->block_rows;
    while (rows > 1) {
        const int64_t half = (rows + 1) / 2, n = (rows - half) * k->width;
        for (int64_t i = 0; i < n; i++) sum[i] += sum[half * k->width + i];
        rows = half;
    }
    memcpy(total, sum, (size_t)k->width * sizeof *total);
}

/* e / |e|, 0 where e = 0. */
static inline void directions(double *e, const loss_chunk *k, const loss_block *b) {
    const int64_t width = b->width;
    for (int64_t i = 0; k->planes == 1 && i < b->rows * width; i++)
        e[i] = isnan(e[i]) ? e[i] : (double)((e[i] > 0) - (e[i] < 0));
    for (int64_t r = 0; k->planes == 2 && r < b->rows; r += 2)
        for (int64_t c = r * width; c < (r + 1) * width; c++) {
            const double size = sqrt(e[c] * e[c] + e[c + width] * e[c + width]);
            e[c] = size == 0 ? 0 : e[c] / size;
            e[c + width] = size == 0 ? 0 : e[c + width] / size;
        }
}

static inline double term_weight(const mpno_objective *o, int term, int64_t channel) {
    return o->term[term].weight * (o->channel_weights != NULL ? o->channel_weights[channel] : 1.0);
}

/* The factors of loss_grad in every place of a block. */
static inline void spread_factors(double factor[][LOSS_BLOCK], const mpno_objective *o,
                                  const double *loss, double scale, const loss_chunk *k) {
    const int64_t rows = k->rows < k->block_rows ? k->rows : k->block_rows;
    for (int t = 0; t < o->n_terms; t++)
        for (int64_t c = 0; c < k->width; c++) {
            const double value = scale * loss[(k->channel + c) * (1 + o->n_terms) + 1 + t];
            for (int64_t r = 0; r < rows; r++) factor[t][r * k->width + c] = value;
        }
}

typedef struct loss_value {
    double value, factor; /* factor: what the slope of a term is multiplied with */
} loss_value;

/* error, size: the measure of e and of y. A perfect prediction has no gradient. */
static inline loss_value finish(const mpno_loss_term *term, double error, double size,
                                const loss_chunk *k) {
    const double points = (double)k->points;
    if (term->kind == MPNO_LOSS_MSE) return (loss_value){error / points, 2 / points};
    if (term->absolute) size = 1 / k->cell;
    const double eps = term->absolute ? 0 : 1e-8;
    if (term->kind == MPNO_LOSS_L1) return (loss_value){error / (size + eps), 1 / (size + eps)};
    const double root = sqrt(error), below = sqrt(size) + eps;
    return (loss_value){root / below, error > 0 ? 1 / (root * below) : 0};
}

#endif
