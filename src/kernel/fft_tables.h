/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of transform kernels: a table per arithmetic, indexed by
 * mpno_format. */
#ifndef MPNO_KERNEL_FFT_TABLES_H
#define MPNO_KERNEL_FFT_TABLES_H

#include "kernel/fft_kernels.h"
#include "kernel/tables.h"

#define MPNO_N_FFT_ARITHMETICS 4
_Static_assert(MPNO_BF16 < MPNO_N_FFT_ARITHMETICS && MPNO_F16 < MPNO_N_FFT_ARITHMETICS,
               "tables are indexed by format");

extern const mpno_fft_kernels mpno_fft_kernels_portable[MPNO_N_FFT_ARITHMETICS];
#if MPNO_KERNELS_X86
extern const mpno_fft_kernels mpno_fft_kernels_avx2[MPNO_N_FFT_ARITHMETICS];
extern const mpno_fft_kernels mpno_fft_kernels_avx512[MPNO_N_FFT_ARITHMETICS];
#elif MPNO_KERNELS_ARM
extern const mpno_fft_kernels mpno_fft_kernels_neon[MPNO_N_FFT_ARITHMETICS];
#endif

#endif
