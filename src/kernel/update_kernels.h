/* SPDX-License-Identifier: MIT
 * The inner loops of optimisers, one table per (ISA, arithmetic type T in {f32, f64}): one pass
 * over a weight p, its gradient g and the states that the rule keeps. Every rule starts from
 *     g' = clamp(unscale g, -limit, limit) + couple p
 * and the members below say the rest. Rules that differ in scalars alone share a loop. Elementwise,
 * no fused multiply-add: the result is bitwise the same on every ISA. Buffers are of type T and do
 * not overlap. Formulas and sources: docs/theory/optimizer. */
#ifndef MPNO_KERNEL_UPDATE_KERNELS_H
#define MPNO_KERNEL_UPDATE_KERNELS_H

#include <stdint.h>

#include "core/cpu.h"
#include "mpno/format.h"

typedef enum mpno_update_id {
    /* states m, v:  p *= before;  m += take1 (g' - m);  v = keep2 v + take2 g'^2;
     *     p -= step m / (sqrt(v) root + eps);  p *= after */
    MPNO_UPDATE_ADAM,
    /* states m, v, x: the same, then x = max(x, v), which stands in place of v in the step */
    MPNO_UPDATE_AMSGRAD,
    /* states m, v: ADAM on [n / 2 / plane][2][plane] (planes of real and imaginary parts) with one
     * v for both parts, of |g'|^2; it lies in the real plane of v, the imaginary one is not
     * touched */
    MPNO_UPDATE_ADAM_MODULUS,
    /* no state:  p -= step g' */
    MPNO_UPDATE_SGD,
    /* state b:  b = keep1 b + take1 g';  p -= step (direct g' + along b) */
    MPNO_UPDATE_MOMENTUM,
    /* state m:  p *= before;  p -= step sign(keep1 m + take1 g');  m = keep2 m + take2 g' */
    MPNO_UPDATE_LION,
    MPNO_N_UPDATES
} mpno_update_id;

typedef struct mpno_update_scalars {
    double unscale, limit, couple; /* limit: INFINITY clamps nothing */
    double before, after;
    double keep1, take1, keep2, take2;
    double step, root, eps, direct, along;
} mpno_update_scalars;

/* p, g and each of state: n values. plane: of complex weights, only ADAM_MODULUS reads it. */
typedef void (*mpno_update)(void *p, void *const *state, const void *g, int64_t n, int64_t plane,
                            const mpno_update_scalars *scalars);

typedef struct mpno_update_kernels {
    mpno_update update[MPNO_N_UPDATES];
    /* sum[n] += g[n] */
    void (*accumulate)(void *sum, const void *g, int64_t n);
    /* average[n] += take (p[n] - average[n]) */
    void (*average)(void *average, const void *p, int64_t n, double take);
    /* Sum of g^2 in f64, in 16 interleaved partial sums. */
    double (*sum_squares)(const void *g, int64_t n);
} mpno_update_kernels;

/* isa is a cap. Never NULL for arithmetic in {MPNO_F32, MPNO_F64}. */
const mpno_update_kernels *mpno_update_kernels_get(mpno_isa isa, mpno_format arithmetic);

#endif
