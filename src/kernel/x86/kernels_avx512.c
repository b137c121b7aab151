/* SPDX-License-Identifier: MIT
 * The kernels for AVX-512 F, BW, DQ, VL. */
#include "kernel/tables.h"

#if MPNO_KERNELS_X86
#include <math.h>

#include "kernel/tmpl/vec_avx512.h"
#include "kernel/tmpl/functions_coefficients.h"

#define TABLE mpno_kernels_avx512
#define TABLE_ISA MPNO_ISA_AVX512
#include "kernel/tmpl/kernels_f64.h"
#include "kernel/tmpl/kernels_f32.h"

#include "kernel/tmpl/table.h"
#endif
