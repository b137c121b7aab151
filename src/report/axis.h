/* SPDX-License-Identifier: MIT
 * Round numbers for an axis or a colour bar. */
#ifndef MPNO_REPORT_AXIS_H
#define MPNO_REPORT_AXIS_H

#define MPNO_AXIS_MAX_TICKS 12

typedef struct mpno_axis {
    double low, high; /* low < high, both finite */
    int n;            /* ticks, 1 or more */
    double at[MPNO_AXIS_MAX_TICKS];
    char label[MPNO_AXIS_MAX_TICKS][24];
} mpno_axis;

/* Multiples of 1, 2 or 5 * 10^k inside low .. high, at most n_wanted (2 .. MPNO_AXIS_MAX_TICKS) of
 * them, with labels that all have the same number of digits. A range of no width is widened around
 * its value; a range that is not finite becomes -1 .. 1. */
void mpno_axis_make(double low, double high, int n_wanted, mpno_axis *out);

#endif
