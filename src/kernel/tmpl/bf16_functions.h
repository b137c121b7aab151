/* SPDX-License-Identifier: MIT
 * GELU, tanh and their gradients (functions_f32.h) for results that are rounded to bf16 next, by
 * AVX-512: polynomials of degree 3 and 4 around sixteen nodes, as many as a vector holds. What
 * limits GELU is the look-up of coefficients, 4 of them instead of 7 and 8, and tanh the division
 * that is not needed here. tanh' = 1 - tanh^2.
 * Error: the constants of bf16_kernels.h. |gelu(x)| <= |x|, |tanh(x)| <= 1. NaN gives NaN. */
#include "kernel/tmpl/vec_avx512.h"

#include "kernel/tmpl/function_loops.h"
#include "kernel/tmpl/functions_coefficients.h"

/* 1.5 2^23: adding it leaves the nearest integer in the low bits. */
#define ROUND_TO_INTEGER 0x1.8p23f

/* The polynomial around the node n step nearest to t, 0 <= t < 15.5 step. */
KERNEL_INLINE vf32 by_short_pieces(const float (*table)[16], const int degree, float step,
                                   float inverse, vf32 t) {
    const vf32 k = vf32_fma(t, vf32_set1(inverse), vf32_set1(ROUND_TO_INTEGER));
    const vf32 r = vf32_fnma(vf32_sub(k, vf32_set1(ROUND_TO_INTEGER)), vf32_set1(step), t);
    const __m512i lane = _mm512_castps_si512(k);
    vf32 p = _mm512_permutexvar_ps(lane, _mm512_load_ps(table[degree]));
    KERNEL_UNROLL
    for (int i = degree - 1; i >= 0; i--)
        p = vf32_fma(p, r, _mm512_permutexvar_ps(lane, _mm512_load_ps(table[i])));
    return p;
}

KERNEL_INLINE vf32 short_gelu(vf32 x) {
    const vf32 t = vf32_abs(x), half = vf32_set1(0.5f);
    const vf32 bell =
        by_short_pieces(short_bell_p, SHORT_BELL_DEGREE, SHORT_BELL_STEP, SHORT_BELL_INVERSE, t);
    const vf32 near = vf32_fma(t, vf32_min(half, bell), vf32_mul(half, x));
    return vf32_select(vf32_less(vf32_set1(SHORT_BELL_END), t), vf32_max(vf32_set1(0.0f), x), near);
}

KERNEL_INLINE vf32 short_slope(vf32 x) {
    const vf32 t = vf32_abs(x), half = vf32_set1(0.5f);
    const vf32 rise = by_short_pieces(short_slope_p, SHORT_SLOPE_DEGREE, SHORT_SLOPE_STEP,
                                      SHORT_SLOPE_INVERSE, t);
    const vf32 bounded = vf32_select(vf32_less(vf32_set1(SHORT_SLOPE_END), t), half, rise);
    return vf32_add(half, vf32_copysign(bounded, x));
}

KERNEL_INLINE vf32 short_tanh(vf32 x) {
    const vf32 t = vf32_min(vf32_set1(SHORT_TANH_END), vf32_abs(x));
    const vf32 y =
        by_short_pieces(short_tanh_p, SHORT_TANH_DEGREE, SHORT_TANH_STEP, SHORT_TANH_INVERSE, t);
    return vf32_copysign(vf32_min(vf32_set1(1.0f), y), x);
}

KERNEL_INLINE vf32 short_tanh_slope(vf32 x) {
    const vf32 y = short_tanh(x);
    return vf32_fnma(y, y, vf32_set1(1.0f));
}

FUNCTION(float, gelu, short_gelu)
GRADIENT(float, gelu_grad, short_slope)
FUNCTION(float, tanh_, short_tanh)
GRADIENT(float, tanh_grad, short_tanh_slope)
#undef FUNCTION
#undef GRADIENT
#undef ROUND_TO_INTEGER
