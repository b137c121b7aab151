/* SPDX-License-Identifier: MIT
 * Roots of unity for tables, and writing numbers into tables. */
#ifndef MPNO_TRANSFORM_FFT_ROOTS_H
#define MPNO_TRANSFORM_FFT_ROOTS_H

#include <stddef.h>
#include <stdint.h>

#include "mpno/format.h"

/* cos, sin of 2 pi j / n for any j, n >= 1. Angles stay in the first octant, in long double: exact
 * where the exact value is representable (0, 1, -1), symmetric, and half a unit in the last place
 * after the one rounding to a table. */
void mpno_root(int64_t j, int64_t n, long double *cosine, long double *sine);

/* table[i] = x in `arithmetic`; with 16 bits it is rounded to them, but f32 in the table. */
void mpno_table_set(void *table, mpno_format arithmetic, int64_t i, long double x);
size_t mpno_table_bytes(mpno_format arithmetic); /* of one number */

#endif
