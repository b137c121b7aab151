/* SPDX-License-Identifier: MIT
 * Chooses a table of flow kernels by the cap that the context gives. */
#include "kernel/flow_kernels.h"

#include "kernel/flow_tables.h"

const mpno_flow_kernels *mpno_flow_kernels_get(mpno_isa isa) {
#if MPNO_KERNELS_X86
    if (isa >= MPNO_ISA_AVX512) return &mpno_flow_avx512;
    if (isa >= MPNO_ISA_AVX2) return &mpno_flow_avx2;
#elif MPNO_KERNELS_ARM
    if (isa >= MPNO_ISA_NEON) return &mpno_flow_neon;
#else
    (void)isa;
#endif
    return &mpno_flow_portable;
}
