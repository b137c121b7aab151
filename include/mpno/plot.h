/* SPDX-License-Identifier: MIT
 * Pictures of data files and of trained models: what `mpno plot` does. */
#ifndef MPNO_PLOT_H
#define MPNO_PLOT_H

#include "mpno/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mpno_plot_opts {
    size_t size;
    const char *prediction; /* a data file of predictions, for data files; NULL: none */
    const char *key;        /* "y", or "x,y" with the input; NULL: found by name */
    const char *axes;       /* letters n c x y z t in the order of the file; NULL: found by number */
    const char *samples;    /* "0", "0,3", "2:5"; NULL: the first, of spectra all */
    const char *colormap;   /* "auto", "sequential", "diverging" */
    const char *unit;       /* of the outputs, for headings; NULL: none is said */
    bool spectrum;          /* radial spectra instead of fields */
    bool animate;           /* over the axis t, as an animated PNG */
    int64_t rollout;        /* of models of trajectories: steps, as in mpno_eval_opts; 0: none */
} mpno_plot_opts;
#define MPNO_PLOT_OPTS_INIT {sizeof(mpno_plot_opts), NULL, NULL, NULL, NULL, "auto", NULL, false, false, 0}

/* file: a data file, or a checkpoint or run folder, whose test data are drawn with what it predicts. output: a PNG file; NULL:
 * in the current folder, under the name of `file`. overrides: of configuration keys, for checkpoints only; may be NULL. opts
 * may be NULL. */
MPNO_API MPNO_WARN_UNUSED mpno_status mpno_plot(mpno_ctx *ctx, const char *file, const char *output, mpno_config *overrides,
                                                const mpno_plot_opts *opts, const mpno_sink *sink, char **json);

#ifdef __cplusplus
}
#endif

#endif
