/* SPDX-License-Identifier: MIT
 * The kernels for AVX2 + FMA + F16C. */
#include "kernel/tables.h"

#if MPNO_KERNELS_X86
#include <math.h>

#include "kernel/tmpl/vec_avx2.h"
#include "kernel/tmpl/functions_coefficients.h"

#define TABLE mpno_kernels_avx2
#define TABLE_ISA MPNO_ISA_AVX2
#include "kernel/tmpl/kernels_f64.h"
#include "kernel/tmpl/kernels_f32.h"

#include "kernel/tmpl/table.h"
#endif
