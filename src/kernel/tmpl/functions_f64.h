/* SPDX-License-Identifier: MIT
 * GELU, tanh and their gradients in f64 by the C library: f64 arithmetic is for checking, not for
 * speed. Error: about 1e-15 relative near 0, growing with x^2/2 u in the left tail of gelu', where
 * exp amplifies the rounding of x^2. Parameters: kernels_f32.h. */

static void gelu_f64(void *dst_, const void *x_, int64_t n) {
    const double *x = x_;
    double *dst = dst_;
    for (int64_t i = 0; i < n; i++) {
        const double v = x[i];
        const double z = v * 0.70710678118654752440;
        /* On the left erfc, not 1 + erf: the tail keeps its relative accuracy. -inf times 0 would
         * be NaN. */
        const double twice = v > 0 ? 1 + erf(z) : erfc(-z);
        dst[i] = v == -(double)INFINITY ? 0.0 : 0.5 * v * twice;
    }
}

static void gelu_grad_f64(void *dst_, const void *x_, const void *dy_, int64_t n) {
    const double *x = x_, *dy = dy_;
    double *dst = dst_;
    for (int64_t i = 0; i < n; i++) {
        const double v = x[i];
        const double bell = isinf(v) ? 0.0 : v * 0.39894228040143267794 * exp(-0.5 * v * v);
        dst[i] = dy[i] * (0.5 * erfc(-v * 0.70710678118654752440) + bell);
    }
}

static void tanh_f64(void *dst_, const void *x_, int64_t n) {
    const double *x = x_;
    double *dst = dst_;
    for (int64_t i = 0; i < n; i++) dst[i] = tanh(x[i]);
}

/* 1 - tanh^2 = 4 e / (1 + e)^2 with e = exp(-2|x|): no cancellation. */
static void tanh_grad_f64(void *dst_, const void *x_, const void *dy_, int64_t n) {
    const double *x = x_, *dy = dy_;
    double *dst = dst_;
    for (int64_t i = 0; i < n; i++) {
        const double e = exp(-2.0 * fabs(x[i]));
        dst[i] = dy[i] * (4.0 * e / ((1.0 + e) * (1.0 + e)));
    }
}
