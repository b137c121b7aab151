/* SPDX-License-Identifier: MIT
 * FFTW's real transform in f32 as a peer of ours, when it was found at build time. */
#ifndef BENCH_FFT_PEER_H
#define BENCH_FFT_PEER_H

#include "core/context.h"
#include "transform/fft/fft.h"

typedef struct fft_peer fft_peer;

/* Plans (seconds); *out is NULL where there is no FFTW. */
MPNO_WARN_UNUSED mpno_status fft_peer_create(mpno_ctx *ctx, const mpno_fft_problem *problem,
                                             int64_t batch, int64_t channels, fft_peer **out);
void fft_peer_destroy(mpno_ctx *ctx, fft_peer **peer);
double fft_peer_bytes(const fft_peer *peer); /* of field and spectrum */
void fft_peer_forward(void *peer);
void fft_peer_inverse(void *peer);

#endif
