/* SPDX-License-Identifier: MIT
 * A contraction of complex tensors, planned and executed: out = sum of the product of the operands
 * along a path (path.h), and its gradients. Each step is a batch of matrix products (or, where one
 * of the matrices is a vector and the batch is long, of products element by element); operands that
 * do not lie as a product reads them are copied first. Every element is one chain in an order that
 * the sizes alone decide: results are the same bits for any number of threads.
 * Error of an element: mpno_contract_cost.error u of the sum of the magnitudes of all products.
 * Gradients (dL/dRe + i dL/dIm) of operand j: the result's gradient contracted with the conjugates
 * of all others, by walking the path back. */
#ifndef MPNO_TRANSFORM_CONTRACT_CONTRACTION_H
#define MPNO_TRANSFORM_CONTRACT_CONTRACTION_H

#include "kernel/field_kernels.h"
#include "kernel/kernel.h"
#include "transform/contract/path.h"

/* Where the elements of a tensor lie: of indices i[label] at offset + sum of i stride, real; the
 * imaginary part `plane` further on. All in numbers of the arithmetic type. */
typedef struct mpno_contract_view {
    int64_t offset, plane, stride[MPNO_CONTRACT_LABELS];
} mpno_contract_view;

typedef struct mpno_contraction {
    mpno_contract_problem problem;
    mpno_contract_path path;
    /* operands as they are given, results of the steps in scratch, and the last of them as asked */
    mpno_contract_view view[2 * MPNO_CONTRACT_OPERANDS];
    uint32_t labels[2 * MPNO_CONTRACT_OPERANDS];
    size_t place[2 * MPNO_CONTRACT_OPERANDS]; /* of the results in scratch, in numbers */
    size_t results, copies;                   /* scratch, in numbers */
} mpno_contraction;

/* views: of the operands, then of the result. Each label must be shared by two tensors at least,
 * the result counted (E_ARGUMENT). */
MPNO_WARN_UNUSED mpno_status mpno_contraction_make(mpno_ctx *ctx,
                                                   const mpno_contract_problem *problem,
                                                   const mpno_contract_path *path,
                                                   const mpno_contract_view *views,
                                                   mpno_contraction *out);

typedef struct mpno_contract_run {
    const mpno_kernels *kernels; /* of the arithmetic type */
    const mpno_field_kernels *fields;
    int n_threads;
    void *scratch; /* mpno_contraction_scratch bytes */
} mpno_contract_run;

size_t mpno_contraction_scratch(const mpno_contraction *c, size_t type_bytes, bool gradients);
void mpno_contraction_run(const mpno_contraction *c, const mpno_contract_run *run,
                          const void *const *operands, void *result);
/* gradients[j]: of operand j in its view, elements outside of the view left alone; NULL: not
 * wanted. */
void mpno_contraction_gradients(const mpno_contraction *c, const mpno_contract_run *run,
                                const void *const *operands, const void *result_gradient,
                                void *const *gradients);

#endif
