/* SPDX-License-Identifier: MIT
 * The loops of optimisers for AVX-512. */
#include "kernel/update_tables.h"

#if MPNO_KERNELS_X86
#define TABLE mpno_update_avx512
#include "kernel/tmpl/update_both.h"
#endif
