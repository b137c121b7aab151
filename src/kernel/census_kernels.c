/* SPDX-License-Identifier: MIT
 * Chooses a table of census kernels by the cap that the context gives. */
#include "kernel/census_kernels.h"

#include "kernel/census_tables.h"

const mpno_census_kernels *mpno_census_kernels_get(mpno_isa isa) {
#if MPNO_KERNELS_X86
    if (isa >= MPNO_ISA_AVX512) return &mpno_census_avx512;
    if (isa >= MPNO_ISA_AVX2) return &mpno_census_avx2;
#else
    (void)isa;
#endif
    return &mpno_census_portable;
}
