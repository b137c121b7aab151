/* SPDX-License-Identifier: MIT
 * The loops of optimisers of one ISA, for f32 and f64: plain C, vectorised by the compiler.
 * Parameter: TABLE, name of the table that is exported. */
#include <math.h>

#define T float
#define ROOT sqrtf
#define FN(name) name##_f32
#include "kernel/tmpl/update.h"

#define T double
#define ROOT sqrt
#define FN(name) name##_f64
#include "kernel/tmpl/update.h"

const mpno_update_kernels *const TABLE[MPNO_N_ARITHMETICS] = {
    [MPNO_F64] = &table_f64, [MPNO_F32] = &table_f32};
