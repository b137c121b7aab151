/* SPDX-License-Identifier: MIT
 * One step of a contraction: to = sum of a b, or of a conj(b), over the labels that a and b share
 * and `to` lacks. Inside of transform/contract. */
#ifndef MPNO_TRANSFORM_CONTRACT_PAIR_H
#define MPNO_TRANSFORM_CONTRACT_PAIR_H

#include "transform/contract/contraction.h"

/* A batch of products of a matrix [row][inner] of a with one [inner][column] of b. */
typedef struct mpno_pair_labels {
    uint32_t batch, row, column, inner;
} mpno_pair_labels;

typedef struct mpno_pair_tensor {
    void *data;
    const mpno_contract_view *view;
} mpno_pair_tensor;

typedef struct mpno_pair_call {
    const mpno_contract_problem *problem;
    const mpno_contract_run *run;
    mpno_pair_labels labels;
    mpno_pair_tensor a, b, to;
    bool conjugate_b;
    void *copies; /* room for mpno_pair_copies numbers */
} mpno_pair_call;

mpno_pair_labels mpno_pair_divide(const mpno_contract_problem *problem, uint32_t a, uint32_t b,
                                  uint32_t to);
/* Whether the step is taken element by element along the longest label of its batch: a product of
 * matrices would have one row, column or inner index. */
bool mpno_pair_elementwise(const mpno_contract_problem *problem, const mpno_pair_labels *labels);
/* Whether the columns of the product come from a: where neighbours in the result differ, or else
 * those of which there are more; but no columns that are few beside the rows. */
bool mpno_pair_turned(const mpno_contract_problem *problem, const mpno_pair_labels *labels,
                      const mpno_contract_view *to);
/* A tensor without gaps, both planes apart, whose labels come group by group, those of each in the
 * order that they have in view like[group]. */
mpno_contract_view mpno_pair_layout(const mpno_contract_problem *problem, const uint32_t *groups,
                                    int n_groups, const mpno_contract_view *const *like,
                                    size_t *count);
int mpno_pair_longest(const mpno_contract_problem *problem, uint32_t labels);
size_t mpno_pair_copies(const mpno_contract_problem *problem, const mpno_pair_labels *labels);
void mpno_pair_run(const mpno_pair_call *call);

#endif
