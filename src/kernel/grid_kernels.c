/* SPDX-License-Identifier: MIT
 * Chooses a table of grid kernels by the cap that the context gives. */
#include "kernel/grid_kernels.h"

#include "kernel/grid_tables.h"

const mpno_grid_kernels *mpno_grid_kernels_get(mpno_isa isa) {
#if MPNO_KERNELS_X86
    if (isa >= MPNO_ISA_AVX512) return &mpno_grid_avx512;
    if (isa >= MPNO_ISA_AVX2) return &mpno_grid_avx2;
#else
    (void)isa;
#endif
    return &mpno_grid_portable;
}
