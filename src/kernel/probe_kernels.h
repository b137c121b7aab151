/* SPDX-License-Identifier: MIT
 * What the machine can do at most, one table per ISA: the loops that the bench compares everything
 * else with. They compute nothing that anybody wants. */
#ifndef MPNO_KERNEL_PROBE_KERNELS_H
#define MPNO_KERNEL_PROBE_KERNELS_H

#include <stdint.h>

#include "core/cpu.h"

typedef struct mpno_probe_kernels {
    /* Multiplies and adds in registers, `rounds` times `flops_per_round` operations in f32; gives a
     * number that depends on all of them. */
    float (*multiply_add)(int64_t rounds);
    int64_t flops_per_round;
    /* Reads n values (a multiple of 128); gives their sum. */
    float (*read)(const float *x, int64_t n);
} mpno_probe_kernels;

const mpno_probe_kernels *mpno_probe_kernels_get(mpno_isa isa); /* isa is a cap; never NULL */

#endif
