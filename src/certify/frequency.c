/* SPDX-License-Identifier: MIT
 * See frequency.h. */
#include "certify/frequency.h"

#include <math.h>

#include "certify/upwards.h"
#include "number/format.h"

double mpno_rounding_eta(mpno_format format) {
    const mpno_format_facts *f = mpno_format_get(format);
    return ldexp(1.0, f->min_exponent - f->significand);
}

double mpno_rounding_most(double x, mpno_format format) {
    const mpno_format_facts *f = mpno_format_get(format);
    if (x == 0) return 0;
    const int exponent = ilogb(x) > f->min_exponent ? ilogb(x) : f->min_exponent;
    return ldexp(1.0, exponent - f->significand);
}

mpno_floor mpno_floor_of(const double *v, int64_t n, mpno_format format) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        const double most = mpno_rounding_most(v[i], format);
        sum += most;
        squares += most * most;
    }
    return (mpno_floor){.mean = mpno_up(sum / (double)n, n + 1),
                        .root = mpno_up(sqrt(squares / (double)n), n + 3)};
}

double mpno_floor_of_modes(const mpno_floor *floor, int64_t modes) {
    return fmin(floor->root, mpno_up(sqrt((double)modes) * floor->mean, 2));
}

double mpno_floor_at_points(const mpno_floor *floor, int64_t modes) {
    return fmin(mpno_up(sqrt((double)modes) * floor->root, 2),
                mpno_up((double)modes * floor->mean, 1));
}

double mpno_floor_stochastic(const mpno_floor *floor, int64_t modes, int64_t points) {
    return mpno_up(floor->root * floor->root * (double)modes / (double)points, 4);
}

mpno_butterflies mpno_butterflies_of(int ndim, const int64_t *points, mpno_format format) {
    const double u = mpno_format_unit(format), f32 = 0x1p-24, root_half = 0.70710678118654757;
    double growth = 1 + u;
    int64_t roundings = 1;
    for (int d = 0; d < ndim; d++) {
        int64_t n = points[d];
        for (; n % 2 == 0; n /= 2, roundings += 6) {
            growth *= (1 + u) * (1 + 4 * f32);
            if (n > 4) growth *= 1 + u * root_half; /* of 2 and 4 points the roots are exact */
        }
        if (n != 1) return (mpno_butterflies){INFINITY, INFINITY};
    }
    growth = mpno_up(growth, roundings);
    return (mpno_butterflies){
        .growth = mpno_up(growth - 1, 1),
        .underflow = mpno_up((2 * growth + 1) * sqrt(2) * mpno_rounding_eta(format), 5)};
}
