/* SPDX-License-Identifier: MIT
 * Chooses a table of probe kernels by the cap that the context gives. */
#include "kernel/probe_kernels.h"

#include "kernel/probe_tables.h"

const mpno_probe_kernels *mpno_probe_kernels_get(mpno_isa isa) {
#if MPNO_KERNELS_X86
    if (isa >= MPNO_ISA_AVX512) return &mpno_probe_avx512;
    if (isa >= MPNO_ISA_AVX2) return &mpno_probe_avx2;
#elif MPNO_KERNELS_ARM
    if (isa >= MPNO_ISA_NEON) return &mpno_probe_neon;
#else
    (void)isa;
#endif
    return &mpno_probe_portable;
}
