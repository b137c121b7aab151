/* SPDX-License-Identifier: MIT
 * What every equation of pdes.def gives to the generator: its parameters and how to make sample
 * number i. The generator does the rest: threads, files, resuming. */
#ifndef MPNO_PDE_PDE_H
#define MPNO_PDE_PDE_H

#include "core/fields.h"
#include "data/tensors.h"

enum { MPNO_PDE_MAX_SETS = 4 };

/* common.def; the first member of the parameters of every equation. */
typedef struct mpno_pde_common {
    int64_t n_samples;
    mpno_int_list resolution;
    int64_t seed;
    int format; /* 0: f32, 1: f64 */
    int64_t n_threads;
} mpno_pde_common;

/* A data set of the file: what one sample has in it. */
typedef struct mpno_pde_set {
    const char *name, *meaning;
    mpno_element element;
    int ndim;
    int64_t shape[MPNO_MAX_DIMS];
} mpno_pde_set;

typedef struct mpno_pde_outcome {
    int iterations;
    char failure[160]; /* a sentence; "": all went well */
} mpno_pde_outcome;

typedef struct mpno_pde {
    const char *name, *summary, *description; /* description: lines of help */
    const char *grid;                         /* where the values stand: stored in the file */
    const mpno_field *fields;
    const bool *matters; /* of each field: RESULT */
    size_t n_fields, settings_bytes;
    /* Fills what was left open from other parameters and checks what no single one can tell. Doing
     * it twice changes nothing. */
    mpno_status (*resolve)(mpno_ctx *ctx, void *settings);
    int (*describe)(const void *settings, mpno_pde_set sets[MPNO_PDE_MAX_SETS]);
    /* Everything that n_workers threads need. settings are borrowed until destroy. */
    mpno_status (*create)(mpno_ctx *ctx, const void *settings, int n_workers, void **out);
    void (*destroy)(mpno_ctx *ctx, void **job); /* accepts *job == NULL */
    /* Sample number `sample` into out[set], in the order of C. Uses memory of worker alone and no
     * context: workers run at the same time. */
    void (*make)(void *job, int worker, int64_t sample, void *const out[MPNO_PDE_MAX_SETS],
                 mpno_pde_outcome *outcome);
} mpno_pde;

/* NULL after the last one. */
const mpno_pde *mpno_pde_at(size_t index);
MPNO_WARN_UNUSED mpno_status mpno_pde_find(mpno_ctx *ctx, const char *name, const mpno_pde **out);

#endif
