/* SPDX-License-Identifier: MIT
 * The flow kernels for AVX2 with FMA. */
#include "kernel/flow_tables.h"

#if MPNO_KERNELS_X86
#include "kernel/tmpl/vec_avx2.h"

#include "kernel/tmpl/flow.h"

const mpno_flow_kernels mpno_flow_avx2 = FLOW_TABLE;
#endif
