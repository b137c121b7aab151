/* SPDX-License-Identifier: MIT
 * See alias.h. Both transforms are f64; the coarse one is of every second point. */
#include "certify/alias.h"

#include <math.h>

#include "certify/trigonometric.h"
#include "core/memory.h"

struct mpno_alias {
    mpno_ctx *ctx;
    mpno_alias_problem problem;
    int64_t half[MPNO_FFT_MAX_DIMS];
    mpno_fft *fine, *coarse;
    double *taken, *fine_modes, *coarse_modes;
    void *scratch;
};

static mpno_status make_transform(mpno_ctx *ctx, const mpno_alias_problem *p, const int64_t *size,
                                  mpno_fft **out) {
    mpno_fft_problem f = {.kind = p->kind, .arithmetic = MPNO_F64, .ndim = p->ndim};
    for (int d = 0; d < p->ndim; d++) {
        const bool halved = p->kind == MPNO_FFT_REAL && d == p->ndim - 1;
        const int64_t most = halved ? size[d] / 2 + 1 : size[d];
        f.size[d] = size[d];
        f.keep[d] = p->keep[d] < most ? p->keep[d] : most;
    }
    return mpno_fft_create(ctx, &f, out);
}

static mpno_status make(mpno_alias *a) {
    const mpno_alias_problem *p = &a->problem;
    const int64_t width = p->channels * (p->kind == MPNO_FFT_COMPLEX ? 2 : 1);
    for (int d = 0; d < p->ndim; d++) {
        MPNO_CHECK(a->ctx, p->size[d] % 2 == 0, MPNO_E_SHAPE,
                   "axis %d has %lld points; aliasing on every second one takes an even number", d,
                   (long long)p->size[d]);
        a->half[d] = p->size[d] / 2;
    }
    MPNO_TRY(make_transform(a->ctx, p, p->size, &a->fine));
    MPNO_TRY(make_transform(a->ctx, p, a->half, &a->coarse));
    const size_t fine = mpno_fft_scratch_bytes(a->fine, p->channels, a->ctx->n_threads);
    const size_t coarse = mpno_fft_scratch_bytes(a->coarse, p->channels, a->ctx->n_threads);
    MPNO_TRY(mpno_alloc(a->ctx, fine > coarse ? fine : coarse, &a->scratch));
    MPNO_TRY(mpno_alloc_array(a->ctx, (size_t)(mpno_fft_points(a->coarse) * width),
                              sizeof *a->taken, &a->taken));
    MPNO_TRY(mpno_alloc_array(a->ctx, (size_t)(mpno_fft_modes(a->fine) * 2 * p->channels),
                              sizeof *a->fine_modes, &a->fine_modes));
    return mpno_alloc_array(a->ctx, (size_t)(mpno_fft_modes(a->coarse) * 2 * p->channels),
                            sizeof *a->coarse_modes, &a->coarse_modes);
}

mpno_status mpno_alias_create(mpno_ctx *ctx, const mpno_alias_problem *problem, mpno_alias **out) {
    MPNO_TRY(mpno_alloc(ctx, sizeof **out, out));
    (*out)->ctx = ctx;
    (*out)->problem = *problem;
    const mpno_status status = make(*out);
    if (status != MPNO_OK) mpno_alias_destroy(out);
    return status;
}

void mpno_alias_destroy(mpno_alias **alias) {
    if (alias == NULL || *alias == NULL) return;
    mpno_ctx *ctx = (*alias)->ctx;
    mpno_fft_destroy(ctx, &(*alias)->fine);
    mpno_fft_destroy(ctx, &(*alias)->coarse);
    mpno_free(ctx, (*alias)->taken);
    mpno_free(ctx, (*alias)->fine_modes);
    mpno_free(ctx, (*alias)->coarse_modes);
    mpno_free(ctx, (*alias)->scratch);
    mpno_free(ctx, *alias);
    *alias = NULL;
}

static void transform(const mpno_alias *a, const mpno_fft *fft, const double *field,
                      double *modes) {
    const mpno_fft_call call = {.batch = 1,
                                .channels = a->problem.channels,
                                .scale = 1.0 / (double)mpno_fft_points(fft),
                                .weighting = MPNO_FFT_PLAIN,
                                .field_format = MPNO_F64,
                                .spectrum_format = MPNO_F64,
                                .n_threads = a->ctx->n_threads,
                                .scratch = a->scratch};
    (void)mpno_fft_forward(fft, &call, field, modes);
}

/* A mode of the fine transform: its frequencies, its weight, and the coarse one's mode of the same
 * frequencies, -1 where one of them is not below the Nyquist frequency. */
typedef struct mode {
    double weight;
    int64_t other;
} mode;

static mode mode_at(const mpno_alias *a, int64_t index) {
    const mpno_alias_problem *p = &a->problem;
    const int64_t *fine = mpno_fft_get_problem(a->fine)->keep;
    const int64_t *coarse = mpno_fft_get_problem(a->coarse)->keep;
    mode m = {1, 0};
    int64_t stride = 1;
    for (int d = p->ndim - 1; d >= 0; d--) {
        const bool halved = p->kind == MPNO_FFT_REAL && d == p->ndim - 1;
        const int64_t k = index % fine[d] - (halved ? 0 : fine[d] / 2);
        index /= fine[d];
        if (halved) m.weight = k == 0 || 2 * k == p->size[d] ? 1 : 2;
        if (2 * (k < 0 ? -k : k) >= a->half[d]) m.other = -1;
        if (m.other >= 0) m.other += stride * (k + (halved ? 0 : coarse[d] / 2));
        stride *= coarse[d];
    }
    return m;
}

mpno_alias_energy mpno_alias_run(mpno_alias *a, const double *field) {
    const mpno_alias_problem *p = &a->problem;
    const int64_t numbers = 2 * p->channels;
    mpno_every_second(p->ndim, a->half, p->channels * (p->kind == MPNO_FFT_COMPLEX ? 2 : 1), field,
                      a->taken);
    transform(a, a->fine, field, a->fine_modes);
    transform(a, a->coarse, a->taken, a->coarse_modes);
    double norm = 0, alias = 0, cut = 0;
    for (int64_t i = 0; i < mpno_fft_modes(a->fine); i++) {
        const mode m = mode_at(a, i);
        double whole = 0, apart = 0;
        for (int64_t c = 0; c < numbers; c++) {
            const double fine = a->fine_modes[i * numbers + c];
            whole += fine * fine;
            if (m.other < 0) continue;
            const double d = a->coarse_modes[m.other * numbers + c] - fine;
            apart += d * d;
        }
        norm += m.weight * whole;
        alias += m.weight * apart;
        if (m.other < 0) cut += m.weight * whole;
    }
    return (mpno_alias_energy){sqrt(norm), sqrt(alias), sqrt(cut)};
}
