/* SPDX-License-Identifier: MIT
 * The definition of every kernel in plain C: f64 arithmetic, functions of the C library, one
 * rounding to T at the end. Never tuned: the other tables are tested against this one. */
#include "kernel/tables.h"

#include <math.h>

#include "number/format.h"

/* Constants of GELU: 1/sqrt(2) and 1/sqrt(2 pi). */
static const double inv_sqrt2 = 0.70710678118654752440;
static const double inv_sqrt2pi = 0.39894228040143267794;

/* erfc, not 1 + erf: the left tail keeps its relative accuracy. */
static double gelu_of(double x) {
    return x == -INFINITY ? 0.0 : 0.5 * x * erfc(-x * inv_sqrt2);
}

static double gelu_slope(double x) {
    double density = inv_sqrt2pi * exp(-0.5 * x * x);
    return 0.5 * erfc(-x * inv_sqrt2) + (isinf(x) ? 0.0 : x * density);
}

/* 1 - tanh^2 = 4 e / (1 + e)^2 with e = exp(-2|x|), without cancellation. */
static double tanh_slope(double x) {
    double e = exp(-2.0 * fabs(x));
    return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

#define T float
#define K(name) name##_f32
#define T_FORMAT MPNO_F32
#include "kernel/ref/kernels_ref.h"
#undef T
#undef K
#undef T_FORMAT

#define T double
#define K(name) name##_f64
#define T_FORMAT MPNO_F64
#include "kernel/ref/kernels_ref.h"
#undef T
#undef K
#undef T_FORMAT

#define TABLE mpno_kernels_ref
#define TABLE_ISA MPNO_ISA_PORTABLE
#include "kernel/tmpl/table.h"
