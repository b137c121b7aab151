/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of kernels: a table per arithmetic, indexed by
 * mpno_format (f64 and f32). */
#ifndef MPNO_KERNEL_TABLES_H
#define MPNO_KERNEL_TABLES_H

#include "kernel/kernel.h"

#if defined(__x86_64__)
#define MPNO_KERNELS_X86 1
#else
#define MPNO_KERNELS_X86 0
#endif
#if defined(__aarch64__)
#define MPNO_KERNELS_ARM 1
#else
#define MPNO_KERNELS_ARM 0
#endif

/* Bodies that are specialised by constant arguments. */
#define KERNEL_INLINE static inline __attribute__((always_inline))

/* Before a short loop with a constant bound, whose array then lives in registers. */
#if defined(__clang__)
#define KERNEL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KERNEL_UNROLL _Pragma("GCC unroll 8")
#endif

#define MPNO_N_ARITHMETICS 2
_Static_assert(MPNO_F64 == 0 && MPNO_F32 == 1, "tables are indexed by format");

extern const mpno_kernels mpno_kernels_ref[MPNO_N_ARITHMETICS];
extern const mpno_kernels mpno_kernels_portable[MPNO_N_ARITHMETICS];
#if MPNO_KERNELS_X86
extern const mpno_kernels mpno_kernels_avx2[MPNO_N_ARITHMETICS];
extern const mpno_kernels mpno_kernels_avx512[MPNO_N_ARITHMETICS];
#elif MPNO_KERNELS_ARM
extern const mpno_kernels mpno_kernels_neon[MPNO_N_ARITHMETICS];
#endif

#endif
