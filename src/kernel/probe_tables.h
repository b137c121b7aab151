/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of probe kernels. */
#ifndef MPNO_KERNEL_PROBE_TABLES_H
#define MPNO_KERNEL_PROBE_TABLES_H

#include "kernel/probe_kernels.h"
#include "kernel/tables.h"

extern const mpno_probe_kernels mpno_probe_portable;
#if MPNO_KERNELS_X86
extern const mpno_probe_kernels mpno_probe_avx2;
extern const mpno_probe_kernels mpno_probe_avx512;
#elif MPNO_KERNELS_ARM
extern const mpno_probe_kernels mpno_probe_neon;
#endif

#endif
