/* SPDX-License-Identifier: MIT
 * Errors of predictions: see metrics.h. */
#include "train/metrics.h"

#include <stddef.h>

#include "core/memory.h"
#include "kernel/field_kernels.h"
#include "number/format.h"

mpno_status mpno_metrics_add(mpno_ctx *ctx, mpno_metrics *metrics, const mpno_objective *norms,
                             mpno_format format, int64_t n, int ndim, const int64_t *grid,
                             int planes, int64_t channels, const void *prediction,
                             const void *truth) {
    const mpno_field_kernels *kernels = mpno_field_kernels_get(format);
    MPNO_CHECK(ctx, kernels != NULL, MPNO_E_ARGUMENT, "errors are computed in f32 or f64, not %s",
               mpno_format_get(format)->name);
    MPNO_CHECK(ctx, ndim >= 1 && ndim <= MPNO_GRID_MAX_DIMS, MPNO_E_SHAPE,
               "a field has 1 to %d axes, found %d", MPNO_GRID_MAX_DIMS, ndim);
    mpno_grid shape = {.ndim = ndim, .points = planes, .planes = planes};
    for (int d = 0; d < ndim; d++) {
        shape.size[d] = grid[d];
        shape.points *= grid[d];
        MPNO_CHECK(ctx, !norms->one_sided[d] || grid[d] >= MPNO_ONE_SIDED_POINTS, MPNO_E_SHAPE,
                   "H1 errors with one-sided differences need at least %d points along axis %d, "
                   "found %lld: let opt.h1_boundary be periodic there",
                   MPNO_ONE_SIDED_POINTS, d, (long long)grid[d]);
    }
    double *out = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, 2 * (size_t)channels, sizeof *out, &out));
    const size_t sample = (size_t)(shape.points * channels) * mpno_format_bytes(format);
    const struct {
        mpno_loss kind;
        double *sum;
    } terms[] = {
        {MPNO_LOSS_L2, &metrics->l2}, {MPNO_LOSS_H1, &metrics->h1}, {MPNO_LOSS_MSE, &metrics->mse}};
    for (int64_t s = 0; s < n; s++) {
        const char *p = (const char *)prediction + (size_t)s * sample;
        const char *y = (const char *)truth + (size_t)s * sample;
        for (size_t k = 0; k < sizeof terms / sizeof terms[0]; k++) {
            mpno_objective one = *norms;
            one.n_terms = 1;
            one.term[0] = (mpno_loss_term){terms[k].kind, false, 1.0};
            one.channel_weights = NULL;
            kernels->loss(&one, out, p, y, &shape, channels);
            for (int64_t c = 0; c < channels; c++) *terms[k].sum += out[2 * c];
        }
    }
    mpno_free(ctx, out);
    metrics->count += n * channels;
    return MPNO_OK;
}

void mpno_metrics_finish(mpno_metrics *metrics) {
    if (metrics->count == 0) return;
    metrics->l2 /= (double)metrics->count;
    metrics->h1 /= (double)metrics->count;
    metrics->mse /= (double)metrics->count;
}
