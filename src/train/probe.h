/* SPDX-License-Identifier: MIT
 * What the machine can do at most: multiply-adds in registers, reading and copying of arrays that
 * no cache holds. Rounds are short, so that they can run beside what they are compared with. */
#ifndef MPNO_TRAIN_PROBE_H
#define MPNO_TRAIN_PROBE_H

#include "core/context.h"
#include "core/cpu.h"

/* A second of it: f32 operations, bytes read, bytes copied (read and written). */
typedef struct mpno_probe_rates {
    double flops, read, copy;
} mpno_probe_rates;

typedef struct mpno_probe mpno_probe;
/* Holds 256 MiB, which the context's threads touch. */
MPNO_WARN_UNUSED mpno_status mpno_probe_create(mpno_ctx *ctx, mpno_isa isa, mpno_probe **out);
void mpno_probe_destroy(mpno_probe **probe);                         /* accepts NULL */
mpno_probe_rates mpno_probe_round(mpno_probe *probe, int n_threads); /* about 50 ms */

#endif
