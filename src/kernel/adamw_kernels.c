/* SPDX-License-Identifier: MIT
 * Chooses a table of AdamW kernels by the cap that the context gives. */
#include "kernel/adamw_kernels.h"

#include <stddef.h>

#include "kernel/adamw_tables.h"

const mpno_adamw_kernels *mpno_adamw_kernels_get(mpno_isa isa, mpno_format arithmetic) {
    if (arithmetic != MPNO_F32 && arithmetic != MPNO_F64) return NULL;
#if MPNO_KERNELS_X86
    if (isa >= MPNO_ISA_AVX512) return &mpno_adamw_avx512[arithmetic];
    if (isa >= MPNO_ISA_AVX2) return &mpno_adamw_avx2[arithmetic];
#else
    (void)isa;
#endif
    return &mpno_adamw_portable[arithmetic];
}
