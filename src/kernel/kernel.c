/* SPDX-License-Identifier: MIT
 * Chooses a table of kernels. What this CPU runs is the context's business: it asks with a cap. */
#include "kernel/kernel.h"

#include "kernel/tables.h"

const mpno_kernels *mpno_kernels_get(mpno_isa isa, mpno_format arithmetic) {
    if (arithmetic != MPNO_F32 && arithmetic != MPNO_F64) return NULL;
#if MPNO_KERNELS_X86
    if (isa >= MPNO_ISA_AVX512) return &mpno_kernels_avx512[arithmetic];
    if (isa >= MPNO_ISA_AVX2) return &mpno_kernels_avx2[arithmetic];
#elif MPNO_KERNELS_ARM
    if (isa >= MPNO_ISA_NEON) return &mpno_kernels_neon[arithmetic];
#else
    (void)isa;
#endif
    return &mpno_kernels_portable[arithmetic];
}

const mpno_kernels *mpno_kernels_reference(mpno_format arithmetic) {
    if (arithmetic != MPNO_F32 && arithmetic != MPNO_F64) return NULL;
    return &mpno_kernels_ref[arithmetic];
}
