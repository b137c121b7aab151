/* SPDX-License-Identifier: MIT
 * GELU, tanh and their gradients in f32. With t = |x| and the normal distribution Phi, phi:
 *     gelu(x)  = x/2 + t (Phi(t) - 1/2)
 *     gelu'(x) = 1/2 +- (Phi(t) + t phi(t) - 1/2), the sign that of x
 *     tanh t   = m / (m + 2), m = exp(2t) - 1          <= 1: rounding is monotone; odd by its sign
 *     tanh' t  = 4 (m + 1) / (m + 2)^2
 * The functions of t are polynomials around the nearest of eight nodes, whose coefficients are
 * looked up by a permutation: no division and no exponential function, 2 to 3 times as fast as the
 * ratio that keeps the last bits of the far left tail. e^r - 1 is a polynomial. All are our own
 * fits (scripts/fit_functions.py).
 * Error in u = 2^-24: the constants of kernels.def, for gelu relative to |x|, for gelu' absolute,
 * for tanh relative to the result. (PyTorch's x/2 (1 + erf(x/sqrt 2)) has the same kind of error
 * in the left tail: 1 + erf cancels.) tanh: magnitudes below 2^-116 may become 0. NaN gives NaN.
 * Parameters: kernels_f32.h. */

#include "kernel/tmpl/function_loops.h"

/* 1.5 2^23: adding it leaves the nearest integer in the low bits. */
#define ROUND_TO_INTEGER 0x1.8p23f

/* e^r - 1 for |r| <= ln(2)/2. */
KERNEL_INLINE vf32 expm1_reduced(vf32 r) {
    vf32 p = vf32_set1(expm1_p[4]);
    for (int i = 3; i >= 0; i--) p = vf32_fma(p, r, vf32_set1(expm1_p[i]));
    return vf32_fma(vf32_mul(p, r), r, r);
}

/* x = n ln 2 + r. *k holds n in its low bits; returns r. */
KERNEL_INLINE vf32 reduce_exponent(vf32 x, vf32 *k) {
    *k = vf32_fma(x, vf32_set1(LOG2_E), vf32_set1(ROUND_TO_INTEGER));
    const vf32 n = vf32_sub(*k, vf32_set1(ROUND_TO_INTEGER));
    return vf32_fnma(n, vf32_set1(LN2_LOW), vf32_fnma(n, vf32_set1(LN2_HIGH), x));
}

/* e^x - 1 for 0 <= x <= 87. 2^n - 1 is exact as far as it matters. */
KERNEL_INLINE vf32 expm1_positive(vf32 x) {
    vf32 k;
    const vf32 q = expm1_reduced(reduce_exponent(x, &k));
    const vf32 power = vf32_add_exponent(vf32_set1(1.0f), k);
    return vf32_fma(power, q, vf32_sub(power, vf32_set1(1.0f)));
}

/* The polynomial around the node n step nearest to t, 0 <= t < 7.5 step. */
KERNEL_INLINE vf32 by_pieces(const float (*table)[8], const int degree, float step, float inverse,
                             vf32 t) {
    const vf32 k = vf32_fma(t, vf32_set1(inverse), vf32_set1(ROUND_TO_INTEGER));
    const vf32 n = vf32_sub(k, vf32_set1(ROUND_TO_INTEGER));
    const vf32 r = vf32_fnma(n, vf32_set1(step), t);
    vf32 p = vf32_lookup(table[degree], k);
    KERNEL_UNROLL
    for (int i = degree - 1; i >= 0; i--) p = vf32_fma(p, r, vf32_lookup(table[i], k));
    return p;
}

KERNEL_INLINE vf32 gelu_of(vf32 x) {
    const vf32 half = vf32_set1(0.5f), t = vf32_abs(x);
    const vf32 bell = by_pieces(bell_p, BELL_DEGREE, BELL_STEP, BELL_INVERSE, t);
    const vf32 near = vf32_fma(t, bell, vf32_mul(half, x));
    return vf32_select(vf32_less(vf32_set1(BELL_END), t), vf32_max(vf32_set1(0.0f), x), near);
}

KERNEL_INLINE vf32 gelu_slope(vf32 x) {
    const vf32 half = vf32_set1(0.5f), t = vf32_abs(x);
    const vf32 rise = by_pieces(slope_p, SLOPE_DEGREE, SLOPE_STEP, SLOPE_INVERSE, t);
    const vf32 bounded = vf32_select(vf32_less(vf32_set1(SLOPE_END), t), half, rise);
    return vf32_add(half, vf32_copysign(bounded, x));
}

/* exp(2t) overflows beyond 2t = 87; tanh is 1 from 9.02 on. */
KERNEL_INLINE vf32 twice_bounded(vf32 x, float bound) {
    const vf32 t = vf32_min(vf32_set1(bound), vf32_abs(x));
    return vf32_add(t, t);
}

KERNEL_INLINE vf32 tanh_of(vf32 x) {
    const vf32 m = expm1_positive(twice_bounded(x, 10.0f));
    return vf32_copysign(vf32_div(m, vf32_add(m, vf32_set1(2.0f))), x);
}

KERNEL_INLINE vf32 tanh_slope(vf32 x) {
    const vf32 bound = vf32_set1(43.0f);
    const vf32 m = expm1_positive(twice_bounded(x, 43.0f));
    const vf32 inverse = vf32_div(vf32_set1(2.0f), vf32_add(m, vf32_set1(2.0f)));
    const vf32 slope = vf32_mul(vf32_mul(vf32_add(m, vf32_set1(1.0f)), inverse), inverse);
    return vf32_zero_where(vf32_less(bound, vf32_abs(x)), slope);
}

FUNCTION(void, gelu_f32, gelu_of)
GRADIENT(void, gelu_grad_f32, gelu_slope)
FUNCTION(void, tanh_f32, tanh_of)
GRADIENT(void, tanh_grad_f32, tanh_slope)
#undef FUNCTION
#undef GRADIENT
#undef ROUND_TO_INTEGER
