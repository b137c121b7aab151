/* SPDX-License-Identifier: MIT
 * Shadow comparison: the same weights and samples through two networks that differ in their
 * formats. For every tensor that both store it says what the narrower one lost: values that became
 * zero, and the signal to quantisation noise, of spectra also shell by shell. The noise of a tensor
 * is all that has come together up to there, not that of its own rounding alone. */
#ifndef MPNO_MODEL_SHADOW_H
#define MPNO_MODEL_SHADOW_H

#include "model/network.h"

typedef struct mpno_shadow_shell {
    double signal, noise; /* sums of squares: of the reference, of the difference from it */
} mpno_shadow_shell;

typedef struct mpno_shadow_line {
    int64_t values; /* 0: the edge was not compared */
    int64_t lost;   /* zero here, not zero in the reference */
    int64_t broken; /* not finite here; in no sum below */
    double signal, noise;
    int n_shells;              /* 0: no spectrum */
    mpno_shadow_shell *shells; /* owned */
} mpno_shadow_line;

typedef struct mpno_shadow {
    mpno_ctx *ctx;
    int n_edges;
    mpno_shadow_line *edges; /* owned: [n_edges], edges of the first network's graph */
    int bad, reference_bad;  /* first edge that is not finite in either network, -1: none */
} mpno_shadow;

/* here and reference: of one model, grid and purpose (training or not). y: the target, or room for
 * the prediction, which is the reference's in the end. batch: at most as many as both run at once.
 * Sums are in f64 and the same for any number of threads. */
MPNO_WARN_UNUSED mpno_status mpno_shadow_run(mpno_network *here, mpno_network *reference,
                                             int64_t batch, const void *x, const void *y,
                                             double loss_scale, mpno_shadow *out);
void mpno_shadow_clear(mpno_shadow *shadow);

/* 10 log10(signal / noise): infinite where nothing differs. */
double mpno_shadow_decibel(double signal, double noise);

#endif
