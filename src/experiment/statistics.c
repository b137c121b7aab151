/* SPDX-License-Identifier: MIT
 * Means over seeds: see statistics.h. */
#include "experiment/statistics.h"

#include <math.h>

mpno_spread mpno_spread_of(const double *values, size_t n) {
    mpno_spread s = {.mean = 0};
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) continue;
        s.n++;
        s.mean += values[i];
    }
    s.mean = s.n > 0 ? s.mean / (double)s.n : NAN;
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i])) squares += (values[i] - s.mean) * (values[i] - s.mean);
    s.deviation = s.n > 1 ? sqrt(squares / (double)(s.n - 1)) : 0;
    return s;
}

mpno_comparison mpno_compare_spreads(const mpno_spread *own, const mpno_spread *reference) {
    mpno_comparison c = {.excess = NAN, .allowed = NAN};
    if (own->n == 0 || reference->n == 0) return c;
    c.excess = own->mean - reference->mean;
    c.allowed = 2 * sqrt(own->deviation * own->deviation / (double)own->n +
                         reference->deviation * reference->deviation / (double)reference->n);
    c.not_worse = c.excess <= c.allowed;
    return c;
}

/* 0.995 quantile of Student's t (Abramowitz and Stegun, table 26.10); beyond 30 the expansion
 * 26.7.5, which is right to 1e-3 there. */
static double student(size_t freedom) {
    static const double table[] = {63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355,
                                   3.250,  3.169, 3.106, 3.055, 3.012, 2.977, 2.947, 2.921,
                                   2.898,  2.878, 2.861, 2.845, 2.831, 2.819, 2.807, 2.797,
                                   2.787,  2.779, 2.771, 2.763, 2.756, 2.750};
    const double z = 2.5758293;
    if (freedom <= sizeof table / sizeof *table) return table[freedom - 1];
    return z + (z * z * z + z) / (4 * (double)freedom);
}

mpno_trend mpno_trend_of(const double *x, const double *y, size_t n) {
    mpno_trend t = {NAN, NAN};
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0, rest = 0, low = INFINITY, high = -INFINITY;
    if (n < 3) return t;
    for (size_t i = 0; i < n; i++) {
        mean_x += x[i] / (double)n;
        mean_y += y[i] / (double)n;
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    const double slope = xy / xx;
    for (size_t i = 0; i < n; i++) {
        const double r = y[i] - mean_y - slope * (x[i] - mean_x);
        rest += r * r;
    }
    const double unit = (high - low) / mean_y;
    t.change = slope * unit;
    t.half_width = student(n - 2) * sqrt(rest / (double)(n - 2) / xx) * unit;
    return t;
}
