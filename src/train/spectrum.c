/* SPDX-License-Identifier: MIT
 * See spectrum.h. Of a real field the transform keeps half of the last axis; the other half is its
 * conjugate. */
#include "train/spectrum.h"

#include <math.h>
#include <stdbool.h>

#include "core/memory.h"

static bool halved(const mpno_spectrum *s, int d) {
    return s->planes == 1 && d + 1 == s->ndim;
}

/* The first kept frequency of axis d, and how many there are. */
static int64_t lowest(const mpno_spectrum *s, int d) {
    return halved(s, d) ? 0 : -(s->grid[d] / 2);
}

static int64_t kept(const mpno_spectrum *s, int d) {
    return halved(s, d) ? s->grid[d] / 2 + 1 : s->grid[d];
}

static mpno_status create(mpno_spectrum *s) {
    mpno_fft_problem problem = {.kind = s->planes == 1 ? MPNO_FFT_REAL : MPNO_FFT_COMPLEX,
                                .arithmetic = MPNO_F64,
                                .ndim = s->ndim};
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

mpno_status mpno_spectrum_create(mpno_ctx *ctx, int ndim, const int64_t *grid, int planes,
                                 int64_t channels, mpno_spectrum *out) {
    *out = (mpno_spectrum){.ctx = ctx, .ndim = ndim, .planes = planes, .channels = channels};
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

void mpno_spectrum_transform(const mpno_spectrum *s, mpno_format format, const void *field) {
    const mpno_fft_call call = {.batch = 1,
                                .channels = s->channels,
                                .scale = 1 / (double)mpno_fft_points(s->fft),
                                .weighting = MPNO_FFT_PLAIN,
                                .field_format = format,
                                .spectrum_format = MPNO_F64,
                                .n_threads = s->ctx->n_threads,
                                .scratch = s->scratch};
    (void)mpno_fft_forward(s->fft, &call, field, s->transform);
}

int64_t mpno_spectrum_modes(const mpno_spectrum *s) {
    return mpno_fft_modes(s->fft);
}

mpno_wave mpno_spectrum_wave(const mpno_spectrum *s, int64_t mode) {
    const int last = s->ndim - 1;
    mpno_wave wave = {.weight = 1};
    double length2 = 0;
    for (int d = last; d >= 0; d--) {
        wave.k[d] = lowest(s, d) + mode % kept(s, d);
        mode /= kept(s, d);
        length2 += (double)wave.k[d] * (double)wave.k[d];
    }
    wave.length = sqrt(length2);
    if (halved(s, last) && wave.k[last] > 0 && 2 * wave.k[last] < s->grid[last]) wave.weight = 2;
    return wave;
}

double mpno_spectrum_power(const mpno_spectrum *s, int64_t mode, int64_t channel) {
    const double *at = s->transform + 2 * mode * s->channels + channel;
    return at[0] * at[0] + at[s->channels] * at[s->channels];
}

void mpno_spectrum_add(const mpno_spectrum *s, double *power) {
    for (int64_t mode = 0; mode < mpno_spectrum_modes(s); mode++) {
        const mpno_wave wave = mpno_spectrum_wave(s, mode);
        double *shell = power + lround(wave.length) * s->channels;
        for (int64_t c = 0; c < s->channels; c++)
            shell[c] += wave.weight * mpno_spectrum_power(s, mode, c);
    }
}
