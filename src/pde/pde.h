/* SPDX-License-Identifier: MIT
 * What every equation of pdes.def gives to the generator: its parameters, the sets that a sample
 * has, and how to make samples. The generator does the rest: threads, numbers, layout of the file,
 * resuming. */
#ifndef MPNO_PDE_PDE_H
#define MPNO_PDE_PDE_H

#include <stdbool.h>

#include "core/fields.h"
#include "data/tensors.h"

enum { MPNO_PDE_MAX_SETS = 4 };

typedef enum mpno_pde_layout { MPNO_LAYOUT_MPNO, MPNO_LAYOUT_PDEBENCH } mpno_pde_layout;

/* common.def; the first member of the parameters of every equation. */
typedef struct mpno_pde_common {
    int64_t n_samples;
    mpno_int_list resolution;
    int64_t seed;
    int format; /* 0: f32, 1: f64 */
    int layout; /* mpno_pde_layout */
    int64_t n_threads;
} mpno_pde_common;

typedef enum mpno_pde_axis_kind {
    MPNO_AXIS_TIME,
    MPNO_AXIS_SPACE,
    MPNO_AXIS_CHANNEL
} mpno_pde_axis_kind;

/* Value i along it stands at first + i step; channels have no place. */
typedef struct mpno_pde_axis {
    mpno_pde_axis_kind kind;
    const char *name; /* "t", "x", "y", "z", "channel" */
    double first, step;
} mpno_pde_axis;

/* A data set of the file: what one sample has in it. */
typedef struct mpno_pde_set {
    const char *name, *meaning;
    mpno_element element;
    int ndim;
    int64_t shape[MPNO_MAX_DIMS];
    mpno_pde_axis axes[MPNO_MAX_DIMS];
    const char *pdebench; /* its data set in PDEBench's layout: see layout.h */
} mpno_pde_set;

/* A sample in work: its number, and where set i goes, in the order of C. */
typedef struct mpno_pde_sample {
    int64_t number;
    void *out[MPNO_PDE_MAX_SETS];
} mpno_pde_sample;

typedef struct mpno_pde_outcome {
    int iterations;    /* of the solver, or steps in time */
    char failure[160]; /* a sentence; "": all went well */
} mpno_pde_outcome;

/* A parameter that PDEBench's files have as an attribute of another name. */
typedef struct mpno_pde_attribute {
    const char *name, *parameter;
} mpno_pde_attribute;

/* Where a worker takes samples from and gives them to. */
typedef struct mpno_pde_work mpno_pde_work;

/* The next sample into `lane` of this worker; false: none is left. Numbers rise, but neighbours
 * may go to other workers. */
bool mpno_pde_take(mpno_pde_work *work, int lane, mpno_pde_sample *out);
/* The sample of `lane` is in its out: writes it and frees the lane. */
void mpno_pde_give(mpno_pde_work *work, int lane, const mpno_pde_outcome *outcome);

typedef struct mpno_pde {
    const char *name, *summary, *description; /* description: lines of help */
    const char *grid;                         /* where the values stand: stored in the file */
    const mpno_field *fields;
    const bool *matters; /* of each field: RESULT */
    size_t n_fields, settings_bytes;
    mpno_pde_attribute pdebench; /* name NULL: none */
    bool groups;                 /* PDEBench has a group for each sample */
    /* Fills what was left open from other parameters and checks what no single one can tell. Doing
     * it twice changes nothing. */
    mpno_status (*resolve)(mpno_ctx *ctx, void *settings);
    int (*describe)(const void *settings, mpno_pde_set sets[MPNO_PDE_MAX_SETS]);
    int lanes; /* samples that a worker may have in work at a time */
    size_t job_bytes; /* of everything that n_workers threads need */
    /* Fills a job, which is cleared; settings are borrowed until release. */
    mpno_status (*prepare)(mpno_ctx *ctx, const void *settings, int n_workers, void *job);
    void (*release)(mpno_ctx *ctx, void *job); /* what it holds, as far as prepare came */
    /* Takes samples until none is left and gives each one back: in lanes 0 .. lanes - 1, all at
     * once, one after the other, or a new one as soon as a lane is free. A sample's bytes depend on
     * settings and number alone, not on lane, worker or company. Uses memory of worker alone and no
     * context: workers run at the same time. */
    void (*make)(void *job, int worker, mpno_pde_work *work);
} mpno_pde;

MPNO_WARN_UNUSED mpno_status mpno_pde_job_create(mpno_ctx *ctx, const mpno_pde *pde,
                                                 const void *settings, int n_workers, void **out);
void mpno_pde_job_destroy(mpno_ctx *ctx, const mpno_pde *pde, void **job); /* accepts *job == NULL */

/* A list of numbers, one for each axis: one number stands for all. key is for the message. */
MPNO_WARN_UNUSED mpno_status mpno_pde_expand(mpno_ctx *ctx, const char *key, int64_t ndim,
                                             mpno_int_list *list);
/* The same of solve_resolution beside resolution, which was expanded: nowhere fewer points; where
 * none were given, those of resolution. */
MPNO_WARN_UNUSED mpno_status mpno_pde_expand_solved(mpno_ctx *ctx, const mpno_int_list *resolution,
                                                    mpno_int_list *solved);

/* Bytes of a stored value, and its element. */
size_t mpno_pde_value_bytes(const mpno_pde_common *common);
mpno_element mpno_pde_element(const mpno_pde_common *common);

/* The sets of an equation in time and one dimension, as describe gives them: x, u at the start, and
 * y, u at `snapshots` times up to the end, with an axis t where there are several or PDEBench's
 * layout is asked for; at the nodes i length / N. */
int mpno_pde_series(const mpno_pde_common *common, double length, double final_time,
                    int64_t snapshots, mpno_pde_set sets[MPNO_PDE_MAX_SETS]);

/* NULL after the last one. */
const mpno_pde *mpno_pde_at(size_t index);
MPNO_WARN_UNUSED mpno_status mpno_pde_find(mpno_ctx *ctx, const char *name, const mpno_pde **out);

#endif
