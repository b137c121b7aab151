/* SPDX-License-Identifier: MIT
 * Chooses a table of bf16 products, as kernel.c does for the others. */
#include "kernel/bf16_kernels.h"

#include "kernel/bf16_tables.h"

const mpno_bf16_kernels *mpno_bf16_kernels_get(mpno_isa isa) {
#if MPNO_KERNELS_X86
#ifdef MPNO_HAVE_AMX_BF16
    if (isa >= MPNO_ISA_AMX_BF16) return &mpno_bf16_amx;
#endif
#ifdef MPNO_HAVE_AVX512_BF16
    if (isa >= MPNO_ISA_AVX512_BF16) return &mpno_bf16_avx512_bf16;
#endif
    if (isa >= MPNO_ISA_AVX512) return &mpno_bf16_avx512;
    if (isa >= MPNO_ISA_AVX2) return &mpno_bf16_avx2;
#else
    (void)isa;
#endif
    return &mpno_bf16_portable;
}

const mpno_bf16_kernels *mpno_bf16_kernels_reference(void) {
    return &mpno_bf16_ref;
}
