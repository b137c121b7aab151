/* SPDX-License-Identifier: MIT
 * Counts of stored values for AVX-512. */
#include "kernel/census_tables.h"

#if MPNO_KERNELS_X86

#define TABLE mpno_census_avx512
#include "kernel/tmpl/census_all.h"

#endif
