/* SPDX-License-Identifier: MIT
 * The kernels for any CPU: vectors of 16 bytes, no fused multiply-add. */
#include "kernel/tables.h"

#include <math.h>

#include "kernel/tmpl/vec_portable.h"
#include "kernel/tmpl/functions_coefficients.h"

#define TABLE mpno_kernels_portable
#define TABLE_ISA MPNO_ISA_PORTABLE
#include "kernel/tmpl/kernels_f64.h"
#include "kernel/tmpl/kernels_f32.h"

#include "kernel/tmpl/table.h"
