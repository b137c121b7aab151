/* SPDX-License-Identifier: MIT
 * Counts of stored values by class, one table per ISA. The classes are told by comparing bits
 * (number/magnitude.h), so that a format needs nothing of its own here but its width. Counts are
 * whole numbers and the largest is a maximum: the same on every ISA and in any order. */
#ifndef MPNO_KERNEL_CENSUS_KERNELS_H
#define MPNO_KERNEL_CENSUS_KERNELS_H

#include <stdint.h>

#include "core/cpu.h"
#include "number/magnitude.h"

/* Of values in one format. */
typedef struct mpno_census {
    int64_t values;
    int64_t zeros, subnormals, saturated, not_finite; /* saturated: of the largest finite size */
    uint64_t largest;                                 /* magnitude of the largest finite value */
} mpno_census;

/* Adds the n values at x, of which the format says `magnitudes`, to a census. x has the alignment
 * of its element. */
typedef void (*mpno_census_count)(const void *x, int64_t n, const mpno_magnitudes *magnitudes,
                                  mpno_census *census);

/* Of formats of 1, 2, 4 and 8 bytes. */
typedef struct mpno_census_kernels {
    mpno_census_count one, two, four, eight;
} mpno_census_kernels;

const mpno_census_kernels *mpno_census_kernels_get(mpno_isa isa); /* isa is a cap; never NULL */

/* The one for the format's width. */
static inline mpno_census_count mpno_census_counter(mpno_isa isa, const mpno_magnitudes *m) {
    const mpno_census_kernels *k = mpno_census_kernels_get(isa);
    return m->bytes == 1 ? k->one : m->bytes == 2 ? k->two : m->bytes == 4 ? k->four : k->eight;
}

#endif
