/* SPDX-License-Identifier: MIT
 * The step is the smallest of 1, 2, 5 * 10^k that needs no more ticks than wanted. */
#include "report/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double round_step(double width, int n_wanted) {
    double power = pow(10, floor(log10(width / n_wanted)));
    static const double factors[] = {1, 2, 5, 10, 20};
    for (int i = 0; i < 4; i++)
        if (width / (factors[i] * power) + 1 <= n_wanted) return factors[i] * power;
    return factors[4] * power;
}

/* Plain digits where they are short, else one power of ten for all labels: 1.5e-5, 2.0e-5. */
static void write_label(double value, double step, double largest, char *out, size_t capacity) {
    int exponent = largest > 0 ? (int)floor(log10(largest) + 1e-9) : 0;
    int step_exponent = (int)floor(log10(step) + 1e-9);
    if (exponent >= -3 && exponent < 5) exponent = 0;
    int decimals = exponent > step_exponent ? exponent - step_exponent : 0;
    if (decimals > 9) decimals = 9;
    if (value == 0)
        snprintf(out, capacity, "0");
    else if (exponent == 0)
        snprintf(out, capacity, "%.*f", decimals, value);
    else
        snprintf(out, capacity, "%.*fe%d", decimals, value / pow(10, exponent), exponent);
}

void mpno_axis_make(double low, double high, int n_wanted, mpno_axis *out) {
    memset(out, 0, sizeof *out);
    if (!isfinite(low) || !isfinite(high) || low > high) low = -1, high = 1;
    /* The width must survive the rounding of low and high, or no tick is between them. */
    double least = 1e-9 * fmax(fabs(low), fabs(high));
    if (high - low <= least) {
        double around = 0.5 * (low + high), half = around != 0 ? 0.5 * fabs(around) : 1;
        low = around - half;
        high = around + half;
    }
    out->low = low;
    out->high = high;
    if (n_wanted < 2) n_wanted = 2;
    if (n_wanted > MPNO_AXIS_MAX_TICKS) n_wanted = MPNO_AXIS_MAX_TICKS;
    double step = round_step(high - low, n_wanted);
    double largest = fmax(fabs(low), fabs(high)), slack = 1e-6 * step;
    for (double k = ceil((low - slack) / step); k * step <= high + slack && out->n < n_wanted;
         k++) {
        out->at[out->n] = k * step;
        write_label(k * step, step, largest, out->label[out->n], sizeof out->label[0]);
        out->n++;
    }
}
