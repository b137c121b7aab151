/* SPDX-License-Identifier: MIT
 * Means over seeds and how they compare. */
#ifndef MPNO_EXPERIMENT_STATISTICS_H
#define MPNO_EXPERIMENT_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

/* deviation: of single values, n - 1 in the denominator; 0 of one value. mean: NaN of none. */
typedef struct mpno_spread {
    size_t n;
    double mean, deviation;
} mpno_spread;

/* Values that are not finite are left out. */
mpno_spread mpno_spread_of(const double *values, size_t n);

/* How far the mean lies above the reference's, and how far it may: two standard errors of the
 * difference, 2 sqrt(s^2 / n + s_ref^2 / n_ref). Not worse: excess <= allowed. */
typedef struct mpno_comparison {
    double excess, allowed;
    bool not_worse;
} mpno_comparison;
mpno_comparison mpno_compare_spreads(const mpno_spread *own, const mpno_spread *reference);

/* A straight line through points by least squares, as a change over the range of x in parts of the
 * mean of y, and the half width of its 99 % interval (Student). Fewer than 3 points: NaN. */
typedef struct mpno_trend {
    double change, half_width;
} mpno_trend;
mpno_trend mpno_trend_of(const double *x, const double *y, size_t n);

#endif
