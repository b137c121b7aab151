/* SPDX-License-Identifier: MIT
 * Chooses a table of update kernels by the cap that the context gives. */
#include "kernel/update_kernels.h"

#include <stddef.h>

#include "kernel/update_tables.h"

const mpno_update_kernels *mpno_update_kernels_get(mpno_isa isa, mpno_format arithmetic) {
    if (arithmetic != MPNO_F32 && arithmetic != MPNO_F64) return NULL;
#if MPNO_KERNELS_X86
    if (isa >= MPNO_ISA_AVX512) return mpno_update_avx512[arithmetic];
    if (isa >= MPNO_ISA_AVX2) return mpno_update_avx2[arithmetic];
#else
    (void)isa;
#endif
    return mpno_update_portable[arithmetic];
}
