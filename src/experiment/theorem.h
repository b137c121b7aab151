/* SPDX-License-Identifier: MIT
 * The paper's two theorems as an experiment: certify/theorems.h over functions, grids, frequencies
 * and formats, as results.csv, results.json, report.md and pictures. Of the design:
 *
 *   theorem.functions   names of mpno_theorem_name
 *   theorem.formats     names of formats
 *   theorem.points      number of axes ("1" to "3") -> points an axis, even, rising */
#ifndef MPNO_EXPERIMENT_THEOREM_H
#define MPNO_EXPERIMENT_THEOREM_H

#include "certify/theorems.h"
#include "core/text.h"
#include "experiment/design.h"
#include "mpno/run.h"

/* The same on all axes: 0, 1, n/8, n/4, n/2 - 1. */
enum {
    MPNO_N_THEOREM_FREQUENCIES = 5,
    MPNO_MOST_THEOREM_POINTS = 32,
    MPNO_MOST_THEOREM_FORMATS = 8
};
const char *mpno_theorem_frequency_name(int frequency);

typedef struct mpno_theorem_row {
    mpno_theorem_function function;
    int ndim, frequency, format; /* format: place in the list */
    int64_t n, k;
    mpno_disc disc;
    mpno_prec prec;
} mpno_theorem_row;

typedef struct mpno_theorem_results {
    mpno_ctx *ctx;
    const mpno_design *design;
    const mpno_experiment_opts *opts;
    char folder[2048];
    int n_functions, n_formats, n_points[MPNO_THEOREM_AXES + 1]; /* of so many axes */
    mpno_theorem_function functions[MPNO_N_THEOREM_FUNCTIONS];
    mpno_format formats[MPNO_MOST_THEOREM_FORMATS];
    int64_t points[MPNO_THEOREM_AXES + 1][MPNO_MOST_THEOREM_POINTS];
    mpno_theorem_row *rows; /* owned; formats within frequencies within grids */
    size_t n_rows;
} mpno_theorem_results;

/* The rest of Disc that f64 cannot tell from nothing is no part of it. */
static inline bool mpno_theorem_resolved(const mpno_disc *disc) {
    return disc->measured > 4 * disc->own;
}
/* Discretisation costs more than rounding. */
static inline bool mpno_theorem_free(const mpno_theorem_row *row) {
    return mpno_theorem_resolved(&row->disc) && row->disc.measured > row->prec.measured;
}

/* E_CONFIG names the key. *tree: what results.json holds, owned by the caller. */
MPNO_WARN_UNUSED mpno_status mpno_theorem_run(const mpno_design *design,
                                              const mpno_experiment_opts *opts,
                                              const mpno_sink *sink, mpno_value **tree);

/* report.md and its pictures. */
MPNO_WARN_UNUSED mpno_status mpno_theorem_report(const mpno_theorem_results *results);

#endif
