/* SPDX-License-Identifier: MIT
 * Chooses a table of transform kernels, as kernel.c does for the others. */
#include "kernel/fft_kernels.h"

#include <stddef.h>

#include "kernel/fft_tables.h"

const mpno_fft_kernels *mpno_fft_kernels_get(mpno_isa isa, mpno_format arithmetic) {
    if (arithmetic >= MPNO_N_FFT_ARITHMETICS) return NULL;
#if MPNO_KERNELS_X86
    if (isa >= MPNO_ISA_AVX512) return &mpno_fft_kernels_avx512[arithmetic];
    if (isa >= MPNO_ISA_AVX2) return &mpno_fft_kernels_avx2[arithmetic];
#elif MPNO_KERNELS_ARM
    if (isa >= MPNO_ISA_NEON) return &mpno_fft_kernels_neon[arithmetic];
#else
    (void)isa;
#endif
    return &mpno_fft_kernels_portable[arithmetic];
}
