/* SPDX-License-Identifier: MIT
 * Linear and cubic interpolation as matrices, see interpolation.h. Point i of n_out lies at
 * x = i (n_in - 1) / (n_out - 1) of n_in. Linear: (1 - t) and t. Cubic: the convolution kernel of
 * Keys, "Cubic convolution interpolation for digital image processing" (IEEE Trans. ASSP 1981),
 * with a = -0.75, as torch.nn.functional.interpolate (mode bicubic, align_corners) uses it; points
 * beyond the ends repeat the last one. */
#include "model/interpolation.h"

#include <math.h>

/* The kernel at distances of at most 1, and from 1 to 2. */
static double near_weight(double x) {
    const double a = -0.75;
    return ((a + 2) * x - (a + 3)) * x * x + 1;
}
static double far_weight(double x) {
    const double a = -0.75;
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

static int64_t within(int64_t i, int64_t n) {
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void fill(double *matrix, int64_t n_in, int64_t n_out, bool cubic) {
    for (int64_t i = 0; i < n_out; i++) {
        const double x = n_out > 1 ? (double)i * ((double)(n_in - 1) / (double)(n_out - 1)) : 0.0;
        const int64_t left = within((int64_t)floor(x), n_in);
        const double t = x - (double)left;
        const double weights[] = {cubic ? far_weight(t + 1) : 0, cubic ? near_weight(t) : 1 - t,
                                  cubic ? near_weight(1 - t) : t, cubic ? far_weight(2 - t) : 0};
        for (int k = 0; k < 4; k++) matrix[i * n_in + within(left + k - 1, n_in)] += weights[k];
    }
}

mpno_status mpno_interpolation_plan(mpno_plans *plans, const mpno_grid *in, const mpno_grid *out,
                                    const mpno_lines **lines) {
    mpno_lines *made;
    MPNO_TRY(mpno_plans_table(plans, 1, sizeof *made, &made));
    made->ndim = in->ndim;
    for (int d = 0; d < in->ndim; d++) {
        double *matrix;
        made->from[d] = in->size[d], made->to[d] = out->size[d];
        MPNO_TRY(
            mpno_plans_table(plans, (size_t)(in->size[d] * out->size[d]), sizeof(double), &matrix));
        fill(matrix, in->size[d], out->size[d], in->ndim == 2);
        made->matrix[d] = matrix;
    }
    *lines = made;
    return MPNO_OK;
}
