/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of transform kernels: a table per arithmetic, indexed by
 * mpno_format. */
#ifndef MPNO_KERNEL_FFT_TABLES_H
#define MPNO_KERNEL_FFT_TABLES_H

#include "kernel/fft_kernels.h"
#include "kernel/tables.h"

extern const mpno_fft_kernels mpno_fft_kernels_portable[MPNO_N_ARITHMETICS];
#if MPNO_KERNELS_X86
extern const mpno_fft_kernels mpno_fft_kernels_avx2[MPNO_N_ARITHMETICS];
extern const mpno_fft_kernels mpno_fft_kernels_avx512[MPNO_N_ARITHMETICS];
#elif MPNO_KERNELS_ARM
extern const mpno_fft_kernels mpno_fft_kernels_neon[MPNO_N_ARITHMETICS];
#endif

#endif
