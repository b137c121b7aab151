/* SPDX-License-Identifier: MIT
 * GELU, tanh and their gradients in f32. With t = |x| and the tail of the normal distribution Phi(-t) = e M(t), e = exp(-t^2/2):
 *     gelu(x)  = max(x, 0) - t Phi(-t)                      no cancellation on either side: relative accuracy everywhere
 *     gelu'(x) = [x > 0] +- (t e/sqrt(2 pi) - Phi(-t))      + right of 0, - left of it
 *     tanh t   = m / (m + 2), m = exp(2t) - 1               at most 1 by monotone rounding; odd by construction
 *     tanh' t  = 4 (m + 1) / (m + 2)^2
 * M is a rational function, e^r - 1 a polynomial, both our own fits (scripts/fit_functions.py). t^2 is carried in two parts.
 * Error, in u = 2^-24 (constants in kernels.def, tested over all exponents): gelu relative; tanh relative; tanh_grad relative;
 * gelu_grad relative to max(|gelu'|, e^{-x^2/2}). Magnitudes below 2^-120 may become 0. NaN gives NaN.
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

/* exp(-t^2/2) for 0 <= t <= TAIL_CUTOFF. */
KERNEL_INLINE vf32 gauss(vf32 t) {
    const vf32 minus_half = vf32_set1(-0.5f);
    const vf32 square = vf32_mul(t, t);
    const vf32 rest = vf32_product_error(t, t, square);
    vf32 k;
    vf32 r = reduce_exponent(vf32_mul(square, minus_half), &k);
    r = vf32_fma(rest, minus_half, r);
    return vf32_add_exponent(vf32_add(expm1_reduced(r), vf32_set1(1.0f)), k);
}

/* M(t) = exp(t^2/2) Phi(-t). */
KERNEL_INLINE vf32 tail_ratio(vf32 t) {
    vf32 p = vf32_set1(tail_p[4]), q = vf32_set1(tail_q[5]);
    for (int i = 3; i >= 0; i--) p = vf32_fma(p, t, vf32_set1(tail_p[i]));
    for (int i = 4; i >= 0; i--) q = vf32_fma(q, t, vf32_set1(tail_q[i]));
    return vf32_div(p, q);
}

KERNEL_INLINE vf32 gelu_of(vf32 x) {
    const vf32 zero = vf32_set1(0.0f), cutoff = vf32_set1(TAIL_CUTOFF), size = vf32_abs(x);
    const vf32 t = vf32_min(cutoff, size);
    const vf32 lost = vf32_mul(vf32_mul(gauss(t), t), tail_ratio(t));
    return vf32_sub(vf32_max(zero, x), vf32_select(vf32_less(cutoff, size), zero, lost));
}

KERNEL_INLINE vf32 gelu_slope(vf32 x) {
    const vf32 zero = vf32_set1(0.0f), one = vf32_set1(1.0f);
    const vf32 cutoff = vf32_set1(TAIL_CUTOFF), size = vf32_abs(x);
    const vf32 t = vf32_min(cutoff, size);
    const vf32 weight = vf32_sub(vf32_mul(t, vf32_set1(INV_SQRT_2PI)), tail_ratio(t));
    vf32 w = vf32_mul(gauss(t), weight);
    w = vf32_select(vf32_less(cutoff, size), zero, w);
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
    return vf32_select(vf32_less(bound, vf32_abs(x)), vf32_set1(0.0f), slope);
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
