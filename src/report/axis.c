/* SPDX-License-Identifier: MIT
 * The step is the smallest of 1, 2, 5 * 10^k that needs no more ticks than wanted. */
#include "report/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Number of multiples of step in low .. high, and the first of them in units of step. An end is met
 * within a millionth of a step, so that rounding does not lose the last tick. */
static double count_ticks(double low, double high, double step, double *first) {
    *first = ceil(low / step - 1e-6);
    return floor(high / step + 1e-6) - *first + 1;
}

/* A step with three ticks is followed by one with at least one tick, so a range is never left
 * without any. */
static double round_step(double low, double high, int n_wanted) {
    double power = pow(10, floor(log10((high - low) / n_wanted)) - 1), first;
    static const double factors[] = {1, 2, 5};
    for (;; power *= 10)
        for (int i = 0; i < 3; i++)
            if (count_ticks(low, high, factors[i] * power, &first) <= n_wanted)
                return factors[i] * power;
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
    double step = round_step(low, high, n_wanted), first;
    double largest = fmax(fabs(low), fabs(high)), n = count_ticks(low, high, step, &first);
    for (; out->n < (int)n; out->n++) {
        out->at[out->n] = (first + out->n) * step;
        write_label(out->at[out->n], step, largest, out->label[out->n], sizeof out->label[0]);
    }
}

static void write_power_label(int factor, int exponent, char *out, size_t capacity) {
    if (exponent < -3 || exponent > 4)
        snprintf(out, capacity, "%de%d", factor, exponent);
    else
        snprintf(out, capacity, "%.*f", exponent < 0 ? -exponent : 0, factor * pow(10, exponent));
}

/* Ticks at factors * 10^k for every `stride`-th k; gives how many there would be. */
static int power_ticks(mpno_axis *axis, const int *factors, int n_factors, int stride) {
    const int first = (int)floor(log10(axis->low)) - 1, last = (int)ceil(log10(axis->high));
    int n = 0;
    axis->n = 0;
    for (int exponent = first; exponent <= last; exponent++) {
        for (int i = 0; i < n_factors; i++) {
            const double at = factors[i] * pow(10, exponent);
            if (exponent % stride != 0 || at < axis->low * (1 - 1e-9) ||
                at > axis->high * (1 + 1e-9))
                continue;
            if (axis->n < MPNO_AXIS_MAX_TICKS) {
                axis->at[axis->n] = at;
                write_power_label(factors[i], exponent, axis->label[axis->n],
                                  sizeof axis->label[0]);
                axis->n++;
            }
            n++;
        }
    }
    return n;
}

void mpno_axis_make_log(double low, double high, int n_wanted, mpno_axis *out) {
    static const struct {
        int n, factors[9];
    } ways[] = {{9, {1, 2, 3, 4, 5, 6, 7, 8, 9}},
                {6, {1, 2, 3, 4, 5, 7}},
                {4, {1, 2, 3, 5}},
                {3, {1, 2, 5}},
                {1, {1}}};
    enum { N_WAYS = sizeof ways / sizeof ways[0] };
    if (!(low > 0) || !isfinite(high) || low > high) low = 1, high = 10;
    if (high / low < 1.02) low /= 1.25, high *= 1.25;
    if (n_wanted < 2) n_wanted = 2;
    if (n_wanted > MPNO_AXIS_MAX_TICKS) n_wanted = MPNO_AXIS_MAX_TICKS;
    *out = (mpno_axis){.low = low, .high = high};
    int n = n_wanted + 1;
    for (int way = 0; n > n_wanted && way < N_WAYS; way++)
        n = power_ticks(out, ways[way].factors, ways[way].n, 1);
    for (int stride = 2; n > n_wanted; stride++)
        n = power_ticks(out, ways[N_WAYS - 1].factors, 1, stride);
    if (n < 2) mpno_axis_make(low, high, n_wanted, out);
    out->logarithmic = true;
}

double mpno_axis_place(const mpno_axis *axis, double value) {
    if (!axis->logarithmic) return (value - axis->low) / (axis->high - axis->low);
    if (!(value > 0)) return NAN;
    return log(value / axis->low) / log(axis->high / axis->low);
}
