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
