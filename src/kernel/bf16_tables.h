/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of bf16 products. MPNO_HAVE_...: the compiler knows the
 * instructions (cmake/layers.cmake). */
#ifndef MPNO_KERNEL_BF16_TABLES_H
#define MPNO_KERNEL_BF16_TABLES_H

#include "kernel/bf16_kernels.h"
#include "kernel/tables.h"

extern const mpno_bf16_kernels mpno_bf16_ref;
extern const mpno_bf16_kernels mpno_bf16_portable;
#if MPNO_KERNELS_X86
extern const mpno_bf16_kernels mpno_bf16_avx2;
extern const mpno_bf16_kernels mpno_bf16_avx512;
#ifdef MPNO_HAVE_AVX512_BF16
extern const mpno_bf16_kernels mpno_bf16_avx512_bf16;
#endif
#ifdef MPNO_HAVE_AMX_BF16
extern const mpno_bf16_kernels mpno_bf16_amx;
#endif
#endif

#endif
