/* SPDX-License-Identifier: MIT
 * What a transform on half as many points of each axis takes for the modes of a field: every
 * frequency is mixed with those that differ from it by a multiple of the number of points
 * (aliasing). docs/theory/discretisation.md, D2 and D3. */
#ifndef MPNO_CERTIFY_ALIAS_H
#define MPNO_CERTIFY_ALIAS_H

#include "transform/fft/fft.h"

typedef struct mpno_alias_problem {
    mpno_fft_kind kind;
    int ndim;
    int64_t size[MPNO_FFT_MAX_DIMS]; /* of the field, even: half of them are the coarse grid */
    int64_t keep[MPNO_FFT_MAX_DIMS]; /* modes, as in transform/fft.h */
    int64_t channels;
} mpno_alias_problem;

/* Weighted norms over kept modes and channels, (sum_k w_k |z_k|^2)^(1/2) with w_k = 2 for modes of
 * real data that stand for their conjugates too, else 1, of transforms with the factor 1 / points.
 */
typedef struct mpno_alias_energy {
    double norm; /* of the modes on the fine grid */
    double
        alias;  /* of what the coarse grid makes of those below its Nyquist frequency, less them */
    double cut; /* of those at or above it on some axis: the coarse grid has not got them */
} mpno_alias_energy;

typedef struct mpno_alias mpno_alias;
MPNO_WARN_UNUSED mpno_status mpno_alias_create(mpno_ctx *ctx, const mpno_alias_problem *problem,
                                               mpno_alias **out);
void mpno_alias_destroy(mpno_alias **alias);
/* field: f64, [size..][channels], of complex data [size..][2][channels]. */
mpno_alias_energy mpno_alias_run(mpno_alias *alias, const double *field);

#endif
