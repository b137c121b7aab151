/* SPDX-License-Identifier: MIT
 * The transform kernels for AVX2 + FMA + F16C. */
#include "kernel/fft_tables.h"

#if MPNO_KERNELS_X86
#include "kernel/tmpl/vec_avx2.h"

#define FFT_ISA MPNO_ISA_AVX2
#include "kernel/tmpl/fft_both.h"

const mpno_fft_kernels mpno_fft_kernels_avx2[MPNO_N_FFT_ARITHMETICS] = FFT_TABLE(FFT_ISA);
#endif
