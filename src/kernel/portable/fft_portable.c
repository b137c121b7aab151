/* SPDX-License-Identifier: MIT
 * The transform kernels for any CPU. */
#include "kernel/fft_tables.h"
#include "kernel/tmpl/vec_portable.h"

#define FFT_ISA MPNO_ISA_PORTABLE
#include "kernel/tmpl/fft_both.h"

const mpno_fft_kernels mpno_fft_kernels_portable[MPNO_N_FFT_ARITHMETICS] =
    FFT_TABLE(FFT_ISA);
