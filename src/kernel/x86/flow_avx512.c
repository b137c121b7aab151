/* SPDX-License-Identifier: MIT
 * The flow kernels for AVX-512 (F, BW, DQ, VL). */
#include "kernel/flow_tables.h"

#if MPNO_KERNELS_X86
#include "kernel/tmpl/vec_avx512.h"

#include "kernel/tmpl/flow.h"

const mpno_flow_kernels mpno_flow_avx512 = FLOW_TABLE;
#endif
