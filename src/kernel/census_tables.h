/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of census kernels. */
#ifndef MPNO_KERNEL_CENSUS_TABLES_H
#define MPNO_KERNEL_CENSUS_TABLES_H

#include "kernel/census_kernels.h"
#include "kernel/tables.h"

extern const mpno_census_kernels mpno_census_portable;
#if MPNO_KERNELS_X86
extern const mpno_census_kernels mpno_census_avx2;
extern const mpno_census_kernels mpno_census_avx512;
#endif

#endif
