/* SPDX-License-Identifier: MIT
 * See sample_score.h. */
#include "train/sample_score.h"

#include <math.h>

#include "core/memory.h"
#include "kernel/field_kernels.h"
#include "number/format.h"

#define TWO_PI 6.28318530717958647692

/* As fmax, but NaN stays. */
static double larger(double a, double b) {
    return isnan(a) || a >= b ? a : b;
}

/* How many faces of the grid a point lies on: an edge is on two of them, and counts twice. */
static int faces_at(const mpno_scores_shape *shape, int64_t point) {
    int faces = 0;
    for (int d = shape->ndim - 1; d >= 0; d--) {
        const int64_t i = point % shape->grid[d];
        point /= shape->grid[d];
        faces += (i == 0) + (i == shape->grid[d] - 1);
    }
    return faces;
}

typedef struct sums {
    double re, im; /* of e */
} sums;

/* One point of one channel. */
static void add_point(mpno_sample_score *s, sums *mean, int faces, const double e[2],
                      const double y[2]) {
    const double error2 = e[0] * e[0] + e[1] * e[1], truth2 = y[0] * y[0] + y[1] * y[1];
    mean->re += e[0];
    mean->im += e[1];
    s->error_square += error2;
    s->truth_square += truth2;
    s->error_max = larger(s->error_max, error2);
    s->truth_max = larger(s->truth_max, truth2);
    if (faces > 0) s->boundary_square += faces * error2;
}

static void add_channel(const mpno_scores *scores, const void *prediction, const void *truth,
                        int64_t channel, mpno_sample_score *s) {
    const mpno_scores_shape *shape = &scores->shape;
    int64_t points = 1, all_faces = 0;
    for (int d = 0; d < shape->ndim; d++) points *= shape->grid[d];
    for (int d = 0; d < shape->ndim; d++) all_faces += 2 * (points / shape->grid[d]);
    sums mean = {0};
    for (int64_t i = 0; i < points; i++) {
        double e[2] = {0}, y[2] = {0};
        for (int k = 0; k < shape->planes; k++) {
            const int64_t at = (i * shape->planes + k) * shape->channels + channel;
            y[k] = mpno_real_at(shape->format, truth, at);
            e[k] = mpno_real_at(shape->format, prediction, at) - y[k];
            scores->error[at] = e[k];
        }
        add_point(s, &mean, faces_at(shape, i), e, y);
    }
    s->error_square /= (double)points;
    s->truth_square /= (double)points;
    s->error_max = sqrt(s->error_max);
    s->truth_max = sqrt(s->truth_max);
    s->error_mean = hypot(mean.re, mean.im) / (double)points;
    s->boundary_square /= (double)all_faces;
}

/* The losses that are errors too, by the kernels of training. */
static mpno_status add_losses(mpno_scores *scores, const void *prediction, const void *truth) {
    const mpno_scores_shape *shape = &scores->shape;
    mpno_grid grid = {.ndim = shape->ndim, .points = shape->planes, .planes = shape->planes};
    for (int d = 0; d < shape->ndim; d++) {
        grid.size[d] = shape->grid[d];
        grid.points *= shape->grid[d];
    }
    double *out = NULL;
    MPNO_TRY(mpno_alloc_array(scores->ctx, 2 * (size_t)shape->channels, sizeof *out, &out));
    static const mpno_loss kinds[] = {MPNO_LOSS_L1, MPNO_LOSS_L2, MPNO_LOSS_H1, MPNO_LOSS_MSE};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        mpno_objective one = scores->norms;
        one.n_terms = 1;
        one.term[0] = (mpno_loss_term){kinds[k], false, 1.0};
        one.channel_weights = NULL;
        mpno_field_kernels_get(shape->format)
            ->loss(&one, out, prediction, truth, &grid, shape->channels);
        for (int64_t c = 0; c < shape->channels; c++) {
            mpno_sample_score *s = &scores->sample[c];
            double *const to[] = {&s->l1, &s->l2, &s->h1, &s->mse};
            *to[k] = out[2 * c];
        }
    }
    mpno_free(scores->ctx, out);
    return MPNO_OK;
}

mpno_status mpno_sample_score_points(mpno_scores *scores, const void *prediction,
                                     const void *truth) {
    for (int64_t c = 0; c < scores->shape.channels; c++) {
        scores->sample[c] = (mpno_sample_score){0};
        add_channel(scores, prediction, truth, c, &scores->sample[c]);
    }
    return add_losses(scores, prediction, truth);
}

double mpno_sample_score_sobolev(const mpno_scores *scores, int64_t channel) {
    double sum = 0;
    for (int64_t mode = 0; mode < mpno_spectrum_modes(&scores->spectrum); mode++) {
        const mpno_wave wave = mpno_spectrum_wave(&scores->spectrum, mode);
        double slope2 = 0;
        for (int d = 0; d < scores->shape.ndim; d++) {
            const double length = scores->norms.measure[d] > 0 ? scores->norms.measure[d] : 1;
            const double slope = TWO_PI * (double)wave.k[d] / length;
            slope2 += slope * slope;
        }
        sum += wave.weight * (1 + slope2) * mpno_spectrum_power(&scores->spectrum, mode, channel);
    }
    return sum;
}
