/* SPDX-License-Identifier: MIT
 * What rounding the samples of a field to a format may do to its Fourier coefficients, frequency by
 * frequency: bounds that hold for every field, not first-order ones. Coefficients are those of a
 * transform divided by the number of points. Statements F1 to F9: docs/theory/frequency.md. Results
 * are rounded upwards. */
#ifndef MPNO_CERTIFY_FREQUENCY_H
#define MPNO_CERTIFY_FREQUENCY_H

#include <stdint.h>

#include "mpno/format.h"

/* F1. The most by which rounding x to nearest may move a number of its size: half the distance
 * between the numbers of the format there, 0 of 0. |x| is at most the format's maximum. */
double mpno_rounding_most(double x, mpno_format format);
/* Half of the least number above 0: what |x| below the normal range may lose. */
double mpno_rounding_eta(mpno_format format);

/* Of a field of n real samples: mean and root of the mean square of mpno_rounding_most. */
typedef struct mpno_floor {
    double mean; /* F2: of the error of any coefficient */
    double root; /* F3: of all coefficients together */
} mpno_floor;
mpno_floor mpno_floor_of(const double *v, int64_t n, mpno_format format);

/* F3. Root of the sum of w |e_k|^2 over so many frequencies, those counted twice (w = 2) that stand
 * for their conjugates as well. Of one coefficient of a real field that is not its own conjugate it
 * is divided by sqrt 2. */
double mpno_floor_of_modes(const mpno_floor *floor, int64_t modes);

/* F5. Largest magnitude of what `modes` frequencies add up to at a point. */
double mpno_floor_at_points(const mpno_floor *floor, int64_t modes);

/* F7. Expected sum of w |e_k|^2 over `modes` of n frequencies when samples are rounded
 * stochastically and independently. */
double mpno_floor_stochastic(const mpno_floor *floor, int64_t modes, int64_t points);

/* F9. With every butterfly rounded to `format`, samples and roots as well: at most growth mean|v| +
 * underflow, of any coefficient of a complex transform with `points` (powers of two) on each axis;
 * and of a set of coefficients together with the root mean square of v in the place of the mean and
 * underflow times the root of their number. INFINITY: an axis is no power of two. The sums must
 * stay in the format's range. */
typedef struct mpno_butterflies {
    double growth, underflow;
} mpno_butterflies;
mpno_butterflies mpno_butterflies_of(int ndim, const int64_t *points, mpno_format format);

#endif
