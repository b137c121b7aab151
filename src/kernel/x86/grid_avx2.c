/* SPDX-License-Identifier: MIT
 * Grid kernels for AVX2: plain C from the template, vectorised by the compiler. */
#include "kernel/grid_tables.h"

#if MPNO_KERNELS_X86

#include "kernel/tmpl/grid.h"

const mpno_grid_kernels mpno_grid_avx2 = GRID_TABLE;

#endif
