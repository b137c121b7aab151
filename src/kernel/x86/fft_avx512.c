/* SPDX-License-Identifier: MIT
 * The transform kernels for AVX-512 (F, BW, DQ, VL). */
#include "kernel/fft_tables.h"

#if MPNO_KERNELS_X86
#include "kernel/tmpl/vec_avx512.h"

#define FFT_ISA MPNO_ISA_AVX512
#include "kernel/tmpl/fft_both.h"

const mpno_fft_kernels mpno_fft_kernels_avx512[MPNO_N_FFT_ARITHMETICS] = FFT_TABLE(FFT_ISA);
#endif
