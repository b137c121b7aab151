/* SPDX-License-Identifier: MIT
 * What the CPU can run. Formats and policies never depend on the ISA, only speed does. How many
 * CPUs there are for us: cpus.h. */
#ifndef MPNO_CORE_CPU_H
#define MPNO_CORE_CPU_H

#include <stdbool.h>
#include <stddef.h>

/* In rising order: a cap is a comparison. */
typedef enum mpno_isa {
#define MPNO_ISA_ROW(id, name, text, machine, ran) MPNO_ISA_##id,
#include "core/isas.def"
#undef MPNO_ISA_ROW
    MPNO_ISA_COUNT
} mpno_isa;

const char *mpno_isa_name(mpno_isa isa);              /* "portable", "neon", "avx2", .. */
const char *mpno_isa_text(mpno_isa isa);              /* "AVX2, FMA, F16C" */
bool mpno_isa_parse(const char *name, mpno_isa *out); /* false: no such name */
bool mpno_isa_compiled(mpno_isa isa);                 /* this build has kernels for it */
bool mpno_isa_ran(mpno_isa isa); /* its kernels were run on such a machine, not only emulated */
/* The last one that is compiled and that this CPU runs. Asks the system for the tile registers of
 * AMX. */
mpno_isa mpno_cpu_best_isa(void);
const char *mpno_cpu_model(void); /* brand string, "" when unknown */

/* Bytes of the caches that a core sees, first level (data) to third; 0: none or unknown. */
typedef struct mpno_caches {
    size_t level[3];
} mpno_caches;
mpno_caches mpno_cpu_caches(void);

#endif
