/* SPDX-License-Identifier: MIT
 * Experiments: grids of training runs whose results are tables, pictures and one report. Nothing here prints: text goes to
 * the caller's sink. */
#ifndef MPNO_EXPERIMENT_H
#define MPNO_EXPERIMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "mpno/context.h"
#include "mpno/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Experiments that come with the library, by number; NULL after the last one. What: "name", "summary", "text" (its YAML). */
MPNO_API const char *mpno_experiment_text(size_t experiment, const char *what);

/* A key of every run's configuration; "made.SET.PARAMETER" of a data set that is made; "seeds"; or "theorem.KEY". */
typedef struct mpno_experiment_override {
    const char *key, *value;
} mpno_experiment_override;

typedef struct mpno_experiment_opts {
    size_t size;
    const char *folder; /* of the results; NULL: experiments/NAME */
    bool full;          /* the sizes under `full` of the file, else those under `quick` */
    const mpno_experiment_override *overrides;
    size_t n_overrides;
} mpno_experiment_opts;
#define MPNO_EXPERIMENT_OPTS_INIT {sizeof(mpno_experiment_opts), NULL, false, NULL, 0}

/* name: one of mpno_experiment_text, or the path of a YAML file (docs/howto/experiments.md). Makes the data, trains every
 * run that the folder has no result of yet (interrupted ones go on from their checkpoint) and writes results.csv,
 * results.json, report.md and pictures. A run whose numbers are not finite is a result. Experiments with a key
 * `theorem` train nothing: they measure and write the same files. E_STOPPED when the sink asked for
 * it: call again to go on. *json (may be NULL): what results.json holds, owned by the caller (mpno_text_free). */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_experiment(mpno_ctx *ctx, const char *name, const mpno_experiment_opts *opts,
                                                      const mpno_sink *sink, char **json);

#ifdef __cplusplus
}
#endif

#endif
