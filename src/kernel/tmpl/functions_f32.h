/* SPDX-License-Identifier: MIT
 * GELU, tanh and their gradients in f32. With t = |x|, e = exp(-t^2/2) and the tail of the normal
 * distribution Phi(-t) = e M(t):
 *     gelu(x)  = max(x, 0) - t Phi(-t)                 no cancellation on either side
 *     gelu'(x) = [x > 0] +- (t e/sqrt(2 pi) - Phi(-t)) + right of 0, - left of it
 *     tanh t   = m / (m + 2), m = exp(2t) - 1          <= 1: rounding is monotone; odd by its sign
 *     tanh' t  = 4 (m + 1) / (m + 2)^2
 * M is a rational function, 2^f and e^r - 1 are polynomials, all our own fits
 * (scripts/fit_functions.py). t^2 is carried in two parts.
 * Error in u = 2^-24: the constants of kernels.def, relative to the result; for gelu' relative to
 * max(|gelu'|, e). Magnitudes below 2^-116 may become 0. NaN gives NaN.
 * Parameters: kernels_f32.h. */

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

/* v exp(-t^2/2) for 0 <= t <= TAIL_CUTOFF, as 2^n (v + v (2^f - 1)). The products t^2 and t^2
 * log2(e)/2 are carried in two parts: what one rounding of either loses is multiplied by the size
 * of the exponent. v is scaled by adding n to its exponent: it must be normal unless n = 0, that is
 * t < 0.83. */
KERNEL_INLINE vf32 times_gauss(vf32 v, vf32 t) {
    const vf32 square = vf32_mul(t, t), high = vf32_set1(GAUSS_HIGH);
    const vf32 rest = vf32_fms_exact(t, t, square);
    const vf32 k = vf32_fma(square, high, vf32_set1(ROUND_TO_INTEGER));
    const vf32 n = vf32_sub(k, vf32_set1(ROUND_TO_INTEGER));
    vf32 f = vf32_fms_exact(square, high, n);
    f = vf32_fma(square, vf32_set1(GAUSS_LOW), f);
    f = vf32_fma(rest, high, f);
    vf32 p = vf32_set1(exp2_p[5]);
    for (int i = 4; i >= 0; i--) p = vf32_fma(p, f, vf32_set1(exp2_p[i]));
    const vf32 scaled = vf32_add_exponent(v, k);
    return vf32_fma(vf32_mul(p, f), scaled, scaled);
}

/* M(t) = exp(t^2/2) Phi(-t). Pairs, then powers of t^2: fewer roundings in a row than Horner's
 * rule, and what rounding t^2 costs is nearly the same in P and Q. */
KERNEL_INLINE vf32 tail_ratio(vf32 t) {
    const vf32 square = vf32_mul(t, t);
    const vf32 p01 = vf32_fma(vf32_set1(tail_p[1]), t, vf32_set1(tail_p[0]));
    const vf32 p23 = vf32_fma(vf32_set1(tail_p[3]), t, vf32_set1(tail_p[2]));
    const vf32 q01 = vf32_fma(vf32_set1(tail_q[1]), t, vf32_set1(tail_q[0]));
    const vf32 q23 = vf32_fma(vf32_set1(tail_q[3]), t, vf32_set1(tail_q[2]));
    const vf32 q45 = vf32_fma(vf32_set1(tail_q[5]), t, vf32_set1(tail_q[4]));
    const vf32 p = vf32_fma(vf32_fma(vf32_set1(tail_p[4]), square, p23), square, p01);
    const vf32 q = vf32_fma(vf32_fma(q45, square, q23), square, q01);
    return vf32_div(p, q);
}

KERNEL_INLINE vf32 gelu_of(vf32 x) {
    const vf32 zero = vf32_set1(0.0f), cutoff = vf32_set1(TAIL_CUTOFF), size = vf32_abs(x);
    const vf32 t = vf32_min(cutoff, size);
    const vf32 lost = times_gauss(vf32_mul(t, tail_ratio(t)), t);
    return vf32_sub(vf32_max(zero, x), vf32_zero_where(vf32_less(cutoff, size), lost));
}

KERNEL_INLINE vf32 gelu_slope(vf32 x) {
    const vf32 zero = vf32_set1(0.0f), one = vf32_set1(1.0f);
    const vf32 cutoff = vf32_set1(TAIL_CUTOFF), size = vf32_abs(x);
    const vf32 t = vf32_min(cutoff, size);
    const vf32 weight = vf32_sub(vf32_mul(t, vf32_set1(INV_SQRT_2PI)), tail_ratio(t));
    const vf32 w = vf32_zero_where(vf32_less(cutoff, size), times_gauss(weight, t));
    return vf32_select(vf32_less(zero, x), vf32_add(one, w), vf32_neg(w));
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

static void gelu_f32(void *dst_, const void *x_, int64_t n) {
    const float *x = x_;
    float *dst = dst_;
    int64_t i = 0;
    for (; i + VF32_LANES <= n; i += VF32_LANES) vf32_store(dst + i, gelu_of(vf32_load(x + i)));
    if (i < n) vf32_store_part(dst + i, gelu_of(vf32_load_part(x + i, n - i)), n - i);
}

static void tanh_f32(void *dst_, const void *x_, int64_t n) {
    const float *x = x_;
    float *dst = dst_;
    int64_t i = 0;
    for (; i + VF32_LANES <= n; i += VF32_LANES) vf32_store(dst + i, tanh_of(vf32_load(x + i)));
    if (i < n) vf32_store_part(dst + i, tanh_of(vf32_load_part(x + i, n - i)), n - i);
}

static void gelu_grad_f32(void *dst_, const void *x_, const void *dy_, int64_t n) {
    const float *x = x_, *dy = dy_;
    float *dst = dst_;
    int64_t i = 0;
    for (; i + VF32_LANES <= n; i += VF32_LANES) {
        vf32_store(dst + i, vf32_mul(vf32_load(dy + i), gelu_slope(vf32_load(x + i))));
    }
    if (i < n) {
        const vf32 slope = gelu_slope(vf32_load_part(x + i, n - i));
        vf32_store_part(dst + i, vf32_mul(vf32_load_part(dy + i, n - i), slope), n - i);
    }
}

static void tanh_grad_f32(void *dst_, const void *x_, const void *dy_, int64_t n) {
    const float *x = x_, *dy = dy_;
    float *dst = dst_;
    int64_t i = 0;
    for (; i + VF32_LANES <= n; i += VF32_LANES) {
        vf32_store(dst + i, vf32_mul(vf32_load(dy + i), tanh_slope(vf32_load(x + i))));
    }
    if (i < n) {
        const vf32 slope = tanh_slope(vf32_load_part(x + i, n - i));
        vf32_store_part(dst + i, vf32_mul(vf32_load_part(dy + i, n - i), slope), n - i);
    }
}

#undef ROUND_TO_INTEGER
