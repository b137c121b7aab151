/* SPDX-License-Identifier: MIT
 * Lipschitz constants of blocks, see block.h. */
#include "certify/set/block.h"

#include <math.h>
#include <string.h>

#include "certify/spectral_norm.h"
#include "certify/upwards.h"
#include "core/memory.h"

/* 6 steps: 1.014 for 32 x 32. CHUNK matrices at once, so that no second copy of all weights is. */
enum { GRAM_STEPS = 6, CHUNK = 64 };

/* Multi-index of mode m, last axis fastest. */
static void index_of(const mpno_fft_problem *p, int64_t m, int64_t *index) {
    for (int d = p->ndim - 1; d >= 0; d--) {
        index[d] = m % p->keep[d];
        m /= p->keep[d];
    }
}

/* The mode of the conjugate frequency where the last axis stands for itself; -1: not kept. -2: the
 * mode and its conjugate are apart. */
static int64_t partner(const mpno_fft_problem *p, int64_t m) {
    int64_t index[MPNO_FFT_MAX_DIMS] = {0}, at = 0;
    const int last = p->ndim - 1;
    index_of(p, m, index);
    if (index[last] != 0 && 2 * index[last] != p->size[last]) return -2;
    for (int d = 0; d < last; d++) {
        const int64_t half = p->keep[d] / 2, minus = half - index[d]; /* -(index - half) */
        int64_t other = minus + half;
        if (other >= p->keep[d]) other -= p->size[d]; /* n/2 is -n/2 */
        if (other < 0 || other >= p->keep[d]) return -1;
        at = at * p->keep[d] + other;
    }
    return at * p->keep[last] + index[last];
}

/* R_eff [2][outputs][inputs] of mode m: what the block makes of its frequency in a real field. */
static void effective(const mpno_set_block *b, int64_t m, double *matrix) {
    const mpno_fft_problem *p = mpno_fft_get_problem(b->fft);
    const int64_t plane = b->inputs * b->outputs, other = partner(p, m);
    const double *own = b->blocks + (b->mode_rows != NULL ? b->mode_rows[m] : 0) * 2 * plane,
                 *mirrored =
                     other < 0
                         ? NULL
                         : b->blocks + (b->mode_rows != NULL ? b->mode_rows[other] : 0) * 2 * plane;
    const double half = other == -2 ? 1 : 0.5;
    for (int64_t part = 0; part < 2; part++)
        for (int64_t o = 0; o < b->outputs; o++)
            for (int64_t i = 0; i < b->inputs; i++) {
                const int64_t at = part * plane + i * b->outputs + o;
                const double conjugate = mirrored == NULL ? 0
                                         : part == 0      ? mirrored[at]
                                                          : -mirrored[at];
                matrix[part * plane + o * b->inputs + i] = half * (own[at] + conjugate);
            }
}

/* Largest norm over modes of share * R_eff (+ W). */
static mpno_status largest(mpno_ctx *ctx, const mpno_set_block *b, double share, const double *skip,
                           double *room, double *out) {
    const int64_t modes = mpno_fft_modes(b->fft), plane = b->inputs * b->outputs;
    *out = 0;
    for (int64_t first = 0; first < modes; first += CHUNK) {
        const int64_t n = modes - first < CHUNK ? modes - first : CHUNK;
        const mpno_matrices all = {room, MPNO_F64, n, b->outputs, b->inputs, true};
        double most;
        for (int64_t k = 0; k < n; k++) {
            double *matrix = room + k * 2 * plane;
            effective(b, first + k, matrix);
            for (int64_t i = 0; i < 2 * plane; i++) matrix[i] *= share;
            for (int64_t i = 0; i < plane && skip != NULL; i++) matrix[i] += skip[i];
        }
        MPNO_TRY(mpno_spectral_norms(ctx, &all, GRAM_STEPS, NULL, &most));
        *out = most <= *out ? *out : most;
    }
    return MPNO_OK;
}

/* Whether every frequency of the grid is among the modes or is the conjugate of one. */
static bool complete(const mpno_fft_problem *p) {
    bool all = p->keep[p->ndim - 1] == p->size[p->ndim - 1] / 2 + 1;
    for (int d = 0; d < p->ndim - 1; d++) all = all && p->keep[d] == p->size[d];
    return all;
}

/* What forming share * R_eff + W in f64 may be off by, as a share of the norms of both. */
static double formed(const mpno_set_block *b, double sum) {
    const double elements = (double)(b->inputs + b->outputs);
    return sum * (1 + 8 * elements * 0x1p-53);
}

mpno_status mpno_set_block_slope(mpno_ctx *ctx, const mpno_set_block *b, double *slope) {
    const int64_t plane = b->inputs * b->outputs;
    const double middle = (b->low + b->high) / 2, radius = (b->high - b->low) / 2;
    const mpno_matrices linear = {b->skip, MPNO_F64, 1, b->outputs, b->inputs, false};
    double *room, alone = 0, skip = 0, both = 0;
    *slope = INFINITY;
    MPNO_TRY(mpno_alloc_array(ctx, (size_t)(CHUNK * 2 * plane), sizeof *room, &room));
    mpno_status status = largest(ctx, b, 1, NULL, room, &alone);
    if (status == MPNO_OK && b->skip != NULL)
        status = mpno_spectral_norms(ctx, &linear, GRAM_STEPS, NULL, &skip);
    if (status == MPNO_OK) status = largest(ctx, b, middle, b->skip, room, &both);
    mpno_free(ctx, room);
    MPNO_TRY(status);
    const double elsewhere = complete(mpno_fft_get_problem(b->fft)) ? 0 : skip;
    const double by_middle = fmax(both, elsewhere) + radius * alone, by_paths = skip + b->high * alone;
    *slope = MPNO_ENLARGED * (fmin(by_middle, by_paths) +
                              (formed(b, 1) - 1) * (skip + b->high * alone) * sqrt((double)plane));
    return MPNO_OK;
}
