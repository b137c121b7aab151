/* SPDX-License-Identifier: MIT
 * Grid kernels for any CPU: plain C from the template, vectorised by the compiler. */
#include "kernel/grid_tables.h"

#include "kernel/tmpl/grid.h"

const mpno_grid_kernels mpno_grid_portable = GRID_TABLE;
