/* SPDX-License-Identifier: MIT
 * The loops of optimisers for AVX2. */
#include "kernel/update_tables.h"

#if MPNO_KERNELS_X86
#define TABLE mpno_update_avx2
#include "kernel/tmpl/update_both.h"
#endif
