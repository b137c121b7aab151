/* SPDX-License-Identifier: MIT
 * Shorthands of formulas for ranges (test_range_formulas.c). Functions assert rather than return a
 * status. */
#ifndef TESTS_UNIT_CERTIFY_RANGE_FORMULA_H
#define TESTS_UNIT_CERTIFY_RANGE_FORMULA_H

#include <math.h>

#include "certify/range/range.h"

typedef mpno_range_walk walk;
/* Fills y, which comes as a rule gets it. */
typedef void formula(walk *w, const mpno_node *node, mpno_range *y);

static inline const mpno_range *in(walk *w, const mpno_node *node, int i) {
    return &w->edges[node->in[i]];
}

static inline double points(const walk *w, int edge) {
    return (double)w->graph->grids[w->graph->edges[edge].grid].points;
}

static inline double unit(const walk *w) {
    return w->policy.base == MPNO_F32 ? 0x1p-24 : 0x1p-53;
}

static inline double mean(const mpno_range *r, int64_t c) {
    return r->rms[c] < r->most[c] ? r->rms[c] : r->most[c];
}

static inline double greater(double a, double b) {
    return a > b ? a : b;
}

static inline double lesser(double a, double b) {
    return a < b ? a : b;
}

static inline double square(double x) {
    return x * x;
}

static inline double guard(const walk *w, double x) {
    return x <= (w->policy.base == MPNO_F32 ? 0x1.fffffep126 : 0x1.fffffffffffffp1022) ? 0
                                                                                       : INFINITY;
}

static inline void put(mpno_range *y, int64_t c, double low, double high, double rms) {
    y->low[c] = low, y->high[c] = high, y->rms[c] = rms;
    y->most[c] = greater(-low, high);
}

static inline double *weights(walk *w, const mpno_node *node, int i, double **slack) {
    double *values;
    if (mpno_range_values(w, node, i, &values, slack) != MPNO_OK) fail();
    return values;
}

#endif
