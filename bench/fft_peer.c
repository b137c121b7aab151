/* SPDX-License-Identifier: MIT
 * FFTW, measured plans: channels last as ours, or each channel's field contiguous; the faster one
 * runs. The data are zeros, which an inverse transform that destroys its input leaves as they are.
 */
#include "fft_peer.h"

#include "core/clock.h"
#include "core/memory.h"

#ifdef MPNO_BENCH_FFTW
#include <fftw3.h>

struct fft_peer {
    float *field;
    fftwf_complex *spectrum;
    fftwf_plan forward[2], inverse[2];
    int best[2]; /* of forward, inverse */
    double bytes;
};

static void plan(fft_peer *p, int layout, const mpno_fft_problem *problem, int batch,
                 int channels) {
    const int last = problem->ndim - 1, step = layout == 0 ? channels : 1;
    fftwf_iodim real[MPNO_FFT_MAX_DIMS], back[MPNO_FFT_MAX_DIMS];
    int in = step, out = step;
    for (int d = last; d >= 0; d--) {
        const int n = (int)problem->size[d];
        real[d] = (fftwf_iodim){n, in, out};
        back[d] = (fftwf_iodim){n, out, in};
        in *= n;
        out *= d == last ? n / 2 + 1 : n;
    }
    /* A sample's channels are neighbours, or fields of their own. */
    const int points = in / step, modes = out / step;
    const fftwf_iodim samples = {batch, points * channels, modes * channels};
    const fftwf_iodim each =
        layout == 0 ? (fftwf_iodim){channels, 1, 1} : (fftwf_iodim){channels, points, modes};
    const fftwf_iodim many[] = {samples, each}, many_back[] = {{samples.n, samples.os, samples.is},
                                                               {each.n, each.os, each.is}};
    p->forward[layout] =
        fftwf_plan_guru_dft_r2c(last + 1, real, 2, many, p->field, p->spectrum, FFTW_MEASURE);
    p->inverse[layout] =
        fftwf_plan_guru_dft_c2r(last + 1, back, 2, many_back, p->spectrum, p->field, FFTW_MEASURE);
}

static double seconds_of(fftwf_plan plan) {
    double least = 0;
    for (int i = 0; i < 3 && plan != NULL; i++) {
        const double start = mpno_seconds();
        fftwf_execute(plan);
        const double seconds = mpno_seconds() - start;
        if (i == 0 || seconds < least) least = seconds;
    }
    return plan == NULL ? 1e30 : least;
}

mpno_status fft_peer_create(mpno_ctx *ctx, const mpno_fft_problem *problem, int64_t batch,
                            int64_t channels, fft_peer **out) {
    int64_t points = 1, modes = 1;
    for (int d = 0; d < problem->ndim; d++) {
        points *= problem->size[d];
        modes *= d + 1 == problem->ndim ? problem->size[d] / 2 + 1 : problem->size[d];
    }
    *out = NULL;
    if (batch * channels * points > (int64_t)1 << 30) return MPNO_OK; /* its strides are int */
    fft_peer *p = NULL;
    MPNO_TRY(mpno_alloc(ctx, sizeof *p, &p));
    const size_t rows = (size_t)(batch * channels);
    mpno_status status = mpno_alloc_array(ctx, rows * (size_t)points, sizeof(float), &p->field);
    if (status == MPNO_OK)
        status = mpno_alloc_array(ctx, rows * (size_t)modes, sizeof(fftwf_complex), &p->spectrum);
    if (status == MPNO_OK) {
        p->bytes = (double)rows * (4.0 * (double)points + 8.0 * (double)modes);
        for (int layout = 0; layout < 2; layout++)
            plan(p, layout, problem, (int)batch, (int)channels);
        p->best[0] = seconds_of(p->forward[1]) < seconds_of(p->forward[0]);
        p->best[1] = seconds_of(p->inverse[1]) < seconds_of(p->inverse[0]);
        if (p->forward[p->best[0]] == NULL || p->inverse[p->best[1]] == NULL)
            status = mpno_fail(ctx, MPNO_E_ARGUMENT, "FFTW has no plan for this problem");
    }
    if (status != MPNO_OK) fft_peer_destroy(ctx, &p);
    *out = p;
    return status;
}

void fft_peer_destroy(mpno_ctx *ctx, fft_peer **peer) {
    fft_peer *p = *peer;
    if (p == NULL) return;
    for (int layout = 0; layout < 2; layout++) {
        fftwf_destroy_plan(p->forward[layout]);
        fftwf_destroy_plan(p->inverse[layout]);
    }
    mpno_free(ctx, p->field);
    mpno_free(ctx, p->spectrum);
    mpno_free(ctx, p);
    *peer = NULL;
}

double fft_peer_bytes(const fft_peer *peer) {
    return peer->bytes;
}

void fft_peer_forward(void *peer) {
    const fft_peer *p = peer;
    fftwf_execute(p->forward[p->best[0]]);
}

void fft_peer_inverse(void *peer) {
    const fft_peer *p = peer;
    fftwf_execute(p->inverse[p->best[1]]);
}

#else

mpno_status fft_peer_create(mpno_ctx *ctx, const mpno_fft_problem *problem, int64_t batch,
                            int64_t channels, fft_peer **out) {
    (void)ctx, (void)problem, (void)batch, (void)channels;
    *out = NULL;
    return MPNO_OK;
}

void fft_peer_destroy(mpno_ctx *ctx, fft_peer **peer) {
    (void)ctx, (void)peer;
}

double fft_peer_bytes(const fft_peer *peer) {
    (void)peer;
    return 0;
}

void fft_peer_forward(void *peer) {
    (void)peer;
}

void fft_peer_inverse(void *peer) {
    (void)peer;
}

#endif
