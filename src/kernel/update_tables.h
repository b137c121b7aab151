/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of update kernels, indexed by arithmetic. */
#ifndef MPNO_KERNEL_UPDATE_TABLES_H
#define MPNO_KERNEL_UPDATE_TABLES_H

#include "kernel/tables.h"
#include "kernel/update_kernels.h"

extern const mpno_update_kernels *const mpno_update_portable[MPNO_N_ARITHMETICS];
#if MPNO_KERNELS_X86
extern const mpno_update_kernels *const mpno_update_avx2[MPNO_N_ARITHMETICS];
extern const mpno_update_kernels *const mpno_update_avx512[MPNO_N_ARITHMETICS];
#endif

#endif
