/* SPDX-License-Identifier: MIT
 * The order in which several tensors are contracted with each other, two at a time:
 *   out[..] = sum over all other labels of the product of the operands
 * A label is an index that operands share; sizes, the batch among them, are known. The order found
 * is the best of all trees, by dynamic programming over sets of operands (3^n splits: 0.5 million
 * for 12), for one of three goals:
 *   FLOPS  real operations of complex numbers: 8 for a product that is summed, else 6
 *   BYTES  most bytes of intermediate tensors, the result among them, that are alive at once, where
 *          a branch of the tree is finished before another one begins
 *   ERROR  u sum over the steps of (2 K + 1), K the length of a step's sums: a bound, to first
 *          order, on the error of an element of the result over the sum of the magnitudes of all
 *          products that make it. (A step of kernel gemm_complex errs by (2 K + 1) u of that sum
 *          for exact operands, and passes on the relative errors of both; both follow from the
 *          triangle inequality, Higham 2002, section 3.6.)
 * Source of the search: Pfeifer, Haegeman, Verstraete, "Faster identification of optimal
 * contraction sequences for tensor networks" (2014), without its pruning. */
#ifndef MPNO_TRANSFORM_CONTRACT_PATH_H
#define MPNO_TRANSFORM_CONTRACT_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/context.h"

#define MPNO_CONTRACT_OPERANDS 12
#define MPNO_CONTRACT_LABELS 26

typedef enum mpno_contract_goal {
    MPNO_CONTRACT_FLOPS,
    MPNO_CONTRACT_BYTES,
    MPNO_CONTRACT_ERROR,
    MPNO_CONTRACT_GOALS
} mpno_contract_goal;

/* Sets of labels and of operands: bit i stands for number i. */
typedef struct mpno_contract_problem {
    int n_operands;
    uint32_t operand[MPNO_CONTRACT_OPERANDS], output; /* labels */
    int64_t size[MPNO_CONTRACT_LABELS];
    size_t element_bytes; /* of a complex number */
} mpno_contract_problem;

/* Step i joins tensors a and b into tensor n_operands + i; the last one is the result. */
typedef struct mpno_contract_path {
    int n_steps;
    struct {
        int a, b;
    } step[MPNO_CONTRACT_OPERANDS - 1];
} mpno_contract_path;

typedef struct mpno_contract_cost {
    double flops, peak_bytes, error; /* error in units u of the arithmetic */
} mpno_contract_cost;

/* The best path; of equally good ones one with fewer flops (FLOPS: fewer bytes). E_ARGUMENT: no or
 * too many operands, or a label of the output that no operand has. */
MPNO_WARN_UNUSED mpno_status mpno_contract_find(mpno_ctx *ctx, const mpno_contract_problem *problem,
                                                mpno_contract_goal goal, mpno_contract_path *path);
/* What a path costs when its steps are taken in their order. */
mpno_contract_cost mpno_contract_cost_of(const mpno_contract_problem *problem,
                                         const mpno_contract_path *path);
/* Labels of every tensor of a path: tensors[n_operands + n_steps]. */
void mpno_contract_tensors(const mpno_contract_problem *problem, const mpno_contract_path *path,
                           uint32_t *tensors);
double mpno_contract_product(const mpno_contract_problem *problem, uint32_t labels);
/* One line, such as "abc,cd,db->ab: cd,db->cb; abc,cb->ab; 1.2 MFLOP, 0.4 MiB, 41 u". Gives
 * `text`. */
const char *mpno_contract_text(const mpno_contract_problem *problem, const mpno_contract_path *path,
                               char *text, size_t n);

#endif
