/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of flow kernels. */
#ifndef MPNO_KERNEL_FLOW_TABLES_H
#define MPNO_KERNEL_FLOW_TABLES_H

#include "kernel/flow_kernels.h"
#include "kernel/tables.h"

extern const mpno_flow_kernels mpno_flow_portable;
#if MPNO_KERNELS_X86
extern const mpno_flow_kernels mpno_flow_avx2;
extern const mpno_flow_kernels mpno_flow_avx512;
#elif MPNO_KERNELS_ARM
extern const mpno_flow_kernels mpno_flow_neon;
#endif

#endif
