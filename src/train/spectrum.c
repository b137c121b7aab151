/* SPDX-License-Identifier: MIT
 * See spectrum.h. The transform keeps half of the last axis; the other half is its conjugate. */
#include "train/spectrum.h"

#include <math.h>

#include "core/memory.h"

/* The first kept frequency of axis d, and how many there are. */
static int64_t lowest(const mpno_spectrum *s, int d) {
    return d + 1 == s->ndim ? 0 : -(s->grid[d] / 2);
}

static int64_t kept(const mpno_spectrum *s, int d) {
    return d + 1 == s->ndim ? s->grid[d] / 2 + 1 : s->grid[d];
}

static mpno_status create(mpno_spectrum *s) {
    mpno_fft_problem problem = {.kind = MPNO_FFT_REAL, .arithmetic = MPNO_F64, .ndim = s->ndim};
    double corner = 0;
    for (int d = 0; d < s->ndim; d++) {
        problem.size[d] = s->grid[d];
        problem.keep[d] = kept(s, d);
        corner += (double)(s->grid[d] / 2) * (double)(s->grid[d] / 2);
    }
    s->n_shells = (size_t)lround(sqrt(corner)) + 1;
    MPNO_TRY(mpno_fft_create(s->ctx, &problem, &s->fft));
    MPNO_TRY(mpno_alloc_array(s->ctx, (size_t)(2 * mpno_fft_modes(s->fft) * s->channels),
                              sizeof *s->transform, &s->transform));
    return mpno_alloc(s->ctx, mpno_fft_scratch_bytes(s->fft, s->channels, s->ctx->n_threads),
                      &s->scratch);
}

mpno_status mpno_spectrum_create(mpno_ctx *ctx, int ndim, const int64_t *grid, int64_t channels,
                                 mpno_spectrum *out) {
    *out = (mpno_spectrum){.ctx = ctx, .ndim = ndim, .channels = channels};
    for (int d = 0; d < ndim; d++) out->grid[d] = grid[d];
    mpno_status status = create(out);
    if (status != MPNO_OK) mpno_spectrum_destroy(out);
    return status;
}

void mpno_spectrum_destroy(mpno_spectrum *s) {
    mpno_fft_destroy(s->ctx, &s->fft);
    mpno_free(s->ctx, s->transform);
    mpno_free(s->ctx, s->scratch);
    *s = (mpno_spectrum){.ctx = s->ctx};
}

void mpno_spectrum_add(const mpno_spectrum *s, mpno_format format, const void *field,
                       double *power) {
    const mpno_fft_call call = {.batch = 1,
                                .channels = s->channels,
                                .scale = 1 / (double)mpno_fft_points(s->fft),
                                .weighting = MPNO_FFT_PLAIN,
                                .field_format = format,
                                .spectrum_format = MPNO_F64,
                                .n_threads = s->ctx->n_threads,
                                .scratch = s->scratch};
    (void)mpno_fft_forward(s->fft, &call, field, s->transform);
    const int last = s->ndim - 1;
    for (int64_t mode = 0; mode < mpno_fft_modes(s->fft); mode++) {
        double length2 = 0;
        int64_t rest = mode;
        for (int d = last; d >= 0; d--) {
            const double k = (double)(lowest(s, d) + rest % kept(s, d));
            rest /= kept(s, d);
            length2 += k * k;
        }
        const int64_t k_last = mode % kept(s, last);
        const double weight = k_last == 0 || 2 * k_last == s->grid[last] ? 1 : 2;
        const double *at = s->transform + 2 * mode * s->channels;
        double sum = 0;
        for (int64_t c = 0; c < 2 * s->channels; c++) sum += at[c] * at[c];
        power[lround(sqrt(length2))] += weight * sum / (double)s->channels;
    }
}
