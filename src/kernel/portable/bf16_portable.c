/* SPDX-License-Identifier: MIT
 * bf16 products for any CPU. */
#define TABLE mpno_bf16_portable
#define TABLE_ISA MPNO_ISA_PORTABLE
#define BASE (&mpno_kernels_portable[MPNO_F32])
#include "kernel/tmpl/bf16_fma.h"
