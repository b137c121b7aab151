/* SPDX-License-Identifier: MIT
 * What the CPU can run. Formats and policies never depend on the ISA, only speed does. */
#ifndef MPNO_CORE_CPU_H
#define MPNO_CORE_CPU_H

#include <stdbool.h>

/* In rising order: a cap is a comparison. */
typedef enum mpno_isa {
    MPNO_ISA_PORTABLE,
    MPNO_ISA_AVX2,
    MPNO_ISA_AVX512,
    MPNO_ISA_COUNT
} mpno_isa;

const char *mpno_isa_name(mpno_isa isa);              /* "portable", "avx2", "avx512" */
bool mpno_isa_parse(const char *name, mpno_isa *out); /* false: no such name */
mpno_isa mpno_cpu_best_isa(void); /* AVX2 means AVX2+FMA+F16C; AVX512 means F, BW, DQ, VL */
const char *mpno_cpu_model(void); /* brand string, "" when unknown */
int mpno_cpu_count(void);         /* CPUs this process may use: affinity and cgroup quota */

#endif
