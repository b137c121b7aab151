/* SPDX-License-Identifier: MIT
 * Probe kernels for Advanced SIMD of arm64. */
#include "kernel/probe_tables.h"

#if MPNO_KERNELS_ARM

#include "kernel/tmpl/vec_neon.h"

#include "kernel/tmpl/probe.h"

const mpno_probe_kernels mpno_probe_neon = PROBE_TABLE;

#endif
