/* SPDX-License-Identifier: MIT
 * How the processor rounds, as found at run time. Bounds of rounding errors hold for rounding to
 * nearest with subnormal numbers; a library that was built with -ffast-math can take the latter
 * away from a whole process, and each thread has settings of its own. */
#ifndef MPNO_CORE_FLOAT_ENVIRONMENT_H
#define MPNO_CORE_FLOAT_ENVIRONMENT_H

#include <stdbool.h>

typedef struct mpno_float_environment {
    const char *rounding;    /* "nearest", "upward", "downward", "toward zero", "unknown"; static */
    bool flush_to_zero;      /* subnormal results become zero */
    bool denormals_are_zero; /* subnormal operands count as zero */
} mpno_float_environment;

/* Of this thread and of the n_threads that mpno_parallel uses: the first of them that is not as it
 * should be, if there is one. x86: the bits of MXCSR; everywhere: what a subnormal number becomes.
 */
mpno_float_environment mpno_float_environment_find(int n_threads);
/* Rounds to nearest and keeps subnormal numbers. */
bool mpno_float_environment_good(const mpno_float_environment *environment);

#endif
