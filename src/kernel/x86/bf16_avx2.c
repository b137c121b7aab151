/* SPDX-License-Identifier: MIT
 * bf16 products by the f32 kernels for AVX2. */
#include "kernel/tables.h"

#if MPNO_KERNELS_X86
#define TABLE mpno_bf16_avx2
#define TABLE_ISA MPNO_ISA_AVX2
#define BASE (&mpno_kernels_avx2[MPNO_F32])
#include "kernel/tmpl/bf16_fma.h"
#endif
