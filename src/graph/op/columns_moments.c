/* SPDX-License-Identifier: MIT
 * sums[2c] = sum of x, sums[2c+1] = sum of x^2 over the points of each sample, for the field x that
 * columns stand for, by Parseval: c [batch][lines][2][K][C] -> [batch][2C], f64. As moments, and
 * like there the gradient is part of normalize_columns_dx. */
#include "graph/op/columns_sums.h"

static void forward(mpno_op_call *call) {
    const mpno_columns *c = call->node->attr.columns;
    const mpno_columns_products products = {
        .other = 0,
        .weight = {c->mean * (double)c->n, c->square[MPNO_COLUMNS_MEAN],
                   c->square[MPNO_COLUMNS_MIDDLE], c->square[MPNO_COLUMNS_NYQUIST]},
        .interleaved = true};
    mpno_columns_products_run(call, &products, call->out[0].data);
}

const mpno_op mpno_op_columns_moments = {
    .name = "columns_moments",
    .class = MPNO_OP_WHOLE,
    .shape = mpno_shape_sample_sums,
    .forward = forward,
    .cost = mpno_columns_cost,
    .scratch = mpno_columns_products_scratch,
    .bound = mpno_bound_none,
};
