/* SPDX-License-Identifier: MIT
 * How spectra pass from one grid to another: transforms, kept modes, and the tables by which the
 * graph's ops find them. A spectral convolution keeps the frequencies that its weights and both
 * grids have; a skip is resampled by the frequencies that both grids have. What the PyTorch library
 * does instead (compat: frequencies that change their meaning with the grid, centre-cropped
 * weights, interpolated skips: docs/howto/compat.md) is told by tables of modes to take and of
 * lines. */
#ifndef MPNO_MODEL_SPECTRAL_H
#define MPNO_MODEL_SPECTRAL_H

#include "graph/graph.h"
#include "mpno/model.h"

/* Owns what graphs borrow; equal transforms are made once. One thread at a time. */
typedef struct mpno_plans mpno_plans;
/* accurate: transforms whose bound of rounding errors grows least with the points, none of them in
 * two parts. */
MPNO_WARN_UNUSED mpno_status mpno_plans_create(mpno_ctx *ctx, bool accurate, mpno_plans **out);
void mpno_plans_destroy(mpno_plans **plans);

/* The operands of take_modes; take NULL: nothing to do. */
typedef struct mpno_mode_map {
    int32_t *take, *give;
    int64_t n_modes, n_given;
} mpno_mode_map;

/* Of forward and inverse transforms. */
typedef struct mpno_transforms {
    mpno_format forward, inverse;
} mpno_transforms;

/* A forward transform of the grid in, `before`, the weights, `after`, an inverse transform of the
 * grid out. */
typedef struct mpno_spectral {
    const mpno_fft *forward, *inverse;
    const mpno_columns *lines_in, *lines_out; /* the same in two parts; NULL: not to be had, for
                                                 complex data, long lines, 16-bit arithmetic */
    const int32_t *mode_rows; /* of each mode at the weights: its block; NULL for skips */
    /* Modes at the weights, in order, and the first row of the weight that they use on each axis,
     * `kept` in all: together with mode_rows. */
    const int32_t *in_order;
    int64_t first_row[MPNO_MAX_AXES];
    mpno_mode_map before, after;
    int64_t kept[MPNO_MAX_AXES]; /* modes at the weights: frequencies -floor(K/2) .., of real data
                                    from 0 on along the last axis */
} mpno_spectral;

/* A skip: by lines where they are given, else by its spectrum. */
typedef struct mpno_resampling {
    const mpno_lines *lines;
    mpno_spectral spectral;
} mpno_resampling;

/* Sizes of the spectral weights in each dimension, and how many modes a block uses of them at most.
 */
void mpno_fno_weight_modes(const mpno_fno_config *config, int64_t layer, int64_t *weight,
                           int64_t *used);

MPNO_WARN_UNUSED mpno_status mpno_spectral_plan(mpno_plans *plans, const mpno_fno_config *config,
                                                int64_t layer, const mpno_transforms *arithmetic,
                                                const mpno_grid *in, const mpno_grid *out,
                                                mpno_spectral *spectral);
MPNO_WARN_UNUSED mpno_status mpno_resampling_plan(mpno_plans *plans, const mpno_fno_config *config,
                                                  mpno_format arithmetic, const mpno_grid *in,
                                                  const mpno_grid *out,
                                                  mpno_resampling *resampling);

#endif
