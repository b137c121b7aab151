/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of AdamW kernels, indexed by arithmetic. */
#ifndef MPNO_KERNEL_ADAMW_TABLES_H
#define MPNO_KERNEL_ADAMW_TABLES_H

#include "kernel/adamw_kernels.h"
#include "kernel/tables.h"

extern const mpno_adamw_kernels mpno_adamw_portable[MPNO_N_ARITHMETICS];
#if MPNO_KERNELS_X86
extern const mpno_adamw_kernels mpno_adamw_avx2[MPNO_N_ARITHMETICS];
extern const mpno_adamw_kernels mpno_adamw_avx512[MPNO_N_ARITHMETICS];
#endif

#endif
