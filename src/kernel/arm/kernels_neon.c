/* SPDX-License-Identifier: MIT
 * The kernels for Advanced SIMD of arm64. */
#include "kernel/tables.h"

#if MPNO_KERNELS_ARM
#include <math.h>

#include "kernel/tmpl/vec_neon.h"
#include "kernel/tmpl/functions_coefficients.h"

#define TABLE mpno_kernels_neon
#define TABLE_ISA MPNO_ISA_NEON
#include "kernel/tmpl/kernels_f64.h"
#include "kernel/tmpl/kernels_f32.h"

#include "kernel/tmpl/table.h"
#endif
