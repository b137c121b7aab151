/* SPDX-License-Identifier: MIT
 * Codecs for AVX2. */
#include "kernel/codec_tables.h"

#if MPNO_KERNELS_X86
#include "kernel/tmpl/codec_begin.h"

#define TABLE mpno_codec_avx2
#include "kernel/tmpl/codec_both.h"
#endif
