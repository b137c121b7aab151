/* SPDX-License-Identifier: MIT
 * The one symbol of each translation unit of codecs, indexed by arithmetic. */
#ifndef MPNO_KERNEL_CODEC_TABLES_H
#define MPNO_KERNEL_CODEC_TABLES_H

#include "kernel/codec.h"
#include "kernel/tables.h"

extern const mpno_codec_kernels mpno_codec_portable[MPNO_N_ARITHMETICS];
#if MPNO_KERNELS_X86
extern const mpno_codec_kernels mpno_codec_avx2[MPNO_N_ARITHMETICS];
extern const mpno_codec_kernels mpno_codec_avx512[MPNO_N_ARITHMETICS];
#endif

#endif
