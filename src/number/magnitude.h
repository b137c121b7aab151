/* SPDX-License-Identifier: MIT
 * Magnitudes of a format's numbers as whole numbers. The bits of a number without its sign grow
 * with its size (IEEE 754 and its relatives), so that comparing bits tells zero, subnormal, normal,
 * largest and not finite apart. Everything follows from the facts of the format and from its cast.
 */
#ifndef MPNO_NUMBER_MAGNITUDE_H
#define MPNO_NUMBER_MAGNITUDE_H

#include <stddef.h>
#include <stdint.h>

#include "mpno/format.h"

typedef struct mpno_magnitudes {
    size_t bytes;     /* of a number */
    uint64_t normal;  /* smallest normal number: between zero and it lie the subnormal ones */
    uint64_t largest; /* largest finite number: above it lie infinities and NaN */
} mpno_magnitudes;

mpno_magnitudes mpno_magnitudes_of(mpno_format format);
/* The number that has these bits. */
double mpno_magnitude_value(mpno_format format, uint64_t bits);

#endif
