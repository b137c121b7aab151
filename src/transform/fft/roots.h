/* SPDX-License-Identifier: MIT
 * Roots of unity for tables, and writing numbers into tables of f32 or f64. */
#ifndef MPNO_TRANSFORM_FFT_ROOTS_H
#define MPNO_TRANSFORM_FFT_ROOTS_H

#include <stdint.h>

#include "mpno/format.h"

/* cos, sin of 2 pi j / n for any j, n >= 1. Angles stay in the first octant, in long double: exact
 * where the exact value is representable (0, 1, -1), symmetric, and half a unit in the last place
 * after the one rounding to a table. */
void mpno_root(int64_t j, int64_t n, long double *cosine, long double *sine);

/* table[i] = x in `arithmetic` (MPNO_F32 or MPNO_F64). */
void mpno_table_set(void *table, mpno_format arithmetic, int64_t i, long double x);

#endif
