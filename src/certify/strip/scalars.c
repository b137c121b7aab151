/* SPDX-License-Identifier: MIT
 * See scalars.h. */
#include "certify/strip/scalars.h"

#include <math.h>

#include "certify/upwards.h"

/* Panels of trapezoids over convex functions, which lie below them. */
enum { PANELS = 8 };
/* Evaluated at a v that is enlarged, so that rounding of v near a pole is on the safe side. */
static const double HALF_PI = 1.5707963267948966, NEAR_POLE = 1e-6;

static const mpno_plane_bound NONE = {INFINITY, INFINITY, INFINITY, INFINITY};

static double normal_below(double x) {
    return 0.5 * erfc(-x * 0.70710678118654752);
}

static double normal_density(double x) {
    return 0.39894228040143268 * exp(-0.5 * x * x);
}

/* The largest of Phi(u) + u phi(u) c over u >= 0, reached where u^2 = 1 + 1 / c: at s = 0 the
 * largest slope of GELU. */
static double gelu_slope(double s) {
    const double c = (2 + s * s) * exp(0.5 * s * s) - 1, u = sqrt(1 + 1 / c);
    return normal_below(u) + u * normal_density(u) * c;
}

static double exp_half_square(double s) {
    return exp(0.5 * s * s);
}

/* At least the integral of the convex f from 0 to v, over v. */
static double mean_of_convex(double (*f)(double), double v) {
    double sum = 0.5 * (f(0) + f(v));
    for (int i = 1; i < PANELS; i++) sum += f(v * i / PANELS);
    return sum / PANELS;
}

mpno_plane_bound mpno_plane_gelu(double v) {
    const double e = v * mean_of_convex(exp_half_square, v);
    const double whole = e > 0 ? normal_below(1 / e) + e * normal_density(1 / e) : 1;
    return (mpno_plane_bound){.bend = MPNO_ENLARGED * mean_of_convex(gelu_slope, v),
                              .grow = MPNO_ENLARGED * whole,
                              .most = INFINITY,
                              .zero = 0};
}

mpno_plane_bound mpno_plane_tanh(double v) {
    const double wide = v * (1 + NEAR_POLE);
    if (!(wide < HALF_PI - NEAR_POLE)) return NONE;
    const double cosine = cos(wide), tangent = tan(wide);
    return (mpno_plane_bound){.bend = MPNO_ENLARGED * (v > 1e-9 ? tangent / wide : 1),
                              .grow = MPNO_ENLARGED / (cosine * cosine),
                              .most = MPNO_ENLARGED * fmax(1, tangent),
                              .zero = 0};
}

/* (1 + tanh(z / 2)) / 2 */
mpno_plane_bound mpno_plane_sigmoid(double v) {
    const mpno_plane_bound half = mpno_plane_tanh(v / 2);
    return (mpno_plane_bound){.bend = half.bend / 4,
                              .grow = half.grow / 4,
                              .most = MPNO_ENLARGED * (1 + half.most) / 2,
                              .zero = 0.5};
}

mpno_plane_bound mpno_plane_arcsinh(double v) {
    const double wide = v * (1 + NEAR_POLE);
    if (!(wide < 1 - NEAR_POLE)) return NONE;
    return (mpno_plane_bound){.bend = MPNO_ENLARGED * (v > 1e-9 ? asin(wide) / wide : 1),
                              .grow = MPNO_ENLARGED / sqrt(1 - wide * wide),
                              .most = INFINITY,
                              .zero = 0};
}

mpno_plane_bound mpno_plane_learned_tanh(double a, double v) {
    const double size = fabs(a);
    mpno_plane_bound b = mpno_plane_tanh(MPNO_ENLARGED * v / size);
    b.most *= MPNO_ENLARGED * size;
    return b;
}
