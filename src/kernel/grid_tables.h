/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of grid kernels. */
#ifndef MPNO_KERNEL_GRID_TABLES_H
#define MPNO_KERNEL_GRID_TABLES_H

#include "kernel/grid_kernels.h"
#include "kernel/tables.h"

extern const mpno_grid_kernels mpno_grid_portable;
#if MPNO_KERNELS_X86
extern const mpno_grid_kernels mpno_grid_avx2;
extern const mpno_grid_kernels mpno_grid_avx512;
#endif

#endif
