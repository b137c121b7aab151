/* SPDX-License-Identifier: MIT
 * The file of mpno tune: what it holds, how it is checked, and what a context takes from it. */
#ifndef MPNO_TRAIN_TUNING_H
#define MPNO_TRAIN_TUNING_H

#include "core/fields.h"
#include "mpno/tune.h"

enum { MPNO_TUNING_FORMAT = 1 };

typedef struct mpno_tuning {
    int64_t format;
    char *program, *cpu;  /* owned, like all texts: version of mpno, model of the processor */
    char *isa;            /* best for a training step */
    int threads_per_core; /* of mpno_threads_per_core: best for a training step */
    int64_t threads;      /* of the second of each pair of rates; the first is of one thread */
    mpno_real_list gflops, read_gbs, copy_gbs; /* 1e9 a second; multiply-adds in f32 by `isa` */
    mpno_text_list isas;                       /* measured, in rising order */
    mpno_real_list seconds;                    /* of one step under each */
} mpno_tuning;

typedef enum mpno_threads_per_core { MPNO_THREADS_ALL, MPNO_THREADS_ONE } mpno_threads_per_core;

MPNO_WARN_UNUSED mpno_status mpno_tuning_default(mpno_ctx *ctx, mpno_tuning *out);
void mpno_tuning_clear(mpno_ctx *ctx, mpno_tuning *tuning);
/* Reads and checks: version, CPU, ranges. *out is to be cleared only on success. */
MPNO_WARN_UNUSED mpno_status mpno_tuning_read(mpno_ctx *ctx, const char *path, mpno_tuning *out);
MPNO_WARN_UNUSED mpno_status mpno_tuning_write(mpno_ctx *ctx, const char *path,
                                               const mpno_tuning *tuning);
MPNO_WARN_UNUSED mpno_status mpno_tuning_value(mpno_ctx *ctx, const mpno_tuning *tuning,
                                               mpno_value **out);

/* Which of n variants to take: the last, unless the fastest takes less than 0.95 of its time, so
 * that noise decides nothing. */
int mpno_tuning_choose(const double *seconds, int n);

#endif
