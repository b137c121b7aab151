/* SPDX-License-Identifier: MIT
 * The exported table of a translation unit.
 * Parameters: TABLE its name, TABLE_ISA its mpno_isa; the functions are NAME_f64 and NAME_f32 for
 * every NAME of kernels.def. */

const mpno_kernels TABLE[MPNO_N_ARITHMETICS] = {
    [MPNO_F64] =
        {
            .arithmetic = MPNO_F64,
            .isa = TABLE_ISA,
#define MPNO_KERNEL(name, text, fixed, per_term) .name = name##_f64,
#include "kernel/kernels.def"
#undef MPNO_KERNEL
        },
    [MPNO_F32] =
        {
            .arithmetic = MPNO_F32,
            .isa = TABLE_ISA,
#define MPNO_KERNEL(name, text, fixed, per_term) .name = name##_f32,
#include "kernel/kernels.def"
#undef MPNO_KERNEL
        },
};
