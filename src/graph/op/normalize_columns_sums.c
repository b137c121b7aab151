/* SPDX-License-Identifier: MIT
 * grads[c] = sum of dy, grads[C + c] = sum of dy x over the points of each sample, f64, where
 * operand 0 are the columns T'dy of a gradient and operand 1 those of x = T c:
 * <dy, T c> = <T'dy, c>. As normalize_sums, without the fields. */
#include "graph/op/columns_sums.h"

static void forward(mpno_op_call *call) {
    const mpno_columns *c = call->node->attr.columns;
    const mpno_columns_products products = {.other = 1, .weight = {1 / c->mean, 1, 1, 1}};
    mpno_columns_products_run(call, &products, call->out[0].data);
}

const mpno_op mpno_op_normalize_columns_sums = {
    .name = "normalize_columns_sums",
    .class = MPNO_OP_WHOLE,
    .linear_in_first = true,
    .shape = mpno_shape_sample_sums,
    .forward = forward,
    .cost = mpno_columns_cost,
    .scratch = mpno_columns_products_scratch,
};
