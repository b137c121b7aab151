/* SPDX-License-Identifier: MIT
 * The flow kernels for Advanced SIMD of arm64. */
#include "kernel/flow_tables.h"

#if MPNO_KERNELS_ARM
#include "kernel/tmpl/vec_neon.h"

#include "kernel/tmpl/flow.h"

const mpno_flow_kernels mpno_flow_neon = FLOW_TABLE;
#endif
