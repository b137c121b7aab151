/* SPDX-License-Identifier: MIT
 * The transform kernels for Advanced SIMD of arm64. */
#include "kernel/fft_tables.h"

#if MPNO_KERNELS_ARM
#include "kernel/tmpl/vec_neon.h"

#define FFT_ISA MPNO_ISA_NEON
#include "kernel/tmpl/fft_both.h"

const mpno_fft_kernels mpno_fft_kernels_neon[MPNO_N_FFT_ARITHMETICS] = FFT_TABLE(FFT_ISA);
#endif
