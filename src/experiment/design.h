/* SPDX-License-Identifier: MIT
 * What an experiment is: a YAML file as a tree, checked.
 *
 *   title, asks, finds   texts of the report; finds: how to read the results
 *   made                 data sets: name -> equation, parameters; "@name" stands for the file
 *   base                 a configuration, as of mpno train
 *   axes                 name -> label -> keys of the configuration; all combinations are run
 *   seeds                each of them with each of these
 *   evaluate             label -> keys: how each trained model is measured, too
 *   reference            axis -> label: what others are compared with ("evaluated", "time" too)
 *   equal_time           true: runs of as many seconds as the reference takes, too
 *   spectra              true: precision errors by frequency of each evaluation, too
 *   quick, full          parts of the above that replace them in the two sizes */
#ifndef MPNO_EXPERIMENT_DESIGN_H
#define MPNO_EXPERIMENT_DESIGN_H

#include "core/value.h"
#include "mpno/experiment.h"

/* The evaluation that every run has, beside those of `evaluate`. */
#define MPNO_AS_TRAINED "as trained"

enum { MPNO_MAX_DESIGN_AXES = 4, MPNO_MAX_SEEDS = 64 };

typedef struct mpno_design {
    mpno_ctx *ctx;
    char name[64];
    mpno_value *tree;                                            /* owned; the rest lies in it */
    const char *title, *asks, *finds;                            /* "" where they are left out */
    const mpno_value *made, *base, *axes, *evaluate, *reference; /* NULL: left out, but for base */
    bool equal_time, spectra;
    int n_axes, n_cells;
    int64_t n_seeds, seeds[MPNO_MAX_SEEDS];
} mpno_design;

/* E_CONFIG names the key. */
MPNO_WARN_UNUSED mpno_status mpno_design_read(mpno_ctx *ctx, const char *name,
                                              const mpno_experiment_opts *opts, mpno_design *out);
void mpno_design_clear(mpno_design *design);

/* The label of a cell on an axis, and the keys that it sets. */
const char *mpno_design_label(const mpno_design *design, int cell, int axis);
const mpno_value *mpno_design_keys(const mpno_design *design, int cell, int axis);
/* "full, 16 modes", of all axes. */
void mpno_design_cell_text(const mpno_design *design, int cell, char *out, size_t capacity);
/* The cell that `cell` is compared with. */
int mpno_design_reference(const mpno_design *design, int cell);

#endif
