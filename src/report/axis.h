/* SPDX-License-Identifier: MIT
 * Round numbers for an axis or a colour bar. */
#ifndef MPNO_REPORT_AXIS_H
#define MPNO_REPORT_AXIS_H

#include <stdbool.h>

#define MPNO_AXIS_MAX_TICKS 12

typedef struct mpno_axis {
    double low, high; /* low < high, both finite */
    bool logarithmic; /* and both positive */
    int n;            /* ticks, 1 or more */
    double at[MPNO_AXIS_MAX_TICKS];
    char label[MPNO_AXIS_MAX_TICKS][24];
} mpno_axis;

/* Multiples of 1, 2 or 5 * 10^k inside low .. high, at most n_wanted (2 .. MPNO_AXIS_MAX_TICKS) of
 * them, with labels that all have the same number of digits. A range of no width is widened around
 * its value; a range that is not finite becomes -1 .. 1. */
void mpno_axis_make(double low, double high, int n_wanted, mpno_axis *out);
/* The same for a logarithmic axis: as many of 1 .. 9 * 10^k as fit, or only powers of ten;
 * multiples of one step where the range holds less than two of them. A range that is not positive
 * becomes 1 .. 10. */
void mpno_axis_make_log(double low, double high, int n_wanted, mpno_axis *out);
/* Where `value` stands between the ends: 0 .. 1 inside; NaN where it has no place. */
double mpno_axis_place(const mpno_axis *axis, double value);

#endif
