/* SPDX-License-Identifier: MIT
 * Roots of unity by octant reduction. Error: 2^-63 before the rounding to a table. */
#include "transform/fft/roots.h"

#include <math.h>

#include "number/format.h"

/* Angle 2 pi a / (8 n), 0 <= a <= n: the first octant. */
static void first_octant(int64_t a, int64_t n, long double *cosine, long double *sine) {
    const long double two_pi = 6.283185307179586476925286766559005768L;
    long double angle = two_pi * (long double)a / (8.0L * (long double)n);
    *cosine = cosl(angle);
    *sine = sinl(angle);
}

void mpno_root(int64_t j, int64_t n, long double *cosine, long double *sine) {
    int64_t r = j % n;
    if (r < 0) r += n;
    int64_t a = 8 * r; /* in units of an octant / n: 0 <= a < 8 n */
    int below = a > 4 * n;
    if (below) a = 8 * n - a;
    int left = a > 2 * n;
    if (left) a = 4 * n - a;
    if (a > n) {
        first_octant(2 * n - a, n, sine, cosine);
    } else {
        first_octant(a, n, cosine, sine);
    }
    if (left) *cosine = -*cosine;
    if (below) *sine = -*sine;
}

void mpno_table_set(void *table, mpno_format arithmetic, int64_t i, long double x) {
    if (arithmetic == MPNO_F64) {
        ((double *)table)[i] = (double)x;
    } else if (arithmetic == MPNO_F16) {
        ((float *)table)[i] = mpno_f16_to_f32(mpno_f16_from_f64((double)x));
    } else if (arithmetic == MPNO_BF16) {
        ((float *)table)[i] = mpno_bf16_to_f32(mpno_bf16_from_f64((double)x));
    } else {
        ((float *)table)[i] = (float)x;
    }
}

size_t mpno_table_bytes(mpno_format arithmetic) {
    return arithmetic == MPNO_F64 ? sizeof(double) : sizeof(float);
}
