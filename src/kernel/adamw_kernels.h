/* SPDX-License-Identifier: MIT
 * The inner loop of AdamW, one table per (ISA, arithmetic type T in {f32, f64}). One pass over a
 * weight: g' = unscale g;  p *= before;  m += (1 - beta1) (g' - m);  v = beta2 v + (1 - beta2) g'^2
 *     p -= step m / (sqrt(v) root + eps);  p *= after
 * Both conventions of mpno/optimizer.h are this with other scalars. Elementwise, no fused
 * multiply-add: the result is bitwise the same on every ISA. Buffers are of type T and do not
 * overlap. */
#ifndef MPNO_KERNEL_ADAMW_KERNELS_H
#define MPNO_KERNEL_ADAMW_KERNELS_H

#include <stdint.h>

#include "core/cpu.h"
#include "mpno/format.h"

typedef struct mpno_adamw_scalars {
    double unscale, before, beta1, beta2, step, root, eps, after;
} mpno_adamw_scalars;

typedef struct mpno_adamw_kernels {
    /* p, m, v, g: n values each. */
    void (*update)(void *p, void *m, void *v, const void *g, int64_t n,
                   const mpno_adamw_scalars *scalars);
    /* The same on [blocks][2][plane] (planes of real and imaginary parts) with one v for both
     * parts, of |g|^2; it lies in the real plane of v, the imaginary plane is not touched. */
    void (*update_modulus)(void *p, void *m, void *v, const void *g, int64_t blocks, int64_t plane,
                           const mpno_adamw_scalars *scalars);
} mpno_adamw_kernels;

/* isa is a cap. Never NULL for arithmetic in {MPNO_F32, MPNO_F64}. */
const mpno_adamw_kernels *mpno_adamw_kernels_get(mpno_isa isa, mpno_format arithmetic);

#endif
