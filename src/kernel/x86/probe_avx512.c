/* SPDX-License-Identifier: MIT
 * Probe kernels for AVX-512. */
#include "kernel/probe_tables.h"

#if MPNO_KERNELS_X86

#include "kernel/tmpl/vec_avx512.h"

#include "kernel/tmpl/probe.h"

const mpno_probe_kernels mpno_probe_avx512 = PROBE_TABLE;

#endif
