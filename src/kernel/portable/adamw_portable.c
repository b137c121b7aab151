/* SPDX-License-Identifier: MIT
 * AdamW loops for the portable build: plain C from the template, vectorised by the compiler. */
#include "kernel/adamw_tables.h"

#include <math.h>

#define T float
#define ROOT sqrtf
#define FN(name) name##_f32
#include "kernel/tmpl/adamw.h"

#define T double
#define ROOT sqrt
#define FN(name) name##_f64
#include "kernel/tmpl/adamw.h"

const mpno_adamw_kernels mpno_adamw_portable[MPNO_N_ARITHMETICS] = {
    [MPNO_F64] = {update_f64, update_modulus_f64},
    [MPNO_F32] = {update_f32, update_modulus_f32},
};
