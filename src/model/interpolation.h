/* SPDX-License-Identifier: MIT
 * How the PyTorch library resamples skips in one and two dimensions. */
#ifndef MPNO_MODEL_INTERPOLATION_H
#define MPNO_MODEL_INTERPOLATION_H

#include "model/spectral.h"

/* Memory that the plans own, cleared; out: address of the pointer. */
MPNO_WARN_UNUSED mpno_status mpno_plans_table(mpno_plans *plans, size_t n, size_t size, void *out);

/* One axis: linear; two: bicubic. The first and the last points of the two grids coincide. */
MPNO_WARN_UNUSED mpno_status mpno_interpolation_plan(mpno_plans *plans, const mpno_grid *in,
                                                     const mpno_grid *out,
                                                     const mpno_lines **lines);

#endif
