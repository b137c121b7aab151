/* SPDX-License-Identifier: MIT
 * Captured rounding errors: how far a computed product is from the exact product of its operands,
 * by splitting the operands so that the product of the leading parts is exact in f64 (the sums keep
 * within 53 bits) and the rest is small. Where a bound has to reckon with as many roundings as a
 * sum has terms, one after the other in the worst direction, the captured error is what happened, a
 * few u: hundreds of times less. Source of the splitting: Rump, Ogita, Oishi, "Accurate
 * floating-point summation, part I" (SIAM J. Sci. Comput. 31, 2008); here in one step. Theory:
 * docs/theory/certificates.md, statement B11. */
#ifndef MPNO_CERTIFY_CAPTURED_H
#define MPNO_CERTIFY_CAPTURED_H

#include "core/context.h"
#include "kernel/kernel.h"

/* Bits of leading parts whose sums of n products are exact. */
int mpno_captured_bits(int64_t n);
/* x = high + low exactly, `high` of so many bits below the largest |x|; gives squares of 2-norms.
 */
typedef struct mpno_split {
    double high, low;
} mpno_split;
mpno_split mpno_captured_split(const double *x, int64_t n, int bits, double *high, double *low);
/* a + b = sum + rest exactly (Knuth). */
static inline void mpno_two_sum(double a, double b, double *sum, double *rest) {
    const double s = a + b, t = s - a;
    *sum = s;
    *rest = (a - (s - t)) + (b - t);
}

/* y [rows][outputs] for x [rows][inputs] times w' + b, w [outputs][inputs], b [outputs] or NULL;
 * all f64. Gives a bound of the root of the mean over rows of |y - exact|^2. */
MPNO_WARN_UNUSED mpno_status mpno_captured_linear(mpno_ctx *ctx, int64_t rows, int64_t inputs,
                                                  int64_t outputs, const double *x, const double *w,
                                                  const double *b, const double *y, double *error);

/* Not captured but bounded value by value: y = gelu(x) as f64 kernels compute it. Right of 0 the C
 * library's erf is off by 1 ulp (glibc manual), its argument by 2 u where |z erf'(z)| <= 0.484, and
 * the sum and the product round: 2.5 u x. Left of 0 erfc is off by 5 ulp: 11 u |y| + u |x| / 2.
 * Gives the root of the mean over rows. */
double mpno_captured_gelu(int64_t rows, int64_t channels, const double *x, const double *y);

/* Of a spectrum times a matrix for each mode, y[k] = x[k] W[block k]: x [modes][2][inputs], w
 * [blocks][2][inputs][outputs], y [modes][2][outputs]. blocks NULL: all meet the first. weights: w
 * of each mode, or NULL for 1. Gives a bound of the root of the weighted sum of |y - exact|^2. */
typedef struct mpno_captured_modes {
    int64_t modes, inputs, outputs;
    const int32_t *blocks;
    const double *weights;
    const double *x, *w, *y;
} mpno_captured_modes;
MPNO_WARN_UNUSED mpno_status mpno_captured_contract(mpno_ctx *ctx, const mpno_captured_modes *modes,
                                                    double *error);

#endif
